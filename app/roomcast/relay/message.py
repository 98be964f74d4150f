"""One publication, and the cache of what it looks like on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from roomcast.relay.author import Author, Person

# What a message costs beside its payload: the object, its offset, its place in
# the log, the encoded copy's own header. Counted, because a room full of
# one-byte messages would otherwise hold a hundred times what it admits to.
OVERHEAD_BYTES = 256


class Kind(IntEnum):
    """What a message carries. Both dialects know text, one knows binary."""

    TEXT = 1
    BINARY = 2


class WireFormat(Protocol):
    """How the members of one cohort want their messages.

    The relay knows no wire format: the transport hands it such objects and is
    told, in plain integers, what became of the frames that they made.
    """

    frames_sent: list[int]
    """How many frames the kernel took, by ``Kind``."""
    sent_bytes: int
    """How many bytes the kernel took of bursts. Tails and control frames are the member's to count."""

    def encode(self, message: Message) -> bytes | None:
        """Return the whole frame, or None where the format cannot carry this kind."""

    def announce(self, come: Sequence[Person], gone: Sequence[Person], members: int) -> Sequence[bytes]:
        """Return the frames that tell its members who has come and gone; none where they cannot be told."""


class Message:
    """What a room carries: text or binary, with its place in the room's order.

    The payload of a text message is UTF-8; whoever publishes has checked it.
    The sender is whoever it came from, or None for one that came in by another
    door. ``published_s`` is the
    time of its publication, in seconds since 1970.
    """

    __slots__ = (
        "_format",
        "_frame",
        "_others",
        "end_bytes",
        "kind",
        "offset",
        "payload",
        "published_s",
        "room",
        "sender",
        "size_bytes",
    )

    end_bytes: int
    """The log's: the size of all that was ever appended to it, up to this message."""

    def __init__(
        self, room: str, offset: int, kind: Kind, payload: bytes, sender: Author | None, published_s: float
    ) -> None:
        self.room = room
        self.offset = offset
        self.kind = kind
        self.payload = payload
        self.sender = sender
        self.published_s = published_s
        self.size_bytes = len(payload) + OVERHEAD_BYTES
        # Nearly every room speaks one format. The first one asked for has a
        # slot of its own, so that a dict is made only where there is a second.
        self._format: WireFormat | None = None
        self._frame: bytes | None = None
        self._others: dict[WireFormat, bytes | None] | None = None

    def frame(self, wire_format: WireFormat) -> bytes | None:
        """Return this message as one frame of ``wire_format``, encoded at most once.

        None means that the format cannot carry it.
        """
        if wire_format is self._format:
            return self._frame
        if self._format is None:
            self._format = wire_format
            self._frame = wire_format.encode(self)
            return self._frame
        if self._others is None:
            self._others = {}
        if wire_format not in self._others:
            self._others[wire_format] = wire_format.encode(self)
        return self._others[wire_format]

    def has_frame(self, wire_format: WireFormat) -> bool:
        """Whether it was encoded in this format already."""
        return wire_format is self._format or (self._others is not None and wire_format in self._others)

    @property
    def frame_bytes(self) -> int:
        """The size of all frames that were made of it so far. No part of ``size_bytes``, which cannot know them."""
        size = 0 if self._frame is None else len(self._frame)
        if self._others is None:
            return size
        return size + sum([len(frame) for frame in self._others.values() if frame is not None])
