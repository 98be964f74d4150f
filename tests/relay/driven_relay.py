"""A hub on a loop that is driven by hand, where each send takes as long as the test says."""

from functools import partial
from typing import Any

from roomcast.brokers.memory import MemoryBroker
from roomcast.relay.budget import Budget
from roomcast.relay.busiest import Busiest
from roomcast.relay.flushing import PACE_FACTOR
from roomcast.relay.history import Histories
from roomcast.relay.hub import Hub
from roomcast.relay.message import Kind
from roomcast.relay.room import Room
from roomcast.relay.rules import RoomRules
from roomcast.relay.start import NO_WISH, Wish
from tests.relay.fake_loop import HandDrivenLoop
from tests.relay.fake_wire import ROOMY, BracketFormat, FakeMember

ANGLES = BracketFormat()
EPOCH = "k7c2m9qa"
# How long a room rests after 2 ms.
REST_S = PACE_FACTOR * 0.002


class Relay:
    """A hub, the loop that it runs on, and what it reported."""

    def __init__(
        self,
        rooms_max: int = 0,
        budget: Budget | None = None,
        histories: Histories | None = None,
        busiest: int = 0,
    ) -> None:
        self.loop = HandDrivenLoop()
        self.faults: list[tuple[str, str]] = []
        self.hub = Hub(
            broker=lambda deliver: MemoryBroker(deliver, EPOCH, self.loop.clock),
            scheduler=self.loop,
            clock=self.loop.clock,
            wall_clock=self.loop.clock,
            rooms_max=rooms_max,
            budget=budget or Budget(),
            histories=Histories() if histories is None else histories,
            report=lambda room, error: self.faults.append((room.name if room else "", str(error))),
            busiest=Busiest(busiest, self.loop.clock) if busiest else None,
        )
        self.counters = self.hub.add_template("rooms")

    def join(
        self, path: str, cost_s: float = 0.0, capacity: int = ROOMY, wish: Wish = NO_WISH, **rules: Any
    ) -> tuple[Room, FakeMember]:
        """Let somebody in to whom a send takes ``cost_s``."""
        member = FakeMember(ANGLES, capacity)
        member.on_offer = self.loop.spend(cost_s)
        room, _ = self.hub.join(path, RoomRules(**({"echo": True} | rules)), self.counters, member, wish)
        member.enter(partial(self.hub.feed, room), partial(self.hub.leave, room), self.hub.budget)
        member.say_goodbye_by(partial(self.hub.part, room))
        return room, member

    def fill(self, path: str, count: int, cost_s: float = 0.0, **rules: Any) -> tuple[Room, list[FakeMember]]:
        """Let in so many; the room is as slow as all of them together."""
        members = [self.join(path, cost_s / count, **rules) for _ in range(count)]
        return members[0][0], [member for _, member in members]

    def say(self, room: Room, payload: bytes = b"hello", sender: FakeMember | None = None) -> None:
        self.hub.publish(room, Kind.TEXT, payload, sender or FakeMember(ANGLES))

    def flush(self, room: Room, payload: bytes = b"hello") -> None:
        """Let a message through to everybody, in as many turns as that takes, and without resting."""
        self.say(room, payload)
        self.loop.end_turn()
        while room.is_flushing:
            self.loop.wait()


def served(members: list[FakeMember]) -> int:
    """How many of them were offered something."""
    return sum(bool(member.offers) for member in members)
