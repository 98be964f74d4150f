"""Where we mean to differ from ``websockets``: each with the reason, and a stream that shows it.

The list is held to be true in both directions: a difference that it does not
cover fails the tests, and so does an entry whose stream makes none any more.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from roomcast.protocol.events import Close, Event
from roomcast.protocol.frames import CloseCode, Opcode
from tests.protocol.clients import frame

Said: TypeAlias = Event | int
"""An event, or the close code of the verdict that ends the connection."""


class Difference(NamedTuple):
    """One frame of which the two parsers say different things, having agreed on all before it."""

    frame: bytes
    ours: tuple[Said, ...]
    theirs: tuple[Said, ...]
    theirs_at_the_end: tuple[Said, ...]
    """What they say when the message, if there is one, ends here."""

    @property
    def is_control(self) -> bool:
        """Whether it is a CLOSE, a PING or a PONG."""
        return self.frame[0] & 0x0F >= Opcode.CLOSE

    @property
    def is_final(self) -> bool:
        """Whether it ends its message."""
        return bool(self.frame[0] & 0x80)

    @property
    def is_short(self) -> bool:
        """Whether its length is written as it should be: in as few bytes as there can be, and below 2**63."""
        form = self.frame[1] & 0x7F
        length, _ = length_of(self.frame)
        least = {126: 126, 127: 0x10000}.get(form, 0)
        return least <= length < 2**63


class Exemption(NamedTuple):
    """A kind of difference that is meant."""

    name: str
    reason: str
    applies: Callable[[Difference], bool]
    example: bytes
    message_max_bytes: int = 0


def length_of(header: bytes) -> tuple[int, int]:
    """Return what a frame's header says: the payload's length, and where it begins."""
    form = header[1] & 0x7F
    size = {126: 2, 127: 8}.get(form, 0)
    key_size = 4 if header[1] & 0x80 else 0
    return int.from_bytes(header[2 : 2 + size], "big") if size else form, 2 + size + key_size


_PROTOCOL_ERROR: Final = int(CloseCode.PROTOCOL_ERROR)
_NOT_UTF8: Final = int(CloseCode.NOT_UTF8)
_TOO_BIG: Final = int(CloseCode.TOO_BIG)

EXEMPTIONS: Final = (
    Exemption(
        "text is judged in each fragment",
        "RFC 6455 lets an endpoint fail a text at its first bad byte (8.1), and Autobahn's 6.4 asks for it; "
        "they look when the whole message is there, and until then keep what nobody will ever read",
        lambda it: it.ours == it.theirs_at_the_end == (_NOT_UTF8,) and not (it.theirs or it.is_control),
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
)
