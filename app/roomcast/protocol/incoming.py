"""A message of which the last byte has not come: kept, and checked, piece by piece.

Source: RFC 6455, sections 5.4 and 8.1.
"""

from __future__ import annotations

from codecs import utf_8_decode

from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import CloseCode, Opcode, mask


class Incoming:
    """What has come of one message, and the frame it is in."""

    __slots__ = ("fragments", "is_final", "key", "length", "opcode", "payload", "taken", "unchecked")

    def __init__(self, opcode: Opcode) -> None:
        self.opcode = opcode
        self.fragments = 0
        # One buffer that grows, not a list of pieces: a peer that sends two
        # bytes a segment would cost forty for each of them as objects.
        self.payload = bytearray()
        # At the end of what has come there may be the beginning of a
        # character, three bytes at the most, which nobody can judge yet.
        self.unchecked = b""

    def begin_frame(self, length: int, key: bytes, *, is_final: bool) -> None:
        """Note what the next frame's header says, now that it has been admitted."""
        self.fragments += 1
        self.length = length
        self.taken = 0
        self.key = key
        self.is_final = is_final

    @property
    def remaining(self) -> int:
        """How many bytes the frame still owes; 0 between frames."""
        return self.length - self.taken

    def take(self, masked: bytes) -> None:
        """Unmask the next piece, check it if it is text, keep it."""
        piece = mask(masked, self.key, self.taken)
        self.taken += len(piece)
        if self.opcode is Opcode.TEXT:
            self._check(piece)
        self.payload += piece

    def _check(self, piece: bytes) -> None:
        if piece.isascii() and not self.unchecked:
            return
        text = self.unchecked + piece
        is_end = self.is_final and not self.remaining
        checked = check_utf8(text, len(self.payload) - len(self.unchecked), is_end=is_end)
        self.unchecked = text[checked:]


def check_utf8(text: bytes, offset: int = 0, *, is_end: bool = True) -> int:
    """Return how many bytes are whole characters; all of them, where ``is_end``.

    Args:
        text: What is to be checked, from the beginning of a character.
        offset: Where in the message it stands, for the error.
        is_end: Whether the message ends here, and its last character too.

    Raises:
        FrameError: With 1007, as soon as there is a byte that none behind it
            can make good: the second of F4 90, without waiting for two more.
    """
    try:
        checked = utf_8_decode(text, "strict", is_end)[1]
    except UnicodeDecodeError as error:
        position, cause = error.start, error.reason
    else:
        # One thing the codec puts off until the third byte: surrogates, which
        # a caller may want to let pass. They begin with ED A0 to ED BF.
        if not b"\xed\xa0" <= text[checked : checked + 2] < b"\xee":
            return checked
        position, cause = checked, "invalid continuation byte"
    # Raised out here because the codec's error holds the payload, and would
    # go wherever this one goes.
    raise FrameError(f"text is not UTF-8 at byte {offset + position}: {cause}", CloseCode.NOT_UTF8)
