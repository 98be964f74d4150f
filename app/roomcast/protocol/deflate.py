"""Compression of messages by permessage-deflate: agree on it, inflate what comes, deflate what goes.

Both sides are always held to ``no_context_takeover``: each message is compressed
as if it were the only one. That costs a little of the ratio, and buys all that
matters to a relay:

* A message is deflated once, and the same bytes serve every member that agreed
  to the same window.
* An idle connection holds no state of zlib's. A window each would be 40 KiB to
  inflate and 260 KiB to deflate.
* What two senders said never shares a window. Otherwise the length of a message
  would tell its sender how much it has in common with somebody else's, which is
  how CRIME and BREACH read secrets through encryption.

A kilobyte can inflate to a megabyte. So nothing is inflated beyond what a
message may be, and what one segment may make us inflate at a time is bounded by
the decoder.

Source: RFC 7692; the numbers in comments are its sections. RFC 6455, 9.1, has
the grammar of the header.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from roomcast.protocol.errors import FrameError, HandshakeError, broken_rule, over_limit
from roomcast.protocol.frames import CloseCode

WINDOW_BITS_MAX: Final = 15
WINDOW_BITS_MIN: Final = 9
"""RFC 7692 knows windows of 2**8 bytes too; zlib makes none so small in raw deflate."""

FINAL_BLOCKS_MAX: Final = 64
"""How many blocks of one message may say that they are the last.

They may stand anywhere (7.2.1), and zlib has to begin anew behind each, which
takes it as long as inflating a kilobyte. Nobody known sends more than one.
"""

STREAM_COST_BYTES: Final = 1024
"""What it costs to begin a stream, in inflated bytes that take as long."""

_NAME: Final = "permessage-deflate"
_WINDOWS: Final = frozenset(map(str, range(WINDOW_BITS_MIN, WINDOW_BITS_MAX + 1)))
# By parameter, the values with which an offer can be taken. "… no leading zeros" (7.1.2).
_ACCEPTABLE: Final[dict[str, frozenset[str | None]]] = {
    "server_no_context_takeover": frozenset((None,)),
    "client_no_context_takeover": frozenset((None,)),
    "server_max_window_bits": _WINDOWS,
    "client_max_window_bits": _WINDOWS | {"8", None},
}

# The grammar of RFC 6455, 9.1, with the blanks and the empty members that it
# inherits from RFC 2616, of which one must not be empty. "When using the
# quoted-string syntax variant, the value after quoted-string unescaping MUST
# conform to the 'token' ABNF", so no comma or semicolon can hide in one. Each
# repetition is possessive (the second +): a head of 16 KiB of blanks would
# otherwise be tried in every division.
_TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_PARAMETER: Final = rf'{_TCHAR}++(?:[ \t]*+=[ \t]*+(?:{_TCHAR}++|"(?:\\?{_TCHAR})++"))?+'
_EXTENSION: Final = rf"{_TCHAR}++(?:[ \t]*+;[ \t]*+{_PARAMETER})*+[ \t]*+"
_HEADER: Final = re.compile(rf"[ \t,]*+{_EXTENSION}(?:,[ \t]*+(?:{_EXTENSION})?+)*+")

# "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload" (7.2.2),
# which the sender left out: the end of an empty block, behind which a byte begins.
_TAIL: Final = b"\x00\x00\xff\xff"
# An empty block that says it is the last. Only between two blocks does it end a stream.
_LAST_BLOCK: Final = b"\x03\x00"
_WINDOW_MAX_BYTES: Final = 1 << WINDOW_BITS_MAX
# How much is inflated in one call. It is looked at, as text and for its length,
# before memory is spent on more.
_PIECE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a client offered and we take.

    Attributes:
        window_bits: How far back what we send may refer, as a power of two.
        is_window_named: Whether the client named a window: an answer to that has to name it, too.
    """

    window_bits: int = WINDOW_BITS_MAX
    is_window_named: bool = False

    @property
    def header(self) -> str:
        """The value of ``Sec-WebSocket-Extensions`` in the 101.

        ``client_no_context_takeover`` may be demanded of a client that did not
        offer it (7.1.1.2). Its window is left to it: we can inflate any.
        """
        window = f"; server_max_window_bits={self.window_bits}" if self.is_window_named else ""
        return f"{_NAME}; server_no_context_takeover; client_no_context_takeover{window}"


def negotiate(headers: list[str]) -> Agreement | None:
    """Return what is agreed on, or None if no offer of this extension can be taken.

    Args:
        headers: Every ``Sec-WebSocket-Extensions`` of the request, in order; the
            client's offers, the one that it likes best first.

    Raises:
        HandshakeError: With status 400, if there is the header and it is no list of extensions.
    """
    header = ",".join(headers)
    if headers and not _HEADER.fullmatch(header):
        # "… the recipient MUST immediately Fail the WebSocket Connection" (RFC 6455, 9.1).
        raise HandshakeError("Sec-WebSocket-Extensions is not a list of names with parameters")
    for offer in header.split(","):
        name, *parameters = offer.split(";")
        if name.strip() == _NAME and (agreement := _agree(parameters)) is not None:
            return agreement
    return None


def _agree(parameters: list[str]) -> Agreement | None:
    """Take an offer, or decline it: for a name that is unknown or there twice, or a value that is not allowed (7.1)."""
    values: dict[str, str | None] = {}
    for parameter in parameters:
        name, equals, spelled = (part.strip() for part in parameter.partition("="))
        # A value is a token, which has no quotes and no backslashes: they are its quoting.
        value = spelled.replace('"', "").replace("\\", "") if equals else None
        if name in values or value not in _ACCEPTABLE.get(name, ()):
            return None
        values[name] = value
    window = values.get("server_max_window_bits")
    return Agreement() if window is None else Agreement(int(window), is_window_named=True)


def deflated_max_bytes(message_max_bytes: int, frames: int) -> int:
    """Return how long a message may be as it is sent, if so long is what it may inflate to.

    The worst that any compressor makes of n bytes is an eighth more (codes of
    nine bits), and a 64th for the heads of its blocks. Beside that each frame
    may have been flushed by itself, in at most 16 bytes.
    """
    return message_max_bytes + (message_max_bytes >> 3) + (message_max_bytes >> 6) + 16 * frames


class Inflater:
    """The stream of one compressed message: made when it begins, dropped when it ends.

    Args:
        message: What has been inflated so far. The caller appends each piece to
            it before it asks for the next.
        message_max_bytes: What that may come to; 0: anything.
    """

    __slots__ = ("_message", "_message_max_bytes", "_stream", "streams")

    def __init__(self, message: bytearray, message_max_bytes: int) -> None:
        self._message = message
        self._message_max_bytes = message_max_bytes
        # A window of this size inflates what was made with any smaller one.
        self._stream = zlib.decompressobj(-WINDOW_BITS_MAX)
        self.streams = 1
        """How many were begun: one, and one behind each final block."""

    def inflate(self, deflated: bytes, *, is_end: bool) -> Iterator[bytes]:
        """Yield what the next bytes come to, in pieces.

        Args:
            deflated: The next bytes of the message, unmasked.
            is_end: Whether they are its last.

        Raises:
            FrameError: With 1009 if it is more than the message may be, before
                memory is spent on it. With 1002 if it is not deflate, or ends
                inside of a block: 1007 would say that a message is not what
                its type says, and this one cannot even be read.
        """
        yield from self._pieces(deflated + _TAIL if is_end else deflated)
        if is_end and not self._is_between_blocks():
            raise broken_rule("a compressed message that ends inside of a block")

    def _pieces(self, deflated: bytes) -> Iterator[bytes]:
        piece, wanted = b"", 0
        # A piece of full size may not be all that zlib has: it can hold back the end of a repetition.
        while deflated or (len(piece) == wanted > 0 and not self._stream.eof):
            if self._stream.eof:
                self._begin_anew()
            wanted = self._wanted_bytes()
            before = self._stream.copy()
            try:
                piece = self._stream.decompress(deflated, wanted)
            except zlib.error:
                if len(deflated) <= 1:
                    raise broken_rule(f"compressed data is not deflate, at byte {len(self._message)}") from None
                # What came out of the bytes in front of the bad one is lost, and might
                # hold an earlier fault. So the bad one is searched for, by halves: what
                # is wrong with a message must not depend on how its bytes were cut.
                self._stream = before
                half = len(deflated) // 2
                yield from self._pieces(deflated[:half])
                deflated = deflated[half:]
                continue
            yield piece
            # Now, not before the next: behind a final block there may be none for a while.
            self._check_size()
            deflated = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def _wanted_bytes(self) -> int:
        """Return how much to inflate next: up to one byte more than there may be, to learn whether there is more."""
        if not self._message_max_bytes:
            return _PIECE_BYTES
        return min(_PIECE_BYTES, self._message_max_bytes - len(self._message) + 1)

    def _check_size(self) -> None:
        if 0 < self._message_max_bytes < len(self._message):
            text = f"a message that inflates to more than message_max_bytes = {self._message_max_bytes}"
            raise over_limit(text, "message_max_bytes")

    def _begin_anew(self) -> None:
        """Go on behind a block that said it was the last: with the same window, and where a byte begins (7.2.1)."""
        if self.streams > FINAL_BLOCKS_MAX:
            raise FrameError(f"a compressed message of more than {FINAL_BLOCKS_MAX} final blocks", CloseCode.TOO_BIG)
        self.streams += 1
        self._stream = zlib.decompressobj(-WINDOW_BITS_MAX, zdict=bytes(self._message[-_WINDOW_MAX_BYTES:]))

    def _is_between_blocks(self) -> bool:
        """Tell whether the stream could end here. zlib does not say; but only here would a last block end it."""
        if self._stream.eof:
            return True
        try:
            return self._stream.decompress(_LAST_BLOCK, 1) == b"" and self._stream.eof
        except zlib.error:
            return False


class Deflater:
    """Deflates messages of all connections that agreed to one window, each message as if it were the only one.

    Args:
        window_bits: How far back it may refer, as a power of two: 9 to 15.
        level: zlib's, from 1, the fastest, to 9, the smallest.
    """

    __slots__ = ("_level", "_stream", "_window_bits")

    def __init__(self, window_bits: int, level: int) -> None:
        self._window_bits = window_bits
        self._level = level
        self._stream: zlib._Compress | None = None

    def deflate(self, payload: bytes) -> bytes:
        """Return a message as it goes into a frame: any client can inflate it without those before.

        It does not have to be shorter. An empty one must not be given.
        """
        stream = self._stream or self._begin()
        # If this raises, half a message is in there, and would come out in front of somebody else's.
        self._stream = None
        # A full flush forgets what came before it, so one stream serves all messages and none refers to
        # another. A new one for each would allocate and clear 260 KiB, which takes longer than a short message.
        deflated = stream.compress(payload) + stream.flush(zlib.Z_FULL_FLUSH)
        self._stream = stream
        # "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end" (7.2.1).
        return deflated[: -len(_TAIL)]

    def _begin(self) -> zlib._Compress:
        # zlib moves its whole hash table each time that it has filled its window.
        # With the usual memory level, 8, and the smallest window that doubles
        # or trebles the time; with one much lower, blocks are short and their
        # heads take more than is saved.
        memory_level = min(self._window_bits - 5, 8)
        return zlib.compressobj(self._level, zlib.DEFLATED, -self._window_bits, memory_level)
