"""Many at once: who come and say nothing, who come and go, and who fill every place there is.

Each crowd runs into the limit that is meant for it, which counts every one of
them. Those within the limit are served; when the crowd has gone, every place is
free again. Loopback is exempt from limits per address, as proxies are, so these
crowds are larger than one stranger's could be.

Rules: the limits that each case names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.hostile.cases import IMPATIENT, ROOM, Attacker, Case, Step
from tests.hostile.outcomes import Closed, Counted, end, handshake, hit
from tests.hostile.steps import ELSEWHERE, join
from tests.wire import BINARY, CLOSE, Wire, frame, rfc6455_head, shake_hands_rfc6455

_HEAD: Final = rfc6455_head(ROOM)
_ACCEPTED: Final = handshake("accepted", "rfc6455")
_FULL: Final = handshake("full")
_MESSAGE: Final = frame(BINARY, bytes(65_536))
_CLOSE: Final = frame(CLOSE, b"\x03\xe8")

HANDSHAKES_MAX: Final = 1000
"""The default."""


def _answered(wire: Wire, status: int) -> None:
    """Read an answer to its end, which must have this status and say when to come again."""
    answer = wire.read_answer()
    assert answer.status == status, answer
    assert (status == 503) == ("retry-after" in answer.headers), answer


def _answered_or_closed(wire: Wire, status: int) -> None:
    """The same of a crowd so large that not all in it are answered: some are closed at once, to save descriptors."""
    seen = wire.read_to_end()
    assert not seen or seen.startswith(f"HTTP/1.1 {status} ".encode()), seen


def _each(count: int, act: Callable[[Wire], None]) -> Step:
    """Return the step of so many connections, one after another, that each do this and go."""

    def come_and_go(attacker: Attacker) -> None:
        for _ in range(count):
            with attacker.connect() as wire:
                act(wire)

    return come_and_go


def _crowd(
    first: int,
    then: int,
    act: Callable[[int, Wire], None],
    told: Callable[[Wire, int], None] = _answered,
) -> Step:
    """Return the step of a crowd: the first find a place and keep it, all others are told to come again.

    Args:
        first: How many find a place.
        then: How many come behind.
        act: What each of them does, told its number.
        told: Reads what those behind are told.
    """

    def come(attacker: Attacker) -> None:
        wires = [attacker.connect() for _ in range(first + then)]
        for number, wire in enumerate(wires):
            act(number, wire)
        for wire in wires[first:]:
            told(wire, 503)

    return come


def say_nothing(_: int, __: Wire) -> None:
    """Leave it at having come."""


def _join_own_room(number: int, wire: Wire) -> None:
    """Ask for a room of one's own; whoever finds one has it before the next one asks."""
    wire.send(rfc6455_head(f"/rooms/own-{number}"))
    if number < _OWN_ROOMS:
        wire.read_until(b"\r\n\r\n")


def _join_one_room(number: int, wire: Wire) -> None:
    wire.send(rfc6455_head(ELSEWHERE))
    if number < _PLACES:
        wire.read_until(b"\r\n\r\n")


def _time_out(count: int) -> Step:
    """Return the step of so many that say nothing until they are told that it is too late."""

    def wait(attacker: Attacker) -> None:
        wires = [attacker.connect() for _ in range(count)]
        for wire in wires:
            _answered(wire, 408)

    return wait


def _reset(wire: Wire) -> None:
    wire.reset()


def _reset_inside_a_head(wire: Wire) -> None:
    wire.send(_HEAD[:50])
    wire.reset()


def _join_and_reset(wire: Wire) -> None:
    shake_hands_rfc6455(wire, ELSEWHERE)
    wire.reset()


def _leave_at_once(_: Wire) -> None:
    """Close, as the caller does."""


def _ask_at_once(count: int) -> Step:
    """Return the step of so many handshakes at the same time, each of which must succeed."""

    def ask(attacker: Attacker) -> None:
        wires = [attacker.connect() for _ in range(count)]
        for wire in wires:
            wire.send(rfc6455_head(ELSEWHERE))
        for wire in wires:
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        for wire in wires:
            wire.reset()

    return ask


def _flood_those_who_do_not_read(readers: int, publishers: int) -> Step:
    """Return the step of members that read nothing, while others fill their room and leave.

    Each publisher sends as much as one may at once, and none is there to read
    what the next one sends. So all that is owed is owed to those who do not read.
    """

    def flood(attacker: Attacker) -> None:
        silent = [attacker.connect(receive_buffer_bytes=4096) for _ in range(readers)]
        for wire in silent:
            shake_hands_rfc6455(wire, ELSEWHERE)
        for _ in range(publishers):
            with attacker.connect() as wire:
                shake_hands_rfc6455(wire, ELSEWHERE)
                wire.send(_MESSAGE * 8 + _CLOSE)
                wire.read_until(b"peer")

    return flood


_OWN_ROOMS: Final = 19
_PLACES: Final = 5
_FEW_PLACES: Final = (
    "limits.rooms_max=20",
    "limits.handshake_timeout_s=60",
    'rooms=[{"name": "rooms", "path": "/rooms/{room}", "members_max": 5}]',
)
"""One relay for three limits. The time is for ten thousand connections to come in, on a machine that is busy."""
_FEW_HANDSHAKES: Final = ("limits.handshakes_max=10",)
_FEW_CONNECTIONS: Final = ("limits.connections_max=20",)
_QUICK_TO_CLOSE: Final = ("limits.close_timeout_s=0.3",)


def _refused(count: int, limit: str, dialect: str = "none") -> dict[str, int]:
    return {handshake("full", dialect): count, hit(limit, "refused"): count}


def _cases() -> list[Case]:
    return [*_silent(), *_hasty(), *_many(), *_deaf()]


def _silent() -> list[Case]:
    late = {handshake("timeout"): 500, hit("handshake_timeout_s", "refused"): 500}
    gone = {handshake("gone"): 10}
    return [
        Case(
            "five hundred that never speak", (_time_out(500),), Counted(late), "[limits] handshake_timeout_s", IMPATIENT
        ),
        Case(
            "eleven that never speak, where ten may",
            (_crowd(10, 1, say_nothing),),
            Counted(gone | _refused(1, "handshakes_max")),
            "[limits] handshakes_max",
            _FEW_HANDSHAKES,
        ),
        Case(
            "ten that never speak, where ten may",
            (_crowd(10, 0, say_nothing),),
            Counted(gone),
            "[limits] handshakes_max",
            _FEW_HANDSHAKES,
        ),
        Case(
            "ten thousand that never speak",
            (_crowd(HANDSHAKES_MAX, 9000, say_nothing, _answered_or_closed),),
            Counted({handshake("gone"): HANDSHAKES_MAX} | _refused(9000, "handshakes_max")),
            "[limits] handshakes_max",
            _FEW_PLACES,
            files=10_500,
        ),
    ]


def _hasty() -> list[Case]:
    gone = Counted({handshake("gone"): 1000})
    left = Counted({_ACCEPTED: 200, end("gone"): 200})
    rule = "RFC 6455, 7.1.5"
    return [
        Case("a thousand connections, each reset", (_each(1000, _reset),), gone, rule),
        Case("a thousand connections, each closed", (_each(1000, _leave_at_once),), gone, rule),
        Case("a thousand heads, each reset in the middle", (_each(1000, _reset_inside_a_head),), gone, rule),
        Case("two hundred members, each reset", (_each(200, _join_and_reset),), left, rule),
        Case("two hundred handshakes at once", (_ask_at_once(200),), left, "[limits] handshakes_max"),
    ]


def _many() -> list[Case]:
    members = {_ACCEPTED: _OWN_ROOMS, end("gone"): _OWN_ROOMS}
    places = {_ACCEPTED: _PLACES, end("gone"): _PLACES}
    return [
        Case(
            "a room for each, until there are no more",
            (_crowd(_OWN_ROOMS, 30, _join_own_room),),
            Counted(members | _refused(30, "rooms_max", "rfc6455")),
            "[limits] rooms_max",
            _FEW_PLACES,
        ),
        Case(
            "a room for each, as many as there may be",
            (_crowd(_OWN_ROOMS, 0, _join_own_room),),
            Counted(members),
            "[limits] rooms_max",
            _FEW_PLACES,
        ),
        Case(
            "one room for all, until it is full",
            (_crowd(_PLACES, 10, _join_one_room),),
            Counted(places | _refused(10, "members_max", "rfc6455")),
            "[[rooms]] members_max",
            _FEW_PLACES,
        ),
        Case(
            "all connections there are, and thirty more",
            (_crowd(18, 30, say_nothing),),
            Counted({handshake("gone"): 18} | _refused(30, "connections_max")),
            "[limits] connections_max",
            _FEW_CONNECTIONS,
        ),
    ]


def _deaf() -> list[Case]:
    """Return those who take nothing, and answer nothing: the relay ends them while they are still there."""
    lagging = {_ACCEPTED: 22, end("peer"): 12, end("lagging"): 10, hit("lag_max_bytes", "closed"): 10}
    dead = {_ACCEPTED: 11, end("peer"): 1, end("write_timeout"): 10}
    return [
        Case(
            "ten that never read while their room is flooded",
            (_flood_those_who_do_not_read(10, 12),),
            Counted(lagging, is_relays_work=True),
            "[[rooms]] lag_max_bytes",
            _QUICK_TO_CLOSE,
        ),
        Case(
            "ten that never read, and are owed little",
            (_flood_those_who_do_not_read(10, 1),),
            Counted(dead, is_relays_work=True),
            "[limits] write_timeout_s",
            (*_QUICK_TO_CLOSE, "limits.write_timeout_s=0.5"),
        ),
        Case(
            "member that answers no ping, and no close",
            (join,),
            Closed(1011, "pong_timeout"),
            "[limits] pong_timeout_s",
            (*_QUICK_TO_CLOSE, "limits.ping_interval_s=1", "limits.pong_timeout_s=1"),
        ),
    ]


CASES: Final = _cases()
