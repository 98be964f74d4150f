"""What there is to be published: an argument, or standard input, read no faster than it is sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from roomcast.cli.batches import Batch, Batcher, InputError, Item, Splitter, item

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

# Of a pipe, as much as is there; of a file, a batch.
READ_BYTES = 256 << 10
# More than any relay takes by default; a line or a whole input that is longer is a mistake.
MESSAGE_MAX_BYTES = 64 << 20


class Input:
    """The input, as batches of messages for one room.

    Args:
        room: The room's name.
        source: Where the input is, unless it is given as an argument.
        batcher: Gathers the messages of lines.
        is_binary: Whether messages are bytes, which need be no text.
        message_max_bytes: The longest message.
    """

    def __init__(
        self,
        room: str,
        source: BufferedReader[Any],
        batcher: Batcher,
        *,
        is_binary: bool,
        message_max_bytes: int = MESSAGE_MAX_BYTES,
    ) -> None:
        self.source = source
        self._room = room
        self._batcher = batcher
        self._is_binary = is_binary
        self._message_max_bytes = message_max_bytes

    def batches(self, text: str | None, *, is_whole: bool) -> Iterator[Batch]:
        """Yield what there is, as soon as it is there.

        Raises:
            InputError: If it cannot be sent as it is.
        """
        if text is not None:
            # As it was given: an argument may hold bytes that are no text.
            yield Batch([self._item(1, os.fsencode(text))])
        elif is_whole:
            yield Batch([self._item(1, self._whole())])
        else:
            yield from self._lines()

    def _whole(self) -> bytes:
        data = self.source.read(self._message_max_bytes + 1)
        if len(data) > self._message_max_bytes:
            raise InputError(f"the input is longer than {self._message_max_bytes:,} bytes")
        return data

    def _lines(self) -> Iterator[Batch]:
        splitter = Splitter(self._message_max_bytes)
        # Not gathered for longer than there is something to read: whoever writes one line wants it sent.
        while data := self._read():
            try:
                for number, line in splitter.receive(data):
                    yield from self._batcher.add(self._item(number, line))
            except InputError:
                # The lines before the one that cannot be sent can.
                yield from self._batcher.take()
                raise
            yield from self._batcher.take()
        if data is not None:
            for number, line in splitter.end():
                yield Batch([self._item(number, line)])

    def _read(self) -> bytes | None:
        """Return what there is; b"" at the end; None if Ctrl-C is the end, with all that was read sent."""
        try:
            return self.source.read1(READ_BYTES)
        except KeyboardInterrupt:
            return None

    def _item(self, number: int, data: bytes) -> Item:
        return item(self._room, number, data, is_binary=self._is_binary)
