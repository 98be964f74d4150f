"""Peers that end, or break, the connection at every stage of it, and those that do not stop when they are told.

A half-close says "I have sent all I had", so what came before it is still
answered, and nothing is waited for. A reset says nothing. After either the relay
holds nothing of the peer: no descriptor, no watcher, no place in a room.

Rules: RFC 9112, section 9.6, and RFC 6455, sections 7.1.1 and 7.1.5.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from tests.hostile.cases import IMPATIENT, ROOM, Attacker, Case, Counts, Step
from tests.hostile.outcomes import Closed, Counted, Refused, Unanswered, end, gone, gone_before_101, handshake, hit
from tests.hostile.steps import drip, hear, join, join_hixie76, read_until, reset, shut
from tests.wire import CLOSE, PING, PONG, TEXT, frame, get, hixie76_head, rfc6455_head

_HEAD: Final = rfc6455_head(ROOM)
_HELLO: Final = frame(TEXT, b"hello")
_CLOSE: Final = frame(CLOSE, b"\x03\xe8")
_TIMEOUT: Final = Refused(408, "timeout", limit="handshake_timeout_s")
_GONE_AFTER_101: Final[Counts] = {handshake("accepted", "rfc6455"): 1, end("gone"): 1}

# What has happened before the end, and what honest members have heard of it.
_STAGES: Final[dict[str, tuple[tuple[Step, ...], tuple[str, ...]]]] = {
    "a member says anything": ((join,), ()),
    "a frame's second byte": ((join, _HELLO[:1]), ()),
    "a frame's mask": ((join, _HELLO[:3]), ()),
    "a frame's last byte": ((join, _HELLO[:-1]), ()),
    "a message's last fragment": ((join, frame(TEXT, b"hel", is_final=False)), ()),
    "a long frame's end": ((join, frame(TEXT, b"a" * 60_000)[:50_000]), ()),
    "the second message's end": ((join, _HELLO + frame(PING), hear(PONG, b""), _HELLO[:-1]), ("hello",)),
    "its pong is read": ((join, frame(PING, b"x" * 125) * 50), ()),
    "a close frame's end": ((join, _CLOSE[:-1]), ()),
}


def come(attacker: Attacker) -> None:
    """Connect, and say nothing."""
    attacker.send(b"")


def never_stop(attacker: Attacker) -> None:
    """Send, whatever the relay says, until the connection breaks."""
    with suppress(OSError):
        while True:
            attacker.send(bytes(65_536))


def stop_reading(data: bytes) -> Step:
    """Return the step of sending this from a client that reads nothing, and has no place for an answer."""

    def act(attacker: Attacker) -> None:
        for _ in range(50):
            attacker.connect(receive_buffer_bytes=1).send(data)

    return act


def _half_closes() -> list[Case]:
    rule = "RFC 6455, 7.1.5"
    malformed = get("/rooms/..", "A: b")
    return [
        Case("half-close before the first byte", (shut,), gone_before_101(), rule),
        Case("half-close inside the request line", (_HEAD[:7], shut), gone_before_101(), rule),
        Case("half-close inside a header", (_HEAD[:60], shut), gone_before_101(), rule),
        Case("half-close before the last byte of a head", (_HEAD[:-1], shut), gone_before_101(), rule),
        Case("half-close behind a request for the page", (get("/"), shut), Refused(200, "page"), "RFC 9112, 9.6"),
        Case("half-close behind a bad request", (malformed, shut), Refused(400, "malformed"), "RFC 9112, 9.6"),
        Case("half-close behind a handshake", (_HEAD, shut, read_until(b"\r\n\r\n")), gone(), rule),
        *(Case(f"half-close before {stage}", (*steps, shut), gone(*heard), rule) for stage, (steps, heard) in _read()),
        Case("half-close behind a close", (join, _CLOSE, shut), Closed(1000, "peer"), "RFC 6455, 7.1.1"),
        Case("half-close, hixie-76", (join_hixie76, shut), gone(dialect="hixie76"), "draft-76, 5.3"),
    ]


def _read() -> list[tuple[str, tuple[tuple[Step, ...], tuple[str, ...]]]]:
    """Return the stages after which nothing comes from the relay but the end of its stream."""
    return [(stage, value) for stage, value in _STAGES.items() if "pong" not in stage]


def _resets() -> list[Case]:
    rule = "RFC 6455, 7.1.5"
    before = Unanswered({handshake("gone"): 1}, is_read=False)
    return [
        Case("reset before the first byte", (come, reset), before, rule),
        Case("reset inside the request line", (_HEAD[:7], reset), before, rule),
        Case("reset before the last byte of a head", (_HEAD[:-1], reset), before, rule),
        Case(
            "reset behind a bad request",
            (get("/rooms/.."), read_until(b"400"), reset),
            _told(handshake("malformed")),
            rule,
        ),
        *(
            Case(f"reset before {stage}", (*steps, reset), Unanswered(_GONE_AFTER_101, heard, is_read=False), rule)
            for stage, (steps, heard) in _STAGES.items()
        ),
        Case(
            "reset behind a close",
            (join, _CLOSE, read_until(b"peer"), reset),
            _told(handshake("accepted", "rfc6455"), end("peer")),
            "RFC 6455, 7.1.1",
        ),
    ]


def _told(*series: str) -> Unanswered:
    """Return the outcome of one that was told what its steps have read, and is asked no more."""
    return Unanswered(dict.fromkeys(series, 1), is_read=False)


def _late() -> list[Case]:
    """Return those who are too slow for a handshake: the strict answer is 408, and not to wait for a byte more."""
    rule = "[limits] handshake_timeout_s"
    return [
        Case("silence", (come,), _TIMEOUT, rule, IMPATIENT),
        Case("half a request line, then silence", (drip(_HEAD[:7]),), _TIMEOUT, rule, IMPATIENT),
        Case("half a head, then silence", (drip(_HEAD[:80]),), _TIMEOUT, rule, IMPATIENT),
        Case("all but the last byte, then silence", (drip(_HEAD[:-1]),), _TIMEOUT, rule, IMPATIENT),
        Case("an empty line, then silence", (b"\r\n",), _TIMEOUT, rule, IMPATIENT),
        Case("half a head of hixie-76, then silence", (hixie76_head(ROOM)[:-1],), _TIMEOUT, rule, IMPATIENT),
    ]


def _stubborn() -> list[Case]:
    """Return those who are told, and go on: what they send is thrown away for a moment, and then they are reset."""
    refused, protocol = _told(handshake("malformed")), _told(handshake("accepted", "rfc6455"), end("protocol"))
    too_large = _told(handshake("head_too_large"), hit("head_max_bytes", "refused"))
    peer = _told(handshake("accepted", "rfc6455"), end("peer"))
    rule, closed = "RFC 9112, 9.6", "RFC 6455, 7.1.1"
    bad = get("/rooms/..")
    return [
        Case("writer that does not stop behind a refusal", (bad, read_until(b"400"), never_stop), refused, rule),
        Case("writer that does not stop inside a head", (b"GET /", never_stop), too_large, "[limits] head_max_bytes"),
        Case("writer that does not stop behind a bad frame", (join, b"\xff\xff", never_stop), protocol, closed),
        Case("writer that does not stop behind a close", (join, _CLOSE, never_stop), peer, closed),
        Case(
            "fifty that never read their refusal",
            (stop_reading(bad),),
            Counted({handshake("malformed"): 50}),
            rule,
        ),
    ]


CASES: Final = [*_half_closes(), *_resets(), *_late(), *_stubborn()]
