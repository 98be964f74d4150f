"""What the tests of a room do with it, in words."""

from typing import Any

from roomcast.relay.budget import Budget
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.message import Kind
from roomcast.relay.room import Room
from roomcast.relay.rules import RoomRules
from tests.relay.fake_wire import ROOMY, BracketFormat, FakeMember, message

ANGLES = BracketFormat(b"<>")
SQUARES = BracketFormat(b"[]", carries_binary=False)


def a_room(budget: Budget | None = None, **rules: Any) -> Room:
    return Room("/rooms/a", RoomRules(**rules), TemplateCounters("rooms"), budget or Budget())


def enter(room: Room, capacity: int = ROOMY, wire_format: BracketFormat = ANGLES) -> FakeMember:
    member = FakeMember(wire_format, capacity)
    member.enter(room.feed, room.leave, room.budget)
    room.join(member)
    return member


def say(room: Room, *payloads: bytes, sender: FakeMember | None = None, kind: Kind = Kind.TEXT) -> None:
    for payload in payloads:
        room.append(message(room.log.head + 1, payload, kind, sender))


def hear(*members: FakeMember) -> list[bytes]:
    """Return what each has read in all, when it reads whatever there is."""
    for member in members:
        member.drain()
    return [member.received for member in members]


def flush(room: Room) -> None:
    while room.at < room.log.head or room.is_flushing:
        room.flush(1_000)
