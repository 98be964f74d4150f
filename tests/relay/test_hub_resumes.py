"""Every message once and in order, or a gap in its place: over breaks, slow readers, and rooms that come and go."""

from random import Random

import pytest

from roomcast.relay.budget import Budget
from roomcast.relay.history import ROOM_BYTES, Histories
from roomcast.relay.rules import RoomRules
from tests.relay.driven_relay import Relay
from tests.relay.resuming import Story

STORIES = 1_000
BLOCKS = 10


def story(seed: int) -> Story:
    dice = Random(seed)
    relay = Relay(
        rooms_max=dice.choice([0, 0, 1, 2, 3]),
        budget=Budget(dice.choice([0, 0, 1_500, 20_000])),
        histories=Histories(dice.choice([0, 0, 2 * ROOM_BYTES, 20_000])),
    )
    return Story(relay, seed)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_each_reader_hears_all_of_its_room_in_order_or_is_told_what_is_lost(block: int) -> None:
    gaps = 0
    for seed in range(block, STORIES, BLOCKS):
        told = story(seed)
        told.tell()
        gaps += sum(reader.gaps for reader in told.readers)
    assert gaps > 0


def test_nobody_is_told_of_a_gap_where_enough_is_kept() -> None:
    for seed in range(100):
        told = Story(Relay(), seed, RoomRules(echo=seed % 2 == 0, history_messages=10_000))
        told.steps = [step for step in told.steps if step[1] != told.close_room]
        told.tell()
        assert sum(reader.gaps for reader in told.readers) == 0
