"""What a room promises holds after every step of thousands of random stories.

A story that fails is told by its seed: ``tell(seed)`` repeats it, step by step.
"""

from random import Random
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from roomcast.relay.message import Kind
from roomcast.relay.rules import RoomRules
from tests.relay.fake_wire import ROOMY
from tests.relay.watched_room import Listener, WatchedRoom

STORIES = 2_000
BLOCKS = 10


class Story:
    """One random life of a room."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = Random(seed)
        # Sometimes a thousand times bigger, so that a batch is less than the log.
        self.scale = dice.choice([1, 1, 1, 1_000])
        self.watched = WatchedRoom(
            RoomRules(
                echo=dice.random() < 0.5,
                overflow=dice.choice(["close", "skip"]),
                lag_max_bytes=dice.choice([300, 1_000, 5_000, 200_000]),
                pending_max_bytes=dice.choice([1_000, 5_000, 50_000, ROOMY]),
            ),
            lag_total_max_bytes=dice.choice([0, 0, 700, 2_000, 50_000]),
        )
        self.steps = [
            (35, self.publish),
            (25, self.flush),
            (8, self.join),
            (4, self.go),
            (4, self.part),
            (6, self.pong),
            (4, self.sweep),
            (24, self.read),
            (4, self.watched.shed),
        ]

    def tell(self) -> None:
        for _ in range(4):
            self.join()
        weights = [weight for weight, _ in self.steps]
        for _, step in self.dice.choices(self.steps, weights, k=self.dice.randint(20, 200)):
            step()
        self.watched.settle()

    def publish(self) -> None:
        publishers = self.watched.publishers()
        sender = self.dice.choice(publishers) if publishers and self.dice.random() < 0.7 else None
        kind = self.dice.choice([Kind.TEXT, Kind.TEXT, Kind.TEXT, Kind.BINARY])
        self.watched.publish(sender, kind, self.dice.choice([0, 5, 30]) * self.scale)

    def flush(self) -> None:
        self.watched.flush(self.dice.choice([1, 1, 2, 3, 500]))

    def join(self) -> None:
        capacity = self.dice.choice([7 * self.scale, 40 * self.scale, 200 * self.scale, ROOMY])
        self.watched.join(self.dice.randrange(2), capacity)

    def go(self) -> None:
        if (member := self.someone()) is not None:
            self.dice.choice([self.watched.leave, self.watched.die, self.watched.die_when_offered])(member)

    def part(self) -> None:
        if (member := self.someone()) is not None:
            self.watched.part(member)

    def pong(self) -> None:
        if (member := self.someone()) is not None:
            self.watched.control(member)

    def sweep(self) -> None:
        if (member := self.someone()) is not None:
            self.watched.sweep(member)

    def read(self) -> None:
        member = self.dice.choice(self.watched.members)
        self.watched.drain(member, self.dice.choice([1, 5, 50, ROOMY]) * self.scale)

    def someone(self) -> Listener | None:
        present = self.watched.present()
        return self.dice.choice(present) if present else None


def tell(seed: int) -> None:
    Story(seed).tell()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_all_that_a_room_promises_holds_after_every_step(block: int) -> None:
    for seed in range(block, STORIES, BLOCKS):
        tell(seed)


class AnyStory(RuleBasedStateMachine):
    """The same promises, told by hypothesis, which finds the shortest story that breaks one."""

    members = Bundle("members")

    @initialize(
        echo=st.booleans(),
        overflow=st.sampled_from(["close", "skip"]),
        lag_max_bytes=st.sampled_from([300, 1_000]),
        pending_max_bytes=st.sampled_from([600, ROOMY]),
        lag_total_max_bytes=st.sampled_from([0, 700]),
    )
    def begin(
        self,
        echo: bool,
        overflow: Literal["close", "skip"],
        lag_max_bytes: int,
        pending_max_bytes: int,
        lag_total_max_bytes: int,
    ) -> None:
        rules = RoomRules(
            echo=echo, overflow=overflow, lag_max_bytes=lag_max_bytes, pending_max_bytes=pending_max_bytes
        )
        self.watched = WatchedRoom(rules, lag_total_max_bytes)

    @rule(target=members, format_index=st.integers(0, 1), capacity=st.sampled_from([3, 7, ROOMY]))
    def join(self, format_index: int, capacity: int) -> Listener:
        return self.watched.join(format_index, capacity)

    @rule(kind=st.sampled_from(Kind))
    def publish(self, kind: Kind) -> None:
        self.watched.publish(None, kind, 0)

    @rule(sender=members, kind=st.sampled_from(Kind))
    def send(self, sender: Listener, kind: Kind) -> None:
        if sender in self.watched.publishers():
            self.watched.publish(sender, kind, 0)

    @rule(budget=st.integers(1, 3))
    def flush(self, budget: int) -> None:
        self.watched.flush(budget)

    @rule()
    def shed(self) -> None:
        self.watched.shed()

    @rule(member=members, size=st.sampled_from([1, 5, ROOMY]))
    def read(self, member: Listener, size: int) -> None:
        self.watched.drain(member, size)

    @rule(member=members, step=st.sampled_from(["control", "part", "sweep", "leave", "die", "die_when_offered"]))
    def happen(self, member: Listener, step: str) -> None:
        if member.is_present:
            getattr(self.watched, step)(member)

    def teardown(self) -> None:
        self.watched.settle()


TestAnyStory = AnyStory.TestCase
TestAnyStory.settings = settings(max_examples=100, stateful_step_count=40, deadline=None, database=None)
