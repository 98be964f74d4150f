"""Messages of RFC 6455 at the limits of their size and number, on both sides of each.

Floods of frames that bring no message are here too: pings, pongs, and fragments
with nothing in them, each of which costs its sender six bytes.

Rules: the limits that each case names, and RFC 6455, section 7.4.1.
"""

from __future__ import annotations

from typing import Final

from tests.hostile.cases import Case, Outcome
from tests.hostile.outcomes import Closed, ClosedHixie76, Stays
from tests.hostile.steps import join, join_elsewhere, join_hixie76, join_hixie76_elsewhere
from tests.wire import BINARY, CONTINUATION, PING, PONG, TEXT, frame

MESSAGE_MAX_BYTES: Final = 65_536
FRAGMENTS_MAX: Final = 4096
"""The defaults. What may be sent in a second is 100 messages and 262,144 bytes; bursts of twice that pass."""

_TOO_BIG: Final = Closed(1009, "too_big", limit="message_max_bytes")
_TOO_MANY: Final = Closed(1009, "too_big", limit="fragments_max")


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
        _case("a frame of 2 MiB", frame(BINARY, bytes(1 << 21)), _TOO_BIG, size),
        *_fragments(),
        *_rates(),
        *_control_frames(),
    ]


def _fragments() -> list[Case]:
    count, rate = "[limits] fragments_max", "[limits] fragments_per_s"
    too_often = Closed(1008, "rate limit=fragments_per_s", limit="fragments_per_s")
    in_forty = _in_fragments(*[1] * 40)
    return [
        _case(
            "as many fragments as are allowed",
            _in_fragments(*[1] * FRAGMENTS_MAX),
            Stays(("a" * FRAGMENTS_MAX,)),
            count,
        ),
        _case("a fragment too many", _in_fragments(*[1] * (FRAGMENTS_MAX + 1)), _TOO_MANY, count),
        _case("as many empty fragments as are allowed", _in_fragments(*[0] * FRAGMENTS_MAX), Stays(("",)), count),
        _case("an empty fragment too many", _in_fragments(*[0] * (FRAGMENTS_MAX + 1)), _TOO_MANY, count),
        _case("empty fragments without an end", _in_fragments(*[0] * 50_000), _TOO_MANY, count),
        _elsewhere("messages in forty fragments each", in_forty * 190, too_often, rate),
    ]


def _control_frames() -> list[Case]:
    """Return floods of what brings no message; a hundred at once pass."""
    rule = "[limits] control_frames_per_s"
    rate = Closed(1008, "rate limit=control_frames_per_s", limit="control_frames_per_s")
    hixie76 = ClosedHixie76("rate", limit="control_frames_per_s")
    ping, pong = frame(PING, b"x" * 125), frame(PONG)
    begun = frame(TEXT, b"a", is_final=False)
    return [
        _case("a hundred pings at once", ping * 100, Stays(), rule),
        _case("a thousand pings at once", ping * 1000, rate, rule),
        _case("a thousand pongs at once", pong * 1000, rate, rule),
        _case("pings and pongs in turn", (ping + pong) * 500, rate, rule),
        _case("a thousand pings inside a message", begun + ping * 1000, rate, rule),
        _case("a hundred thousand pongs at once", pong * 100_000, rate, rule),
        Case("a thousand frames that hixie-76 discards", (join_hixie76, b"\x80\x00" * 1000), hixie76, rule),
        Case("a thousand frames of another type", (join_hixie76, b"\x01\xff" * 1000), hixie76, rule),
        Case(
            "a thousand texts of hixie-76",
            (join_hixie76_elsewhere, b"\x00\xff" * 1000),
            ClosedHixie76("rate", limit="messages_per_s"),
            "[limits] messages_per_s",
        ),
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
    return Case(name, (join_elsewhere, data), outcome, rule)


CASES: Final = _cases()
