"""The WebSocket dialect that browsers spoke in 2010, "hixie-76".

It differs from RFC 6455 in two ways, and both live in this file:

* To prove that it understood the request, the server hashes two numbers hidden
  among the spaces of two headers, and eight raw bytes that follow the blank
  line. Those eight bytes are not announced by Content-Length.
* A text frame is its payload between a 0x00 and a 0xFF byte. There is no
  length, no opcode and no mask, so the end has to be searched for. Frames of
  other types exist on paper; they are read, bounded and discarded.

Bytes in, values out: nothing here reads a socket, a clock or a random source.

Source: draft-hixie-thewebsocketprotocol-76, published by the IETF as
draft-ietf-hybi-thewebsocketprotocol-00.
"""

from __future__ import annotations

import hashlib
from typing import Final

from roomcast.protocol import bearer
from roomcast.protocol.errors import FrameError, HandshakeError, HandshakeFault, broken_rule, over_limit
from roomcast.protocol.events import Close, Event, Failed, Message
from roomcast.protocol.frames import Opcode
from roomcast.protocol.rates import FrameRates
from roomcast.protocol.request import Request

KEY3_SIZE: Final = 8
"""The raw bytes that follow the blank line of a request."""

CLOSING: Final = b"\xff\x00"
"""The closing handshake, the same from both sides."""

_TEXT_TYPE: Final = 0x00
# Python 3.11 takes 100 ns to look a member up in its enum.
_TEXT: Final = Opcode.TEXT
_END: Final = b"\xff"
# From this type up a frame has a length in front, below it an end behind.
_FIRST_WITH_LENGTH: Final = 0x80
_CLOSING_TYPE: Final = 0xFF
# Seven bits each: as much as a length of RFC 6455 can say. Without a limit a
# peer could send zeros for ever that mean nothing and have to be kept.
_LENGTH_MAX_BYTES: Final = 9

# Four bytes of each key's quotient are hashed, so it has to fit into them.
_QUOTIENT_LIMIT: Final = 2**32
# More digits than this need more spaces than any head holds. They must not
# reach int(), which answers 4,301 of them with an error that is not ours.
_DIGITS_MAX: Final = 20


def check(request: Request) -> None:
    """Make sure that a request holds all that its answer is made of.

    Raises:
        HandshakeError: With status 400, if Host, Origin or a key is missing,
            a key hides no number, a subprotocol is not ASCII, or all of them are tokens.
    """
    for name in ("Host", "Origin", "Sec-WebSocket-Key1", "Sec-WebSocket-Key2"):
        if request.get(name.lower()) is None:
            raise HandshakeError(f"{name} is missing", fault=HandshakeFault.MISSING_HEADER_KEYS)
    _numbers(request.get("sec-websocket-key1") or "", request.get("sec-websocket-key2") or "")
    if not (request.get("sec-websocket-protocol") or "").isascii():
        # One of its words goes into our answer.
        raise HandshakeError("Sec-WebSocket-Protocol holds a byte beyond ASCII")
    bearer.answered(subprotocols(request))


def key_number(key: str, *, fault: HandshakeFault = HandshakeFault.BAD_FIRST_SECURITY_KEY) -> int:
    """Return the number that a key hides: its digits, divided by how many spaces it has.

    Zero is a number, whatever some servers of 2011 thought.

    Args:
        key: The header's value, exactly as received: its spaces count.
        fault: Which key it is, for the error.

    Raises:
        HandshakeError: With status 400, if there is no digit, no space, a
            remainder, or a quotient of 2**32 or more.
    """
    spaces = key.count(" ")
    # Not str.isdigit(), for which "²" is one too. Leading zeros are legal.
    digits = "".join(character for character in key if character in "0123456789")
    if not spaces or not digits:
        raise HandshakeError(f"security key with {spaces} spaces and {len(digits)} digits: it needs both", fault=fault)
    significant = digits.lstrip("0") or "0"
    if len(significant) > _DIGITS_MAX:
        raise HandshakeError(f"security key with {len(significant)} digits: too large a number", fault=fault)
    number, remainder = divmod(int(significant), spaces)
    if remainder:
        raise HandshakeError(f"security key: {significant} does not divide by its {spaces} spaces", fault=fault)
    if number >= _QUOTIENT_LIMIT:
        raise HandshakeError(f"security key: {significant} / {spaces} spaces does not fit into 4 bytes", fault=fault)
    return number


def challenge_response(key1: str, key2: str, key3: bytes) -> bytes:
    """Return the 16 bytes that prove we read the client's handshake.

    Args:
        key1: ``Sec-WebSocket-Key1``, exactly as received: its spaces count.
        key2: ``Sec-WebSocket-Key2``, likewise.
        key3: The ``KEY3_SIZE`` bytes that follow the blank line.

    Raises:
        HandshakeError: With status 400, if a key holds no space, or its
            digits do not divide evenly by its number of spaces.
        ValueError: If key3 is not all there.
    """
    if len(key3) != KEY3_SIZE:
        raise ValueError(f"key3 is {len(key3)} bytes, not {KEY3_SIZE}")
    number1, number2 = _numbers(key1, key2)
    challenge = number1.to_bytes(4, "big") + number2.to_bytes(4, "big") + key3
    return hashlib.md5(challenge, usedforsecurity=False).digest()


def _numbers(key1: str, key2: str) -> tuple[int, int]:
    return key_number(key1), key_number(key2, fault=HandshakeFault.BAD_SECOND_SECURITY_KEY)


def accept(request: Request, *, is_secure: bool = False) -> bytes:
    """Return the head of the 101; ``challenge_response`` goes out behind it.

    The client compares every line with what it expects, letter by letter. So a
    subprotocol, the first that was asked for and is no token, is named if and only
    if one was.

    Args:
        request: A request that passed ``check``.
        is_secure: Whether the client spoke TLS, to us or to a trusted proxy.
    """
    scheme = "wss" if is_secure else "ws"
    lines = [
        "HTTP/1.1 101 WebSocket Protocol Handshake",
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Origin: {request.origin}",
        f"Sec-WebSocket-Location: {scheme}://{request.host}{request.target}",
    ]
    if (answered := bearer.answered(subprotocols(request))) is not None:
        lines.append(f"Sec-WebSocket-Protocol: {answered}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def subprotocols(request: Request) -> list[str]:
    """Return the subprotocols that are asked for, in their order."""
    # "… subprotocols, separated by spaces": the comma came with RFC 6455.
    return (request.get("sec-websocket-protocol") or "").split()


def encode(payload: bytes) -> bytes:
    """Return one text frame.

    Raises:
        ValueError: If the payload holds a 0xFF byte, which UTF-8 never does:
            it would end the frame, and start another with what follows.
    """
    if _END in payload:
        raise ValueError(f"payload holds 0xFF at byte {payload.index(_END)}, where a text frame would end")
    return b"\x00" + payload + _END


class Decoder:
    """Turns what a client sends into events, however its bytes are cut.

    Faults come out as a last event, ``Failed``, behind all that came before
    them.

    Args:
        message_max_bytes: The longest payload of a frame, of those that are
            discarded too; 0: any.
        frame_counts: Sixteen counters by opcode, usually shared between
            connections. Text counts as TEXT, ``FF 00`` as CLOSE, and all that
            is discarded as BINARY.
        rates: How often frames may come that are discarded; None: any.
    """

    __slots__ = (
        "_even_s",
        "_frame_counts",
        "_held",
        "_incoming",
        "_message_max_bytes",
        "_rates",
        "_skip_bytes",
        "is_over",
    )

    def __init__(self, *, message_max_bytes: int, frame_counts: list[int], rates: FrameRates | None = None) -> None:
        self._message_max_bytes = message_max_bytes
        self._frame_counts = frame_counts
        self._rates = rates
        self._even_s: float = 0
        self.is_over = False
        """Whether the last event has been a ``Close`` or a ``Failed``: feed it nothing more."""
        # The type and the length of a frame, of which the end has not come.
        self._held = b""
        # What is left of a frame with a length. Nothing of it is kept.
        self._skip_bytes = 0
        # Most members are silent most of the time, and hold none.
        self._incoming: _Incoming | None = None

    def receive(self, data: bytes) -> list[Event]:
        """Return what these bytes, after all those before, complete."""
        if self._held:
            data, self._held = self._held + data, b""
        events: list[Event] = []
        position = 0
        try:
            while position < len(data):
                position = self._frame(data, position, events)
        except FrameError as error:
            events.append(Failed(error))
            self.is_over = True
        return events

    def _frame(self, data: bytes, start: int, events: list[Event]) -> int:
        """Read on by one frame, or by as much of it as is here; return how far that was."""
        if self._incoming is not None:
            return self._until_end(self._incoming, data, start, events)
        if self._skip_bytes:
            return self._skip(data, start)
        if data[start] < _FIRST_WITH_LENGTH:
            return self._until_end(_Incoming(is_text=data[start] == _TEXT_TYPE), data, start + 1, events)
        return self._with_length(data, start, events)

    def _until_end(self, incoming: _Incoming, data: bytes, start: int, events: list[Event]) -> int:
        # Only what is new is searched. A peer that drips one byte at a time
        # would otherwise make us look at all the others again for each.
        found = data.find(_END, start)
        end = len(data) if found < 0 else found
        incoming.size += end - start
        self._admit(incoming.size)
        if incoming.is_text:
            incoming.payload += data[start:end]
        if found < 0:
            self._incoming = incoming
            return end
        self._incoming = None
        self._finish(incoming, events)
        return end + 1

    def _finish(self, incoming: _Incoming, events: list[Event]) -> None:
        if not incoming.is_text:
            self._discard()
            return
        payload = _repaired(bytes(incoming.payload))
        # Again, because each bad byte has become three.
        self._admit(len(payload))
        self._frame_counts[_TEXT] += 1
        events.append(Message(_TEXT, payload))

    def _with_length(self, data: bytes, start: int, events: list[Event]) -> int:
        """Read the head of a frame that says its length: the goodbye, or one to skip."""
        head = _read_length(data, start + 1)
        if head is None:
            self._held = data[start:]
            return len(data)
        length, end = head
        if data[start] == _CLOSING_TYPE and not length:
            self._frame_counts[Opcode.CLOSE] += 1
            events.append(Close(None, ""))
            self.is_over = True
            return len(data)
        self._admit(length)
        self._discard()
        self._skip_bytes = length
        return end

    def _discard(self) -> None:
        """Count a frame that means nothing to us. It costs what a ping costs, and shares its limit."""
        self._frame_counts[Opcode.BINARY] += 1
        if self._rates is not None:
            self._even_s = self._rates.control(self._even_s)

    def _skip(self, data: bytes, start: int) -> int:
        skipped = min(self._skip_bytes, len(data) - start)
        self._skip_bytes -= skipped
        return start + skipped

    def _admit(self, size: int) -> None:
        """Refuse a frame as soon as it is known to be too long, not when its end arrives."""
        if 0 < self._message_max_bytes < size:
            raise over_limit(f"a frame longer than message_max_bytes = {self._message_max_bytes}", "message_max_bytes")


class _Incoming:
    """A frame whose 0xFF has not come. Only text is kept, of others the size."""

    __slots__ = ("is_text", "payload", "size")

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self.size = 0
        self.payload = bytearray()


def _read_length(data: bytes, start: int) -> tuple[int, int] | None:
    """Return a length and where it ends, or None while its last byte is not here.

    Each byte holds seven bits, the highest says that another follows.
    """
    length = 0
    for position in range(start, min(len(data), start + _LENGTH_MAX_BYTES)):
        length = length << 7 | data[position] & 0x7F
        if data[position] < 0x80:
            return length, position + 1
    if len(data) - start >= _LENGTH_MAX_BYTES:
        raise broken_rule(f"a length of more than {_LENGTH_MAX_BYTES} bytes")
    return None


def _repaired(text: bytes) -> bytes:
    """Return valid UTF-8: U+FFFD stands for what is not, as a browser would show it."""
    if text.isascii():
        return text
    return text.decode("utf-8", "replace").encode()
