"""Every reading of a head that is excused is really another one; no other exists in what hypothesis can think of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import head, script
from tests.fuzz.head import LIMITS, READINGS, Meant

WORDS = [word.encode() for word in head.WORDS]


@pytest.mark.parametrize("meant", READINGS, ids=lambda meant: f"{meant.reader}: {meant.reason[:30]}")
def test_a_reading_that_is_excused_differs_and_by_that_reason_alone(meant: Meant) -> None:
    outcome = head.decode([meant.example], LIMITS[0])
    assert outcome is not None
    assert len(outcome) == 2
    request, rest = outcome

    assert head.difference_of(meant.reader, request, meant.example, rest) is not None
    assert [one for one in READINGS if one.reader == meant.reader and one.applies(request, meant.example)] == [meant]


lines = st.sampled_from(WORDS) | st.builds(
    lambda name, value: name + b":" + value + b"\r\n",
    st.text("aZ-_!09:", min_size=1, max_size=6).map(str.encode) | st.sampled_from([b"Content-Length", b"Host"]),
    st.binary(max_size=8) | st.sampled_from([b"0", b" 0 ", b"0, 0", b"+0", b"8", b"a.example:80", b"[::1]"]),
)
targets = st.text("/ab?%:#", max_size=6) | st.sampled_from(["", "//", "/\u20ac", "*", "http://a/"])


@settings(max_examples=200)
@given(target=targets, following=st.lists(lines, max_size=8), rest=st.binary(max_size=12), sizes=st.integers(1, 9))
def test_a_head_is_read_as_others_read_it_or_refused(
    target: str, following: list[bytes], rest: bytes, sizes: int
) -> None:
    start = f"GET /{target} HTTP/1.1\r\nHost: a\r\n".encode()

    head.check(script.write(start + b"".join(following) + b"\r\n" + rest, sizes))


@pytest.mark.timeout(60)
def test_longest_head_there_may_be_meets_nothing_whose_time_grows_faster_than_it() -> None:
    # What looked at each byte again for each byte would take an hour for one of them.
    for stream in head.long_heads(1_000_000):
        outcome = head.decode([stream], (1 << 20, 100))
        assert outcome is not None
        if len(outcome) == 2:
            head.check_entrance(*outcome)
