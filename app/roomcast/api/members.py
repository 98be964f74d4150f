"""``/api/v1/members`` and ``/api/v1/members/{member_id}``: who is in a room, and how one is sent away."""

from __future__ import annotations

import re
import time
from heapq import nsmallest
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol, cast

from falcon import HTTPNotFound

from roomcast.api import intake
from roomcast.api.answers import say
from roomcast.api.keys import Scope
from roomcast.api.models import Closed, MemberInfo, Members, MembersQuery, Nothing
from roomcast.api.turns import Slices
from roomcast.relay.member import Member
from roomcast.relay.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcon import Request, Response

    from roomcast.api.directory import Directory
    from roomcast.api.guard import Guard
    from roomcast.relay.hub import Hub
    from roomcast.relay.room import Room


class Connection(Member, Protocol):
    """What is asked of a member beside what its room asks."""

    @property
    def dialect(self) -> str:
        """What it speaks."""

    @property
    def room(self) -> Room:
        """Where it is, or was."""

    address: str
    """Where it is connected from."""
    number: int
    """What its id has behind the epoch."""
    joined_s: float
    """When it came, by the clock that never goes back."""


class MembersOfRoom:
    """``/api/v1/members``: who is in a room.

    Args:
        guard: Lets readers in.
        hub: The rooms.
        directory: Which rooms there may be.
        clock: The one by which members note when they came.
    """

    def __init__(
        self, guard: Guard, hub: Hub, directory: Directory, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._guard = guard
        self._hub = hub
        self._directory = directory
        self._clock = clock

    def on_get(self, request: Request, response: Response) -> None:
        """List some of them, those first who came first."""
        self._guard.require(request, Scope.READ)
        query = intake.query(request, MembersQuery)
        self._directory.find(query.room)
        # One more than is told, to know whether there is one.
        members = nsmallest(query.limit + 1, self._wanted(query), key=attrgetter("number"))
        page = members[: query.limit]
        say(
            response,
            Members(
                members=[self._info(query.room, member) for member in page],
                next=page[-1].id if len(members) > query.limit else None,
            ),
        )

    def _wanted(self, query: MembersQuery) -> Iterator[Connection]:
        room = self._hub.rooms.get(query.room)
        # Whoever had a number in another life of the relay has none in this.
        after = _number_of(query.after or "", self._hub.epoch) or 0
        slices = Slices()
        for member in [] if room is None else connections(room):
            if member.number > after and query.subject in (None, member.subject):
                yield member
            slices.end()

    def _info(self, name: str, member: Connection) -> MemberInfo:
        room = self._hub.rooms.get(name)
        return MemberInfo(
            id=member.id,
            subject=member.subject,
            dialect=member.dialect,
            age_s=round(self._clock() - member.joined_s, 3),
            laggard=room is not None and member in room.laggards,
        )


class OneMember:
    """``/api/v1/members/{member_id}``: its end."""

    def __init__(self, guard: Guard, hub: Hub) -> None:
        self._guard = guard
        self._hub = hub

    def on_delete(self, request: Request, response: Response, member_id: str) -> None:
        """Send a member away, wherever it is, behind all that it is owed."""
        self._guard.require(request, Scope.ADMIN)
        intake.query(request, Nothing)
        member = find_connection(self._hub, member_id)
        if member is None or not member.is_in_room:
            raise HTTPNotFound(description="there is no member of this id: it has left, or never was")
        member.dismiss(Reason.KICKED)
        say(response, Closed(members=1))


def find_connection(hub: Hub, wanted: str) -> Connection | None:
    """Return the connection with this id, if it is in a room. Lets others have their turn."""
    number = _number_of(wanted, hub.epoch)
    if number is None:
        return None
    return next((member for member in all_connections(hub) if member.number == number), None)


def all_connections(hub: Hub) -> Iterator[Connection]:
    """Yield all who are in a room. Lets others have their turn, so that one may have left since."""
    slices = Slices()
    for room in list(hub.rooms.values()):
        for member in connections(room):
            yield member
            slices.end()


def connections(room: Room) -> list[Connection]:
    """Return all who are in a room, as this door sees them: they all are connections of this relay."""
    return cast("list[Connection]", room.members())


def _number_of(member_id: str, epoch: str) -> int | None:
    """Return the number in the id of a member of this life of the relay; None in any other text."""
    own = re.fullmatch(rf"{epoch}\.([1-9][0-9]{{0,17}})", member_id, re.ASCII)
    return int(own[1]) if own else None
