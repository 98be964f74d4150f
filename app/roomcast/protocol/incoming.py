"""A message of which the last byte has not come: inflated where it is compressed, checked, and kept, piece by piece.

Source: RFC 6455, sections 5.4 and 8.1.
"""

from __future__ import annotations

from codecs import utf_8_decode

from roomcast.protocol.deflate import Inflater, deflated_max_bytes
from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import CloseCode, Opcode, mask


class Incoming:
    """What has come of one message, and the frame it is in.

    Args:
        opcode: What it is.
        is_compressed: Whether its frames hold what permessage-deflate made of it.
        message_max_bytes: What it may inflate to; 0: anything. The lengths of
            its frames are for the decoder to judge.
    """

    __slots__ = (
        "fragments",
        "inflater",
        "is_final",
        "key",
        "length",
        "opcode",
        "payload",
        "received_bytes",
        "taken",
        "unchecked",
    )

    def __init__(self, opcode: Opcode, *, is_compressed: bool = False, message_max_bytes: int = 0) -> None:
        self.opcode = opcode
        self.fragments = 0
        # As its frames are, compressed or not; with all that they still owe.
        self.received_bytes = 0
        # One buffer that grows, not a list of pieces: a peer that sends two
        # bytes a segment would cost forty for each of them as objects.
        self.payload = bytearray()
        self.inflater = Inflater(self.payload, message_max_bytes) if is_compressed else None
        # At the end of what has come there may be the beginning of a
        # character, three bytes at the most, which nobody can judge yet.
        self.unchecked = b""

    def begin_frame(self, length: int, key: bytes, *, is_final: bool) -> None:
        """Note what the next frame's header says, now that it has been admitted."""
        self.fragments += 1
        self.received_bytes += length
        self.length = length
        self.taken = 0
        self.key = key
        self.is_final = is_final

    @property
    def remaining(self) -> int:
        """How many bytes the frame still owes; 0 between frames."""
        return self.length - self.taken

    @property
    def padded_bytes(self) -> int:
        """How long it was before it was inflated, if no compressor makes so much of it; else 0.

        A message of nothing but tables of codes is 60 KiB that take 6 ms, and inflates to nothing.
        """
        if self.inflater is None or self.received_bytes <= deflated_max_bytes(len(self.payload), self.fragments):
            return 0
        return self.received_bytes

    def take(self, masked: bytes) -> None:
        """Unmask the next piece, inflate it if it is compressed, check it if it is text, keep it."""
        piece = mask(masked, self.key, self.taken)
        self.taken += len(piece)
        is_end = self.is_final and not self.remaining
        if self.inflater is None:
            self._keep(piece, is_end=is_end)
            return
        for inflated in self.inflater.inflate(piece, is_end=is_end):
            self._keep(inflated, is_end=False)
        if is_end:
            # Which of the pieces is the last, nobody knows before.
            self._keep(b"", is_end=True)

    def _keep(self, piece: bytes, *, is_end: bool) -> None:
        if self.opcode is Opcode.TEXT:
            self._check(piece, is_end=is_end)
        self.payload += piece

    def _check(self, piece: bytes, *, is_end: bool) -> None:
        if piece.isascii() and not self.unchecked:
            return
        text = self.unchecked + piece
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
