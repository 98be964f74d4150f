"""Input, as it is there: none of it is lost, and nothing waits for what is not there yet."""

import io
from collections.abc import Sequence
from typing import Any

import pytest

from roomcast.cli.batches import Batcher, InputError
from roomcast.cli.input import Input


class Pieces(io.RawIOBase):
    """A pipe that gives these pieces one by one; what is an error is raised."""

    def __init__(self, pieces: Sequence[bytes | type[BaseException]]) -> None:
        self._pieces = iter(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = next(self._pieces, b"")
        if not isinstance(piece, bytes):
            raise piece
        buffer[: len(piece)] = piece
        return len(piece)


def given(*pieces: bytes | type[BaseException], is_binary: bool = False, message_max_bytes: int = 100) -> Input:
    source = io.BufferedReader(Pieces(pieces))
    return Input("/a", source, Batcher(), is_binary=is_binary, message_max_bytes=message_max_bytes)


def lines(of: Input) -> list[str]:
    return [batch.lines for batch in of.batches(None, is_whole=False)]


def test_what_is_there_is_not_kept_until_more_is() -> None:
    assert lines(given(b"a\nb\n", b"c\nd", b"e\n")) == ["lines 1 to 2", "line 3", "line 4"]


def test_last_line_needs_no_end() -> None:
    assert lines(given(b"a\nb")) == ["line 1", "line 2"]


def test_interrupt_while_waiting_is_the_end_and_half_a_line_is_none() -> None:
    assert lines(given(b"a\nb", KeyboardInterrupt)) == ["line 1"]


def test_lines_before_one_that_cannot_be_sent_are_sent() -> None:
    batches = given(b"a\n\xff\n").batches(None, is_whole=False)

    assert next(batches).lines == "line 1"
    with pytest.raises(InputError, match="line 2 is not UTF-8"):
        next(batches)


def bodies(of: Input, text: str | None = None) -> list[bytes]:
    return [one.body for batch in of.batches(text, is_whole=True) for one in batch.items]


def test_argument_and_whole_input_are_one_message_of_any_bytes() -> None:
    assert bodies(given(is_binary=True), "\udcff") == [b'{"room": "/a", "base64": "/w=="}']
    assert bodies(given(b"\xff", b"\n", is_binary=True)) == [b'{"room": "/a", "base64": "/wo="}']


def test_whole_input_that_is_longer_than_any_message_is_refused() -> None:
    with pytest.raises(InputError, match="the input is longer than 3 bytes"):
        list(given(b"ab", b"cd", message_max_bytes=3).batches(None, is_whole=True))
