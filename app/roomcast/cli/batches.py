"""Lines of input, made into messages, and messages into batches that a relay takes at once.

Bytes in, values out: nothing here reads a file or a socket. The input may be longer than
memory, so whatever is held at a time is bounded: a line, and a batch.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# The first guess; a relay that takes less says so, and gets less from then on.
MESSAGES_MAX = 1_000
# Of [admin] body_max_bytes, which is 1 MiB by default, a part that arrives at once.
BODY_MAX_BYTES = 256 << 10


class InputError(ValueError):
    """The input cannot be sent as it is. The text says which line, and why."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message, ready to be sent."""

    number: int
    """Of its line, from 1."""
    body: bytes
    """As it stands in a batch."""
    size_bytes: int
    """How much of the input it was."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent at once; never empty."""

    items: Sequence[Item]

    @property
    def body(self) -> bytes:
        """The request's body."""
        return b'{"messages":[' + b",".join(item.body for item in self.items) + b"]}"

    @property
    def size_bytes(self) -> int:
        """How much of the input it holds."""
        return sum(item.size_bytes for item in self.items)

    @property
    def lines(self) -> str:
        """Which lines these are, in words."""
        first, last = self.items[0].number, self.items[-1].number
        return f"line {first:,}" if first == last else f"lines {first:,} to {last:,}"

    def halves(self) -> tuple["Batch", "Batch"]:
        """Return this batch in two; it must hold more than one message."""
        middle = len(self.items) // 2
        return Batch(self.items[:middle]), Batch(self.items[middle:])


class Splitter:
    """Cuts input into lines, the same ones however it arrives.

    A line ends with LF or CRLF, and the last one with the input.

    Args:
        line_max_bytes: The longest line.
    """

    def __init__(self, line_max_bytes: int) -> None:
        self._line_max_bytes = line_max_bytes
        self._rest = bytearray()
        self._count = 0

    def receive(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that end in these bytes, each with its number; to be taken to the last.

        Raises:
            InputError: For a line that is too long; behind all lines before it.
        """
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._rest += piece
            yield self._end()
        self._rest += rest
        self._check()

    def end(self) -> Iterator[tuple[int, bytes]]:
        """Yield the last line, where the input did not end with the end of one."""
        if self._rest:
            yield self._end()

    def _end(self) -> tuple[int, bytes]:
        self._check()
        line = bytes(self._rest.removesuffix(b"\r"))
        self._rest.clear()
        self._count += 1
        return self._count, line

    def _check(self) -> None:
        if len(self._rest) > self._line_max_bytes:
            raise InputError(f"line {self._count + 1:,} is longer than {self._line_max_bytes:,} bytes")


def item(room: str, number: int, data: bytes, *, is_binary: bool) -> Item:
    """Return a message for a room.

    Raises:
        InputError: If it is to be text, and is not UTF-8.
    """
    message = {"room": room}
    if is_binary:
        message["base64"] = base64.b64encode(data).decode("ascii")
    else:
        try:
            message["text"] = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"line {number:,} is not UTF-8 at byte {error.start:,}; --binary sends any bytes"
            ) from None
    return Item(number, json.dumps(message, ensure_ascii=False).encode("utf-8"), len(data))


class Batcher:
    """Gathers messages into batches.

    Args:
        messages_max: How many one holds at most.
        body_max_bytes: How long its body is at most, unless a single message is longer than that.
    """

    def __init__(self, messages_max: int = MESSAGES_MAX, body_max_bytes: int = BODY_MAX_BYTES) -> None:
        self._messages_max = messages_max
        self._body_max_bytes = body_max_bytes
        self._items: list[Item] = []
        self._body_bytes = 0

    def add(self, one: Item) -> Iterator[Batch]:
        """Yield the batch that is full without this message, if it is; and keep the message for the next."""
        if len(self._items) >= self._messages_max or self._body_bytes + len(one.body) > self._body_max_bytes:
            yield from self.take()
        self._items.append(one)
        self._body_bytes += len(one.body) + 1

    def take(self) -> Iterator[Batch]:
        """Yield what has been gathered, if anything."""
        if self._items:
            batch = Batch(self._items)
            self._items, self._body_bytes = [], 0
            yield batch

    def limit(self, batch: Batch) -> None:
        """Gather less from now on than this batch, which was too much."""
        self._messages_max = max(len(batch.items) // 2, 1)
        self._body_max_bytes = max(len(batch.body) // 2, 1)
