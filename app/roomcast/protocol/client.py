"""The client's side of RFC 6455, as far as one needs it who says a short text and hears it again.

It offers no compression and no subprotocol, and knows the frames of a server that
never fragments. What is longer than 125 bytes, or no text, is not read.

Bytes in, values out: key and mask are arguments, for they come from dice.

Source: RFC 6455; the numbers in comments are its sections.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from roomcast.protocol.frames import CONTROL_PAYLOAD_MAX_BYTES, Opcode, mask
from roomcast.protocol.header import FINAL, MASKED
from roomcast.protocol.upgrade import accept_token

KEY_BYTES: Final = 16
MASK_BYTES: Final = 4
_END_OF_HEAD: Final = b"\r\n\r\n"
_ACCEPT: Final = b"sec-websocket-accept"


def request(path: str, host: str, key: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the request that asks for a WebSocket.

    Args:
        path: As it stands in a request.
        host: The value of ``Host``.
        key: ``KEY_BYTES`` bytes that nobody could know before (4.1).
        headers: To be sent beside those that it takes.
    """
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_spelled(key)}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def head_length(received: bytes) -> int | None:
    """Return how long the head of the answer is, None while its end has not come."""
    end = received.find(_END_OF_HEAD)
    return None if end < 0 else end + len(_END_OF_HEAD)


def status_of(head: bytes) -> int | None:
    """Return the status of an answer, None where this is no answer of HTTP/1.1."""
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    is_answer = len(words) > 1 and words[0] == b"HTTP/1.1" and len(words[1]) == len("101") and words[1].isdigit()
    return int(words[1]) if is_answer else None


def is_accepted(head: bytes, key: bytes) -> bool:
    """Tell whether an answer proves that this key was read, and not just any (4.1)."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == _ACCEPT:
            return value.strip() == accept_token(_spelled(key)).encode()
    return False


def encode(opcode: Opcode, payload: bytes, key: bytes) -> bytes:
    """Return a frame of at most 125 bytes, masked with ``MASK_BYTES`` bytes, as a client's must be (5.3).

    Raises:
        ValueError: If it is longer.
    """
    if len(payload) > CONTROL_PAYLOAD_MAX_BYTES:
        raise ValueError(f"a frame of {len(payload)} bytes: here one has {CONTROL_PAYLOAD_MAX_BYTES} at most")
    return bytes((FINAL | opcode, MASKED | len(payload))) + key + mask(payload, key)


def read_text(received: bytes) -> tuple[bytes, int] | None:
    """Return the text of the first frame and the frame's length, or None while it is not all here.

    Raises:
        ValueError: If it is anything but a short, unmasked text in one frame.
    """
    if len(received) < 2:
        return None
    first, size = received[0], received[1]
    if first != FINAL | Opcode.TEXT or size > CONTROL_PAYLOAD_MAX_BYTES:
        raise ValueError(f"a frame starts with 0x{first:02X} 0x{size:02X}, which is no short text")
    end = 2 + size
    return None if len(received) < end else (received[2:end], end)


def _spelled(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")
