"""All that can be asked of the API: one table, of which ``openapi.py`` makes the document and metrics their labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel

from roomcast.api import models
from roomcast.api.configuration import TOML
from roomcast.api.keys import Scope
from roomcast.api.messages import BINARY, JSON, TEXT


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    name: str
    """What client libraries may call it."""
    summary: str
    scope: Scope
    query: type[BaseModel]
    answer: type[BaseModel] | None
    """None: a stream of events, which has no end."""
    refusals: tuple[int, ...] = ()
    """The statuses that say no, beside those that each operation has."""
    bodies: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    """By media type, the model of the body, or None where it is taken as it is."""
    is_repeatable: bool = False
    """Whether it takes an Idempotency-Key."""

    @property
    def statuses(self) -> tuple[int, ...]:
        """All that it can answer."""
        return (200, *sorted({*_ALWAYS, *self.refusals, *(_WITH_BODY if self.bodies else ())}))


# A malformed query, no key, one that does not open this, a line or a head too long, a strange Host, a fault of ours.
_ALWAYS: Final = (400, 401, 403, 414, 421, 431, 500)
# Too slow, no length, too long, of another type.
_WITH_BODY: Final = (408, 411, 413, 415)
_ROOM: Final = (404,)
_PUBLISH: Final = (404, 409, 422, 429, 503)
# A configuration that is wrong.
_CONFIGURATION: Final = (422,)
# Addresses, where none is kept.
_UNKEPT: Final = (409,)
# As many streams as there may be.
_STREAM: Final = (503,)

OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/rooms", "listRooms", "List the rooms that are open", Scope.READ, models.RoomsQuery, models.Rooms
    ),
    Operation(
        "GET", "/api/v1/room", "getRoom", "Say how a room is", Scope.READ, models.RoomQuery, models.RoomInfo, _ROOM
    ),
    Operation(
        "DELETE",
        "/api/v1/room",
        "closeRoom",
        "Close a room: send all members away (4404), a few at a time, and forget what it keeps",
        Scope.ADMIN,
        models.RoomQuery,
        models.Closed,
        _ROOM,
    ),
    Operation(
        "POST",
        "/api/v1/messages",
        "publish",
        "Send a message to a room",
        Scope.PUBLISH,
        models.RoomQuery,
        models.Published,
        _PUBLISH,
        {TEXT: None, BINARY: None, JSON: models.Payload},
        is_repeatable=True,
    ),
    Operation(
        "GET",
        "/api/v1/messages",
        "readHistory",
        "Read what a room keeps",
        Scope.READ,
        models.MessagesQuery,
        models.Messages,
        _ROOM,
    ),
    Operation(
        "POST",
        "/api/v1/batch",
        "publishBatch",
        "Send messages to rooms: all of them, or none",
        Scope.PUBLISH,
        models.Nothing,
        models.PublishedBatch,
        _PUBLISH,
        {JSON: models.Batch},
        is_repeatable=True,
    ),
    Operation(
        "GET",
        "/api/v1/members",
        "listMembers",
        "List the members of a room",
        Scope.READ,
        models.MembersQuery,
        models.Members,
        _ROOM,
    ),
    Operation(
        "DELETE",
        "/api/v1/members/{member_id}",
        "kickMember",
        "Send a member away (4403)",
        Scope.ADMIN,
        models.Nothing,
        models.Closed,
        _ROOM,
    ),
    Operation(
        "POST",
        "/api/v1/revocations",
        "revoke",
        "Send all members of a subject away (4403), and refuse its tokens",
        Scope.ADMIN,
        models.Nothing,
        models.Closed,
        bodies={JSON: models.Revocation},
    ),
    Operation(
        "POST",
        "/api/v1/reload",
        "reload",
        "Read the configuration again, and take all of it or nothing",
        Scope.ADMIN,
        models.Nothing,
        models.Reloaded,
        _CONFIGURATION,
    ),
    Operation(
        "POST",
        "/api/v1/plan",
        "plan",
        "Say what a configuration file would do to those who are connected, and do nothing",
        Scope.ADMIN,
        models.Nothing,
        models.Planned,
        _CONFIGURATION,
        {TOML: None},
    ),
    Operation(
        "GET",
        "/api/v1/why",
        "explainEndings",
        "Say why connections of an id, an address or an origin were refused or closed, the newest first",
        Scope.READ,
        models.WhyQuery,
        models.Endings,
        _UNKEPT,
    ),
    Operation(
        "GET",
        "/api/v1/events",
        "watchNumbers",
        "Follow the numbers of the dashboard: an event `stats` each second",
        Scope.READ,
        models.Nothing,
        None,
        _STREAM,
    ),
    Operation(
        "GET",
        "/api/v1/presence",
        "watchPresence",
        "Hear who comes and goes: events `joined` and `left`, and `lost` where a reader was too slow",
        Scope.READ,
        models.PresenceQuery,
        None,
        _STREAM,
    ),
)

OTHER: Final = "other"
"""The method and route of a request that is none of these."""


def no_requests() -> dict[tuple[str, str, str], int]:
    """Return a counter for each answer that the private door can give to a request of the API, all at zero."""
    return dict.fromkeys(_answers(), 0)


def _answers() -> Iterator[tuple[str, str, str]]:
    for operation in OPERATIONS:
        for status in operation.statuses:
            yield operation.method, operation.path, str(status)
    # A path that is none, a method that a path has not.
    yield OTHER, OTHER, "404"
    yield OTHER, OTHER, "405"
