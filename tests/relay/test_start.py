"""Where newcomers begin: each wish on both sides of what is kept."""

import pytest

from roomcast.relay.log import Log
from roomcast.relay.start import NO_WISH, Gap, Position, Start, Wish, find_start, write_position
from tests.relay.fake_wire import message

EPOCH = "k7c2m9qa"


def find(wish: Wish, *, at: int = 10, oldest: int = 5, history_messages: int = 100, now_s: float = 11.0) -> Start:
    """Look into a log that holds the messages 6 to 10, each published in the second of its offset."""
    log = Log(forgotten_s=0.0)
    for offset in range(1, 11):
        log.append(message(offset, published_s=offset))
    log.trim_history(0, 10, messages=5, size_bytes=1 << 20, since_s=0.0)
    return find_start(wish, log, at, oldest=oldest, epoch=EPOCH, now_s=now_s, history_messages=history_messages)


def since(offset: int, epoch: str = EPOCH, newest: int = 0) -> Wish:
    return Wish(newest, since=Position(epoch, offset))


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("k7c2m9qa:41", Position("k7c2m9qa", 41)),
        ("a:0", Position("a", 0)),
        (f"{'z' * 32}:999999999999999", Position("z" * 32, 999_999_999_999_999)),
    ],
)
def test_position_is_read_as_it_is_written(text: str, position: Position) -> None:
    assert Position.parse(text) == position
    assert str(position) == write_position(*position) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "41",
        ":41",
        "k7c2m9qa:",
        "k7c2m9qa:-1",
        "k7c2m9qa:4.1",
        "k7c2m9qa:41\n",
        "a:b:41",
        "K7C2M9QA:41",
        f"{'z' * 33}:41",
        "k7c2m9qa:1000000000000000",
        # A digit that is none in ASCII.
        "k7c2m9qa:٣",
    ],
)
def test_what_is_written_otherwise_is_no_position(text: str) -> None:
    with pytest.raises(ValueError, match="is not epoch:offset"):
        Position.parse(text)


def test_who_asks_for_nothing_begins_where_everybody_is() -> None:
    assert find(NO_WISH) == Start(10)
    assert find(NO_WISH, at=8) == Start(8)


@pytest.mark.parametrize(("newest", "cursor"), [(1, 9), (5, 5), (6, 5), (1_000, 5)])
def test_newest_are_as_many_as_are_kept(newest: int, cursor: int) -> None:
    assert find(Wish(newest)) == Start(cursor)


def test_newest_are_no_more_than_the_template_says_though_laggards_hold_more() -> None:
    assert find(Wish(5), history_messages=3) == Start(7)
    assert find(Wish(5), history_messages=0) == Start(10)


def test_nobody_begins_beyond_those_who_are_up_to_date() -> None:
    assert find(Wish(1), at=7) == Start(7)
    assert find(since(9), at=7) == Start(7)


@pytest.mark.parametrize(
    ("offset", "start"),
    [
        (4, Start(5, Gap.OFFSET)),
        (5, Start(5)),
        (9, Start(9)),
        (10, Start(10)),
        (11, Start(5, Gap.OFFSET)),
    ],
)
def test_position_is_gone_on_from_where_all_after_it_is_kept(offset: int, start: Start) -> None:
    assert find(since(offset)) == start


def test_position_of_another_life_is_a_gap_whatever_its_offset() -> None:
    assert find(since(9, "another7")) == Start(5, Gap.EPOCH)


def test_after_a_gap_come_the_newest_where_it_was_said_how_many() -> None:
    assert find(since(4, newest=2)) == Start(8, Gap.OFFSET)


def test_after_a_gap_comes_no_more_than_the_template_says() -> None:
    assert find(since(4), history_messages=3) == Start(7, Gap.OFFSET)


def test_what_was_forgotten_on_demand_is_a_gap_though_laggards_hold_it() -> None:
    assert find(since(7), oldest=8) == Start(8, Gap.OFFSET)
    assert find(since(8), oldest=8) == Start(8)
    assert find(Wish(since_s=4), oldest=8) == Start(8, Gap.TIME)
    assert find(Wish(since_s=2), oldest=8) == Start(8)


@pytest.mark.parametrize(
    ("since_s", "start"),
    [
        (0, Start(10)),
        (1, Start(9)),
        (5, Start(5)),
        # The fifth is forgotten, and was published at that very moment.
        (6, Start(5, Gap.TIME)),
        (1_000, Start(5, Gap.TIME)),
    ],
)
def test_seconds_are_gone_back_where_all_that_was_said_in_them_is_kept(since_s: int, start: Start) -> None:
    assert find(Wish(since_s=since_s)) == start


def test_clock_that_was_set_back_makes_gaps_and_hides_none() -> None:
    assert find(Wish(since_s=1), now_s=5.0) == Start(5, Gap.TIME)
    # All that is kept has yet to be said.
    assert find(Wish(since_s=0), now_s=5.5) == Start(5)


@pytest.mark.parametrize(
    ("wish", "is_to_resume", "asks_for_past"),
    [
        (NO_WISH, False, False),
        (Wish(may_miss=True), False, False),
        (Wish(1), False, True),
        (since(0), True, True),
        (Wish(since_s=0), True, True),
    ],
)
def test_wish_knows_whether_it_is_for_the_past(wish: Wish, is_to_resume: bool, asks_for_past: bool) -> None:
    assert (wish.is_to_resume, wish.asks_for_past) == (is_to_resume, asks_for_past)
