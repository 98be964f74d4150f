"""``/api/v1/rooms`` and ``/api/v1/room``: which rooms are open, and how one is closed."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

from falcon import HTTPNotFound

from roomcast.api import intake
from roomcast.api.answers import say
from roomcast.api.keys import Scope
from roomcast.api.models import Closed, RoomInfo, RoomQuery, Rooms, RoomsQuery

if TYPE_CHECKING:
    from falcon import Request, Response

    from roomcast.api.directory import Directory
    from roomcast.api.guard import Guard
    from roomcast.relay.hub import Hub
    from roomcast.relay.room import Room


class ListOfRooms:
    """``/api/v1/rooms``: all that are open, by name."""

    def __init__(self, guard: Guard, hub: Hub) -> None:
        self._guard = guard
        self._hub = hub

    def on_get(self, request: Request, response: Response) -> None:
        """List some of them, in the order of their names."""
        self._guard.require(request, Scope.READ)
        query = intake.query(request, RoomsQuery)
        rooms = self._hub.rooms
        wanted = (name for name in rooms if name > query.after and name.startswith(query.prefix))
        # One more than is told, to know whether there is one.
        names = nsmallest(query.limit + 1, wanted)
        page = names[: query.limit]
        say(
            response,
            Rooms(
                epoch=self._hub.epoch,
                rooms=[room_info(rooms[name]) for name in page],
                next=page[-1] if len(names) > query.limit else None,
            ),
        )


class OneRoom:
    """``/api/v1/room``: how it is, and its end."""

    def __init__(self, guard: Guard, hub: Hub, directory: Directory) -> None:
        self._guard = guard
        self._hub = hub
        self._directory = directory

    def on_get(self, request: Request, response: Response) -> None:
        """Say how a room is."""
        self._guard.require(request, Scope.READ)
        say(response, room_info(self._find(request)))

    def on_delete(self, request: Request, response: Response) -> None:
        """Send all members away, and forget what the room keeps."""
        self._guard.require(request, Scope.ADMIN)
        members = self._hub.close_room(self._find(request).name)
        say(response, Closed(members=members or 0))

    def _find(self, request: Request) -> Room:
        name = intake.query(request, RoomQuery).room
        self._directory.find(name)
        room = self._hub.rooms.get(name)
        if room is None:
            raise HTTPNotFound(description="this room is not open: nobody is in it, and it keeps nothing")
        return room


def room_info(room: Room) -> RoomInfo:
    """Return what is told of a room."""
    log = room.log
    keeps = room.keeps_something
    return RoomInfo(
        name=room.name,
        template=room.counters.name,
        members=room.member_count,
        laggards=len(room.laggards),
        head=log.head,
        history_messages=min(len(log), room.rules.history_messages) if keeps else 0,
        history_bytes=min(log.size_bytes, room.rules.history_max_bytes) if keeps else 0,
    )
