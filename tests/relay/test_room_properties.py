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
from roomcast.relay.start import NO_WISH, Position, Wish
from tests.relay.fake_wire import ROOMY
from tests.relay.watched_room import EPOCH, Listener, WatchedRoom

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
                history_messages=dice.choice([0, 1, 3, 10, 1_000]),
                history_max_bytes=dice.choice([300, 1_000, 5_000, 200_000]),
                history_max_age_s=dice.choice([1, 5, 1_000]),
            ),
            lag_total_max_bytes=dice.choice([0, 0, 700, 2_000, 50_000]),
            history_total_max_bytes=dice.choice([0, 0, 6_000, 50_000]),
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
            (8, self.let_pass),
            (1, self.watched.forget),
            (4, self.watched.relieve),
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
        self.watched.join(self.dice.randrange(2), capacity, self.wish(), is_listening=self.dice.random() < 0.95)

    def wish(self) -> Wish:
        dice, head = self.dice, self.watched.room.log.head
        may_miss = dice.random() < 0.7
        newest = dice.choice([0, 0, 1, 5, ROOMY])
        epoch = EPOCH if dice.random() < 0.9 else "another7"
        position = Position(epoch, max(head - dice.choice([-1, 0, 1, 2, 3, 5, 10, 30]), 0))
        wishes = [NO_WISH, Wish(newest), Wish(newest, position, None, may_miss)]
        return dice.choice([*wishes, Wish(newest, None, dice.choice([0, 1, 2, 5, 900]), may_miss)])

    def let_pass(self) -> None:
        self.watched.let_pass(self.dice.choice([0.0, 0.1, 1.0, 1.0, 3.0]))

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
        history_messages=st.sampled_from([0, 2, 100]),
        history_max_bytes=st.sampled_from([300, 1_000]),
    )
    def begin(
        self,
        echo: bool,
        overflow: Literal["close", "skip"],
        lag_max_bytes: int,
        pending_max_bytes: int,
        lag_total_max_bytes: int,
        history_messages: int,
        history_max_bytes: int,
    ) -> None:
        rules = RoomRules(
            echo=echo,
            overflow=overflow,
            lag_max_bytes=lag_max_bytes,
            pending_max_bytes=pending_max_bytes,
            history_messages=history_messages,
            history_max_bytes=history_max_bytes,
            history_max_age_s=2,
        )
        self.watched = WatchedRoom(rules, lag_total_max_bytes)

    @rule(target=members, format_index=st.integers(0, 1), capacity=st.sampled_from([3, 7, ROOMY]))
    def join(self, format_index: int, capacity: int) -> Listener:
        return self.watched.join(format_index, capacity)

    @rule(target=members, behind=st.integers(0, 3), may_miss=st.booleans())
    def resume(self, behind: int, may_miss: bool) -> Listener:
        offset = max(self.watched.room.log.head - behind, 0)
        return self.watched.join(0, ROOMY, Wish(0, Position(EPOCH, offset), None, may_miss))

    @rule(target=members, newest=st.integers(0, 3), is_listening=st.booleans())
    def join_for_the_newest(self, newest: int, is_listening: bool) -> Listener:
        return self.watched.join(0, ROOMY, Wish(newest), is_listening=is_listening)

    @rule(target=members, since_s=st.integers(0, 3))
    def resume_by_time(self, since_s: int) -> Listener:
        return self.watched.join(0, ROOMY, Wish(0, None, since_s, may_miss=True))

    @rule(seconds=st.sampled_from([1.0, 3.0]))
    def let_pass(self, seconds: float) -> None:
        self.watched.let_pass(seconds)

    @rule()
    def forget(self) -> None:
        self.watched.forget()

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
TestAnyStory.settings = settings(stateful_step_count=40)
