"""Where we mean to differ from ``websockets``: each with the reason, and a stream that shows it.

The list is held to be true in both directions: a difference that it does not
cover fails the tests, and so does an entry whose stream makes none any more.
"""

import zlib
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from roomcast.protocol.events import Close, Event, Message
from roomcast.protocol.frames import CloseCode, Opcode, mask
from tests.protocol.clients import frame

Said: TypeAlias = Event | int
"""An event, or the close code of the verdict that ends the connection."""


class Difference(NamedTuple):
    """One frame of which the two parsers say different things, having agreed on all before it."""

    frames: tuple[bytes, ...]
    """Those of the message so far, with control frames between them. It is about the last."""
    ours: tuple[Said, ...]
    theirs: tuple[Said, ...]
    theirs_at_the_end: tuple[Said, ...]
    """What they say when the message, if there is one, ends here."""
    message_max_bytes: int = 0
    may_inflate: bool = False

    @property
    def frame(self) -> bytes:
        """The frame that it is about."""
        return self.frames[-1]

    @property
    def is_control(self) -> bool:
        """Whether it is a CLOSE, a PING or a PONG."""
        return self.frame[0] & 0x0F >= Opcode.CLOSE

    @property
    def is_short(self) -> bool:
        """Whether its length is written as it should be: in as few bytes as there can be, and below 2**63."""
        form = self.frame[1] & 0x7F
        length, _ = length_of(self.frame)
        least = {126: 126, 127: 0x10000}.get(form, 0)
        return least <= length < 2**63

    @property
    def is_compressed(self) -> bool:
        """Whether it belongs to a message that says it is compressed."""
        return self.may_inflate and bool(self.frames[0][0] & 0x40) and not self.is_control

    @property
    def has_final_block(self) -> bool:
        """Whether the message's deflate stream says before its end that it ends."""
        return self._inflated()[1]

    @property
    def is_too_big(self) -> bool:
        """Whether the message inflates to more than it may be."""
        return 0 < self.message_max_bytes < len(self._inflated()[0])

    def _inflated(self) -> tuple[bytes, bool]:
        """Return what has come of a compressed message, and whether its stream has ended."""
        deflated = b"".join(payload_of(one) for one in self.frames if one[0] & 0x0F < Opcode.CLOSE)
        stream = zlib.decompressobj(-15)
        try:
            return stream.decompress(deflated + b"\x00\x00\xff\xff"), stream.eof
        except zlib.error:
            return b"", False


class Exemption(NamedTuple):
    """A kind of difference that is meant."""

    name: str
    reason: str
    applies: Callable[[Difference], bool]
    example: bytes
    message_max_bytes: int = 0
    may_inflate: bool = False


def length_of(header: bytes) -> tuple[int, int]:
    """Return what a frame's header says: the payload's length, and where it begins."""
    form = header[1] & 0x7F
    size = {126: 2, 127: 8}.get(form, 0)
    key_size = 4 if header[1] & 0x80 else 0
    return int.from_bytes(header[2 : 2 + size], "big") if size else form, 2 + size + key_size


def payload_of(frame: bytes) -> bytes:
    """Return the unmasked payload of a whole frame."""
    length, start = length_of(frame)
    return mask(frame[start : start + length], frame[start - 4 : start])


def begins_message(frame: bytes) -> bool:
    """Whether this is a TEXT or a BINARY frame."""
    return Opcode.CONTINUATION < frame[0] & 0x0F < Opcode.CLOSE


def is_verdict(said: tuple[Said, ...]) -> bool:
    """Whether all that is said is that the connection ends."""
    return len(said) == 1 and isinstance(said[0], int)


_PROTOCOL_ERROR: Final = int(CloseCode.PROTOCOL_ERROR)
_NOT_UTF8: Final = int(CloseCode.NOT_UTF8)
_TOO_BIG: Final = int(CloseCode.TOO_BIG)

EXEMPTIONS: Final = (
    Exemption(
        "text is judged in each fragment",
        "RFC 6455 lets an endpoint fail a text at its first bad byte (8.1), and Autobahn's 6.4 asks for it; "
        "they look when the whole message is there, and until then keep what nobody will ever read",
        # What is compressed may have other faults as well, which they notice first.
        lambda it: (
            it.ours == (_NOT_UTF8,)
            and not (it.theirs or it.is_control)
            and (it.theirs_at_the_end == it.ours or (it.is_compressed and is_verdict(it.theirs_at_the_end)))
        ),
        frame(Opcode.TEXT, b"ok \xff", is_final=False),
    ),
    Exemption(
        "a length has one form",
        '"the minimal number of bytes MUST be used", and the highest bit of eight MUST be 0 (5.2); they read any form. '
        "What has two forms is read in two ways, by a proxy and by us",
        lambda it: it.ours == (_PROTOCOL_ERROR,) and it.theirs != it.ours and not it.is_short,
        bytes.fromhex("82fe0001 00000000 61"),
    ),
    Exemption(
        "a goodbye inside a message is a goodbye",
        "a CLOSE may stand between fragments (5.4), and is answered with its own code (5.5.1; Autobahn's 7.1.5); "
        "they call the message incomplete, and it a fault",
        lambda it: it.theirs == (_PROTOCOL_ERROR,) and len(it.ours) == 1 and isinstance(it.ours[0], Close),
        frame(Opcode.TEXT, b"unfinished", is_final=False) + frame(Opcode.CLOSE, b"\x03\xe8"),
    ),
    Exemption(
        "a control frame is no part of a message",
        "message_max_bytes bounds messages; a PING of 125 bytes may come between fragments however little of the "
        "message is left (5.5). They count it against what is left",
        lambda it: it.theirs == (_TOO_BIG,) and it.ours != it.theirs and it.is_control,
        frame(Opcode.TEXT, b"ab", is_final=False) + frame(Opcode.PING, bytes(125)),
        message_max_bytes=3,
    ),
    Exemption(
        "of two faults in one frame the first is told",
        "we judge from the left, they judge the length first and the rest when all is there: both refuse, "
        "with the code of what they looked at first",
        lambda it: it.ours == (_PROTOCOL_ERROR,) and it.theirs in ((_TOO_BIG,), (_NOT_UTF8,)),
        frame(Opcode.TEXT | 0x40, b"reserved bit, and too long"),
        message_max_bytes=3,
    ),
    Exemption(
        "a compressed message has no end before its end",
        "a block may say that it is the last, and more may follow (RFC 7692, 7.2.1 and 7.2.3.4); "
        "they drop what follows",
        lambda it: it.is_compressed and it.has_final_block,
        frame(Opcode.TEXT, bytes.fromhex("f348cdc9c90700 f248cdc9c90700"), is_compressed=True),
        may_inflate=True,
    ),
    Exemption(
        "a compressed message ends behind a block",
        "half a block says nothing that could be relied on; they take as much as can be inflated for the message",
        lambda it: (
            it.is_compressed
            and it.ours == (_PROTOCOL_ERROR,)
            and len(it.theirs) == 1
            and isinstance(it.theirs[0], Message)
        ),
        frame(Opcode.TEXT, bytes.fromhex("f248cd"), is_compressed=True),
        may_inflate=True,
    ),
    Exemption(
        "of a compressed message it counts what it inflates to",
        "what cannot be compressed becomes longer, by an eighth at most; they hold both lengths to the limit",
        lambda it: it.is_compressed and it.theirs == (_TOO_BIG,) and not is_verdict(it.ours),
        frame(Opcode.BINARY, bytes.fromhex("000500faff 48656c6c6f 00"), is_compressed=True),
        message_max_bytes=5,
        may_inflate=True,
    ),
    Exemption(
        "a limit that was reached still holds",
        "where nothing is left of the limit they ask zlib for at most 0 bytes, which to zlib is no limit",
        lambda it: it.is_compressed and it.is_too_big and it.ours == (_TOO_BIG,) and not is_verdict(it.theirs),
        frame(Opcode.TEXT, b"\x12", is_final=False, is_compressed=True)
        + frame(Opcode.CONTINUATION, b"\x08", is_final=False)
        + frame(Opcode.CONTINUATION),
        message_max_bytes=1,
        may_inflate=True,
    ),
    Exemption(
        "a compressed message is judged as it is inflated",
        "what stands in front of the bad byte is looked at first, as it would be if the message came in two pieces; "
        "they inflate a frame whole before they look at what it says",
        lambda it: it.is_compressed and is_verdict(it.ours) and is_verdict(it.theirs),
        frame(Opcode.TEXT, bytes.fromhex("000400fbff 6f6b20ff 07"), is_compressed=True),
        may_inflate=True,
    ),
)
