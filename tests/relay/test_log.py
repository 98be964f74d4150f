import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.relay.log import Log
from roomcast.relay.message import OVERHEAD_BYTES
from tests.relay.fake_wire import BracketFormat, message

# So that five messages are 5,000 bytes, and a limit can stand on either side.
PAYLOAD = b"x" * (1_000 - OVERHEAD_BYTES)


def log_of(count: int, head: int = 0) -> Log:
    log = Log(head)
    for offset in range(head + 1, head + count + 1):
        log.append(message(offset, PAYLOAD))
    return log


def offsets(log: Log, cursor: int, until: int, limit_bytes: int) -> list[int]:
    return [one.offset for one in log.batch(cursor, until, limit_bytes)]


def test_empty_log_begins_behind_its_head() -> None:
    log = Log(head=7)

    assert (log.head, log.first, log.size_bytes) == (7, 8, 0)


def test_log_knows_its_ends_and_its_size() -> None:
    log = log_of(3, head=7)

    assert (log.head, log.first, log.size_bytes) == (10, 8, 3_000)


@pytest.mark.parametrize(
    ("cursor", "until", "limit_bytes", "expected"),
    [
        (0, 5, 5_000, [1, 2, 3, 4, 5]),
        (0, 5, 4_999, [1, 2, 3, 4]),
        (0, 5, 2_000, [1, 2]),
        (0, 5, 1_999, [1]),
        (0, 5, 1, [1]),
        (2, 5, 5_000, [3, 4, 5]),
        (2, 4, 5_000, [3, 4]),
        (2, 4, 2_000, [3, 4]),
        (2, 4, 1_000, [3]),
        (4, 5, 1, [5]),
    ],
)
def test_batch_ends_at_its_limits_but_holds_one_message_at_least(
    cursor: int, until: int, limit_bytes: int, expected: list[int]
) -> None:
    assert offsets(log_of(5), cursor, until, limit_bytes) == expected


def test_batch_is_found_by_offset_after_a_trim() -> None:
    log = log_of(5, head=7)
    log.trim(3_000, served=12)

    assert offsets(log, 9, 12, 10_000) == [10, 11, 12]


def test_trim_to_nothing_forgets_all_that_was_served() -> None:
    log = log_of(5)

    log.trim(0, served=5)

    assert (log.head, log.first, log.size_bytes) == (5, 6, 0)


def test_trim_to_nothing_keeps_what_was_not_served() -> None:
    log = log_of(5)

    log.trim(0, served=3)

    assert (log.first, log.size_bytes) == (4, 2_000)


@pytest.mark.parametrize(("keep_bytes", "first"), [(5_000, 1), (4_999, 2), (4_000, 2), (1_000, 5), (999, 6)])
def test_trim_keeps_the_newest_that_fit(keep_bytes: int, first: int) -> None:
    log = log_of(5)

    log.trim(keep_bytes, served=5)

    assert log.first == first


def test_log_goes_on_after_a_trim() -> None:
    log = log_of(5)
    log.trim(0, served=5)

    log.append(message(6, PAYLOAD))

    assert (log.head, log.first, log.size_bytes) == (6, 6, 1_000)
    assert offsets(log, 5, 6, 1) == [6]


# Whatever is done with it: the log beside a list that forgets nothing

STEPS = st.lists(
    st.one_of(
        st.binary(max_size=9),
        st.tuples(st.integers(0, 3_000), st.integers(0, 12)),
    ),
    max_size=25,
)


@given(head=st.integers(0, 5), steps=STEPS, limit_bytes=st.integers(1, 3_000))
def test_log_holds_the_newest_messages_without_gaps(
    head: int, steps: list[bytes | tuple[int, int]], limit_bytes: int
) -> None:
    log, all_of_them = Log(head), []
    for step in steps:
        if isinstance(step, bytes):
            all_of_them.append(message(log.head + 1, step))
            log.append(all_of_them[-1])
        else:
            keep_bytes, served = step[0], min(head + step[1], log.head)
            log.trim(keep_bytes, served)
            assert log.size_bytes <= keep_bytes or log.first > served

        held = [one for one in all_of_them if one.offset >= log.first]
        assert log.size_bytes == sum(one.size_bytes for one in held)
        assert [one.offset for one in held] == list(range(log.first, log.head + 1))
        for cursor in range(log.first - 1, log.head):
            batch = log.batch(cursor, log.head, limit_bytes)
            assert batch == held[cursor + 1 - log.first :][: len(batch)]
            assert len(batch) == 1 or sum(one.size_bytes for one in batch) <= limit_bytes


@pytest.mark.parametrize(("cursor", "behind"), [(12, 0), (11, 1_000), (9, 3_000), (8, 3_000), (7, 3_000)])
def test_cursor_is_behind_by_what_was_appended_after_it_and_is_still_held(cursor: int, behind: int) -> None:
    log = log_of(5, head=7)
    log.trim(3_000, served=12)

    assert log.behind_bytes(cursor) == behind


def test_frames_are_forgotten_with_their_messages() -> None:
    log = Log()
    for offset in (1, 2):
        said = message(offset, PAYLOAD)
        log.append(said)
        log.frame_bytes += len(said.frame(BracketFormat()) or b"")

    log.trim(1_000, served=2)
    half = log.frame_bytes
    log.trim(0, served=2)

    assert (half, log.frame_bytes) == (len(PAYLOAD) + 2, 0)


# --- a log that keeps a history


def history(*published_s: float) -> Log:
    """Return a log of messages of 1,000 bytes each, published at these times."""
    log = Log(forgotten_s=0.0)
    for offset, moment_s in enumerate(published_s, start=1):
        log.append(message(offset, PAYLOAD, published_s=moment_s))
    return log


@pytest.mark.parametrize(
    ("messages", "size_bytes", "since_s", "first"),
    [
        (5, 5_000, 1.0, 1),
        (4, 5_000, 1.0, 2),
        (5, 4_999, 1.0, 2),
        (5, 4_000, 1.0, 2),
        (5, 5_000, 1.5, 2),
        (3, 4_000, 4.5, 5),
        (0, 5_000, 1.0, 6),
        (5, 999, 1.0, 6),
        (5, 5_000, 6.0, 6),
    ],
)
def test_history_is_what_neither_count_nor_bytes_nor_age_forbid(
    messages: int, size_bytes: int, since_s: float, first: int
) -> None:
    log = history(1.0, 2.0, 3.0, 4.0, 5.0)

    log.trim_history(0, 5, messages=messages, size_bytes=size_bytes, since_s=since_s)

    assert (log.first, log.size_bytes) == (first, (6 - first) * 1_000)
    assert log.forgotten_s == first - 1


@pytest.mark.parametrize(("keep_bytes", "first"), [(0, 5), (1_999, 5), (2_000, 4), (5_000, 1)])
def test_what_laggards_need_is_kept_whatever_the_history_says(keep_bytes: int, first: int) -> None:
    log = history(1.0, 2.0, 3.0, 4.0, 5.0)

    log.trim_history(keep_bytes, 5, messages=1, size_bytes=5_000, since_s=0.0)

    assert log.first == first


def test_nothing_is_forgotten_that_nobody_was_sent() -> None:
    log = history(1.0, 2.0, 3.0)

    log.trim_history(0, 2, messages=0, size_bytes=0, since_s=9.0)
    served = log.first
    log.trim_history(0, 2, messages=0, size_bytes=0, since_s=9.0)

    assert (served, log.first, log.forgotten_s) == (3, 3, 2.0)


def test_frames_of_a_history_are_forgotten_with_their_messages() -> None:
    log, wire_format = history(1.0, 2.0, 3.0), BracketFormat()
    for said in log.after(0, 2):
        log.frame_bytes += len(said.frame(wire_format) or b"")

    log.trim_history(0, 3, messages=2, size_bytes=5_000, since_s=0.0)

    assert log.frame_bytes == len(PAYLOAD) + 2


def test_frames_are_counted_anew_where_nobody_knows_how_many_were_made() -> None:
    log = history(1.0, 2.0)
    log.after(0, 1)[0].frame(BracketFormat())

    log.recount_frames()

    assert log.frame_bytes == len(PAYLOAD) + 2


def test_messages_after_a_cursor_are_found_by_offset() -> None:
    log = history(1.0, 2.0, 3.0, 4.0)
    log.trim_history(0, 4, messages=3, size_bytes=5_000, since_s=0.0)

    assert [said.offset for said in log.after(1, 10)] == [2, 3, 4]
    assert [said.offset for said in log.after(2, 1)] == [3]
    assert log.after(4, 10) == []


@pytest.mark.parametrize(("moment_s", "offset"), [(0.0, 1), (2.0, 1), (2.5, 2), (3.0, 2), (4.0, 3), (4.1, 4)])
def test_moment_is_found_behind_all_that_was_published_before_it(moment_s: float, offset: int) -> None:
    log = history(1.0, 2.0, 3.0, 4.0)
    log.trim_history(0, 4, messages=3, size_bytes=5_000, since_s=0.0)

    assert log.before(moment_s) == offset


def test_log_knows_when_its_ends_were_published() -> None:
    log = history(1.0, 2.0, 4.0)

    assert (log.oldest_s, log.newest_s) == (1.0, 4.0)


@given(
    times=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    back_s=st.integers(0, 9),
    turn=st.integers(0, 12),
    since_s=st.integers(0, 9),
)
def test_clock_that_is_set_back_hides_nothing_that_was_said_since(
    times: list[int], back_s: int, turn: int, since_s: int
) -> None:
    # When things were really said, and what the clock said then: from `turn` on it is late.
    really_s = sorted(times)
    log = history(*(moment_s - (back_s if place >= turn else 0) for place, moment_s in enumerate(really_s)))
    now_s = really_s[-1]
    clock_s = now_s - (back_s if turn < len(times) else 0)

    cursor = log.before(clock_s - since_s)

    recent = [offset for offset, moment_s in enumerate(really_s, start=1) if moment_s >= now_s - since_s]
    assert cursor < recent[0]
