"""What an attacker does beside sending bytes."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.cases import ROOM, Attacker
from tests.wire import Frame, Rfc6455Client, shake_hands_hixie76, shake_hands_rfc6455

Act = Callable[[Attacker], None]


ELSEWHERE = "/rooms/elsewhere"
"""A room without honest members, for attacks of which nobody can say how much gets through."""


def join(attacker: Attacker) -> None:
    """Enter the room as a client of RFC 6455 does."""
    shake_hands_rfc6455(attacker.wire, ROOM)


def join_elsewhere(attacker: Attacker) -> None:
    """Enter another room, likewise."""
    shake_hands_rfc6455(attacker.wire, ELSEWHERE)


def join_hixie76(attacker: Attacker) -> None:
    """Enter the room as a client of hixie-76 does."""
    shake_hands_hixie76(attacker.wire, ROOM)


def join_hixie76_elsewhere(attacker: Attacker) -> None:
    """Enter the other room, likewise."""
    shake_hands_hixie76(attacker.wire, ELSEWHERE)


def shut(attacker: Attacker) -> None:
    """End our side of the stream, and go on reading."""
    attacker.wire.shut()


def reset(attacker: Attacker) -> None:
    """Break the connection."""
    attacker.wire.reset()


def drip(data: bytes) -> Act:
    """Send one byte at a time."""

    def send(attacker: Attacker) -> None:
        for position in range(len(data)):
            attacker.send(data[position : position + 1])

    return send


def read(size: int) -> Act:
    """Wait until so many bytes have come."""
    return lambda attacker: _discard(attacker.wire.read(size))


def read_until(end: bytes) -> Act:
    """Wait for these bytes."""
    return lambda attacker: _discard(attacker.wire.read_until(end))


def hear(opcode: int, payload: bytes) -> Act:
    """Wait for a frame, which must be this one."""

    def check(attacker: Attacker) -> None:
        seen = Rfc6455Client(attacker.wire).read_frame()
        assert seen == Frame(opcode, payload), seen

    return check


def _discard(_: bytes) -> None:
    """Leave what was waited for."""
