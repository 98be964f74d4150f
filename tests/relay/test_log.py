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
