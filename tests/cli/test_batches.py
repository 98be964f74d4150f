"""Lines however they arrive, messages as JSON, and batches within their limits."""

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.cli.batches import Batch, Batcher, InputError, Item, Splitter, item


def split(pieces: list[bytes], line_max_bytes: int = 100) -> tuple[list[tuple[int, bytes]], str]:
    """Return the numbered lines, and what was wrong in the end."""
    splitter = Splitter(line_max_bytes)
    lines: list[tuple[int, bytes]] = []
    try:
        for piece in pieces:
            lines.extend(line for line in splitter.receive(piece))
        lines.extend(splitter.end())
    except InputError as error:
        return lines, str(error)
    return lines, ""


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\n\nc", [b"a", b"b", b"", b"c"]),
        (b"a\rb\r\r\n", [b"a\rb\r"]),
        (b"\n", [b""]),
    ],
)
def test_line_ends_with_lf_or_crlf_and_the_last_with_the_input(data: bytes, lines: list[bytes]) -> None:
    assert split([data]) == (list(enumerate(lines, start=1)), "")


@given(
    data=st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\xff", b"bcdef"])).map(b"".join),
    places=st.lists(st.integers(0, 100), max_size=20),
)
def test_lines_do_not_depend_on_how_the_input_arrives(data: bytes, places: list[int]) -> None:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]

    assert split([data[start:end] for start, end in pairwise(ends)], 7) == split([data], 7)


def test_line_may_be_as_long_as_the_limit() -> None:
    assert split([b"abc\nabc"], 3) == ([(1, b"abc"), (2, b"abc")], "")


def test_line_too_long_is_refused_before_its_end_arrives() -> None:
    assert split([b"abc\nabcd"], 3) == ([(1, b"abc")], "line 2 is longer than 3 bytes")


def test_text_is_sent_as_text_and_bytes_as_base64() -> None:
    text = item("/rooms/ä", 1, 'é\n"'.encode(), is_binary=False)
    data = item("/rooms/ä", 2, b"\xff", is_binary=True)

    assert json.loads(text.body) == {"room": "/rooms/ä", "text": 'é\n"'}
    assert json.loads(data.body) == {"room": "/rooms/ä", "base64": base64.b64encode(b"\xff").decode()}
    assert (text.size_bytes, data.size_bytes) == (4, 1)


def test_text_that_is_no_utf8_is_refused_with_its_line_and_what_would_send_it() -> None:
    with pytest.raises(InputError, match="line 1,234 is not UTF-8 at byte 1; --binary sends any bytes"):
        item("/a", 1234, b"a\xff", is_binary=False)


def items(count: int, size: int = 1) -> list[Item]:
    return [Item(number, b"x" * size, size) for number in range(1, count + 1)]


def batches(of: list[Item], **limits: Any) -> list[list[int]]:
    batcher = Batcher(**limits)
    found = [batch for one in of for batch in batcher.add(one)]
    found += batcher.take()
    assert [one for batch in found for one in batch.items] == of
    return [[one.number for one in batch.items] for batch in found]


def test_batch_holds_as_many_messages_as_it_may() -> None:
    assert batches(items(5), messages_max=2) == [[1, 2], [3, 4], [5]]


def test_batch_is_as_long_as_it_may_be_and_a_message_that_is_longer_is_alone() -> None:
    assert batches([*items(4, 3), *items(1, 20)], body_max_bytes=8) == [[1, 2], [3, 4], [1]]


def test_nothing_makes_no_batch() -> None:
    assert batches([]) == []


def test_batch_is_one_json_document() -> None:
    one, two = (item("/a", number, b"a", is_binary=False) for number in (1, 2))

    assert json.loads(Batch([one, two]).body) == {"messages": [{"room": "/a", "text": "a"}] * 2}


def test_batch_says_which_lines_it_holds_and_how_much_of_the_input() -> None:
    batch = Batch(items(1200, 2))

    assert batch.lines == "lines 1 to 1,200"
    assert batch.size_bytes == 2400
    assert Batch(batch.items[:1]).lines == "line 1"


def test_batch_that_was_too_much_is_halved_and_so_are_those_that_follow() -> None:
    batcher = Batcher()
    batch = Batch(items(5))

    batcher.limit(batch)

    assert [half.lines for half in batch.halves()] == ["lines 1 to 2", "lines 3 to 5"]
    assert [len(each.items) for one in items(4) for each in batcher.add(one)] == [2]
