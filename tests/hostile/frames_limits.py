"""Messages of RFC 6455 at the limits of their size and number, on both sides of each.

Rules: [limits] message_max_bytes, fragments_max, messages_per_s and bytes_per_s; RFC 6455, section 7.4.1.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import IMPATIENT, Case, Closed, Outcome, Stays
from tests.hostile.steps import join, join_elsewhere
from tests.wire import BINARY, CONTINUATION, TEXT, frame

MESSAGE_MAX_BYTES: Final = 65_536
FRAGMENTS_MAX: Final = 4096
"""The defaults. What may be sent in a second is 100 messages and 262,144 bytes; bursts of twice that pass."""

_TOO_BIG: Final = Closed(1009, "too_big", limit="message_max_bytes")


def _in_fragments(*sizes: int) -> bytes:
    """Return a text in pieces of these sizes."""
    last = len(sizes) - 1
    return b"".join(
        frame(CONTINUATION if number else TEXT, b"a" * size, is_final=number == last)
        for number, size in enumerate(sizes)
    )


def _cases() -> list[Case]:
    size, whole = "[limits] message_max_bytes", "a" * MESSAGE_MAX_BYTES
    binary = bytes(MESSAGE_MAX_BYTES)
    too_long = frame(TEXT, b"a" * (MESSAGE_MAX_BYTES + 1))
    return [
        _case("as many bytes as are allowed", frame(TEXT, whole.encode()), Stays((whole,)), size),
        _case("as many bytes as are allowed, binary", frame(BINARY, binary), Stays((binary,)), size),
        _case("a byte too many", too_long, _TOO_BIG, size),
        _case("a byte too many, and only its header", too_long[:14], _TOO_BIG, size),
        _case("as many bytes, in two frames", _in_fragments(40_000, 25_536), Stays((whole,)), size),
        _case("a byte too many, in two frames", _in_fragments(40_000, 25_537), _TOO_BIG, size),
        _case("a byte too many, in the header of a second", _in_fragments(65_536, 1)[:-1], _TOO_BIG, size),
        _case("a frame of 4 MiB", frame(BINARY, bytes(1 << 22)), _TOO_BIG, size),
        *_rates(),
    ]


def _rates() -> list[Case]:
    messages = Closed(1008, "rate limit=messages_per_s", limit="messages_per_s")
    sizes = Closed(1008, "rate limit=bytes_per_s", limit="bytes_per_s")
    full = frame(BINARY, bytes(MESSAGE_MAX_BYTES))
    return [
        _case("two hundred messages at once", frame(TEXT, b"a") * 200, Stays(("a",) * 200), "[limits] messages_per_s"),
        _elsewhere("a thousand messages at once", frame(TEXT, b"a") * 1000, messages, "[limits] messages_per_s"),
        _elsewhere("a thousand empty messages", frame(TEXT) * 1000, messages, "[limits] messages_per_s"),
        _case("eight large messages at once", full * 8, Stays((bytes(MESSAGE_MAX_BYTES),) * 8), "[limits] bytes_per_s"),
        _elsewhere("forty large messages at once", full * 40, sizes, "[limits] bytes_per_s"),
    ]


def _case(name: str, data: bytes, outcome: Outcome, rule: str) -> Case:
    return Case(name, (join, data), outcome, rule)


def _elsewhere(name: str, data: bytes, outcome: Outcome, rule: str) -> Case:
    return Case(name, (join_elsewhere, data), outcome, rule, IMPATIENT)


CASES: Final = _cases()
