"""What a room promises holds after every step of thousands of random stories.

A story that fails is told by its seed: ``tell(seed)`` repeats it, step by step.
"""

from random import Random

import pytest

from roomcast.relay.message import Kind
from roomcast.relay.room import RoomRules
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
            )
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
