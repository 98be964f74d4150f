"""What the API is asked and what it answers, field by field: the schemas of ``/openapi.json`` are made of these.

The docstring below a field is its description. Queries and bodies are closed: what
is not known is refused. Answers may grow, so whoever reads them skips what it does
not know.
"""

import base64
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from roomcast.policies.grants import SUBJECT_MAX_CHARACTERS
from roomcast.relay.start import POSITION_PATTERN

# What is listed at once, where nothing is said and at most.
LIMIT: Final = 100
LIMIT_MAX: Final = 1_000
# Of one batch. Its bytes are bounded by [admin] body_max_bytes, but a message without any costs something, too.
BATCH_MAX: Final = 10_000

# What policies.templates asks of a name, for the reader; it is checked there.
_NAME: Final = r"^(?:/(?!\.{1,2}(?:/|$))[^/\\\u0000-\u001f\u007f-\u009f]+)+$"
_BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

RoomName = Annotated[
    str, Field(min_length=2, max_length=255, examples=["/rooms/lobby"], json_schema_extra={"pattern": _NAME})
]
Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]
MemberId = Annotated[str, Field(pattern="^[a-z0-9]{1,32}\\.[0-9]{1,18}$", examples=["k7c2m9qa.3"])]
Position = Annotated[str, Field(pattern=f"^{POSITION_PATTERN}$", examples=["k7c2m9qa:41"])]
Subject = Annotated[str, Field(min_length=1, max_length=SUBJECT_MAX_CHARACTERS, examples=["alice"])]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Nothing(_Given):
    """No parameters."""


# --- queries


class RoomQuery(_Given):
    """Which room."""

    room: RoomName
    """The room's name: the path of its URL, decoded once and then percent-encoded as any value of a query is."""


class RoomsQuery(_Given):
    """Which rooms."""

    prefix: Annotated[str, Field(max_length=255)] = ""
    """With what their names begin."""
    limit: Limit = LIMIT
    """How many at once."""
    after: Annotated[str, Field(max_length=255)] = ""
    """The ``next`` of the answer before."""


class PresenceQuery(_Given):
    """Whose comings and goings."""

    room: RoomName | None = None
    """Only those of this room. Without: of all whose templates have ``presence = true``."""


class MembersQuery(RoomQuery):
    """Which members of a room."""

    subject: Subject | None = None
    """Only those whose token has this ``sub``."""
    limit: Limit = LIMIT
    """How many at once."""
    after: MemberId | None = None
    """The ``next`` of the answer before."""


class MessagesQuery(RoomQuery):
    """Which messages of a room."""

    limit: Limit = LIMIT
    """How many at once."""
    after: Position | None = None
    """``epoch:offset`` of the last message that is known already. Without: from the oldest that is kept."""


class WhyQuery(_Given):
    """Whose end."""

    of: Annotated[str, Field(min_length=1, max_length=255, examples=["k7c2m9qa.41", "203.0.113.9"])]
    """A connection's id, as its close reason has it, its ``welcome``, or the header ``Roomcast-Id`` of a refusal; or an
    IP address, with all of its network where the log truncates them, or such a network; or else an
    origin, however it is spelled."""
    limit: Limit = LIMIT
    """How many at most."""


# --- messages, as they are sent


def _one_of_two(schema: dict[str, Any]) -> None:
    """Say what no schema of a field can: one of the two is there, and neither has a default."""
    schema["oneOf"] = [{"required": ["text"]}, {"required": ["base64"]}]
    for name in ("text", "base64"):
        del schema["properties"][name]["default"]


class Payload(_Given):
    """A text or bytes: one of the two."""

    model_config = ConfigDict(json_schema_extra=_one_of_two)

    text: str = ""
    """A text message."""
    base64: Annotated[str, Field(pattern=_BASE64)] = ""
    """A binary message, as RFC 4648, section 4, writes bytes, with its padding."""

    @property
    def is_binary(self) -> bool:
        """Whether it is bytes."""
        return "base64" in self.model_fields_set

    def data(self) -> bytes:
        """Return the message's bytes.

        Raises:
            ValueError: If there is both, or neither.
        """
        if ("text" in self.model_fields_set) == self.is_binary:
            raise ValueError('a message has either "text" or "base64"')
        return base64.b64decode(self.base64) if self.is_binary else self.text.encode()


class Addressed(Payload):
    """A message, and the room that it is for."""

    room: RoomName
    """The room's name, decoded."""


class Batch(_Given):
    """Messages for any number of rooms. Those for one room are sent in this order."""

    messages: Annotated[list[Addressed], Field(min_length=1, max_length=BATCH_MAX)]
    """All of them are checked before the first is sent."""


class Revocation(_Given):
    """Whose tokens are worth nothing any more."""

    subject: Subject
    """The ``sub`` of their tokens."""
    ttl_s: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    """For how many seconds its tokens are refused, at least as long as one of them lasts. Without: a day."""


# --- answers


class Published(_Told):
    """What became of a message."""

    epoch: str
    """The relay's, under which the offset counts."""
    offset: int
    """The message's place in its room."""
    local_members: int
    """How many members the room has on this relay."""


class PublishedBatch(_Told):
    """What became of many."""

    epoch: str
    """The relay's, under which the offsets count."""
    offsets: list[int | None]
    """The place of each in its room, in the order of the request. null: its room could not be opened any more."""


class RoomInfo(_Told):
    """A room that is open."""

    name: str
    template: str
    """The name of its template."""
    members: int
    laggards: int
    """How many of the members are behind."""
    head: int
    """The offset of its newest message."""
    history_messages: int
    """How many messages it keeps for those who come later."""
    history_bytes: int
    """How much those are, and 256 bytes for each."""


class Rooms(_Told):
    """Rooms by name."""

    epoch: str
    rooms: list[RoomInfo]
    next: str | None
    """To be sent as ``after`` for more; null: these were the last."""


class MemberInfo(_Told):
    """A connection in a room."""

    id: str
    subject: str | None
    """The ``sub`` of its token."""
    dialect: str
    """What it speaks."""
    age_s: float
    """For how many seconds it has been there."""
    laggard: bool
    """Whether it is behind."""


class Members(_Told):
    """Members by age, the oldest first."""

    members: list[MemberInfo]
    next: str | None
    """To be sent as ``after`` for more; null: these were the last."""


class MessageInfo(_Told):
    """A message that its room keeps. It has a text, or bytes as base64."""

    model_config = ConfigDict(serialize_by_alias=True)

    offset: int
    time_ms: int
    """When it was published, in milliseconds since 1970."""
    sender: Annotated[str | None, Field(alias="from")]
    """The member that sent it; null: it came in by this API."""
    subject: str | None = None
    """Who that was, as its token says."""
    text: str | None = None
    base64: str | None = None


class Messages(_Told):
    """What a room keeps, the oldest first."""

    epoch: str
    head: int | None
    """The offset of the newest message of this room; null: it is not open, and keeps nothing."""
    gap: Literal["epoch", "offset"] | None
    """Why messages may be missing between ``after`` and the first of these: it is of another life of the relay, or
    what came next is not kept any more. null: none are."""
    messages: list[MessageInfo]
    next: str | None
    """To be sent as ``after`` for what comes next; null: the room is not open."""


class Closed(_Told):
    """Who is sent away: many of them after the answer."""

    members: int


class Problem(_Told):
    """Why a request was refused (RFC 9457)."""

    type: str
    """about:blank: the status says it all."""
    title: str
    """The status in words."""
    status: int
    detail: str
    """The rule that was broken, and nothing of the request."""


# --- the configuration


class ConfigurationChange(_Told):
    """A key that has another value. Of secrets, and of templates that are new or gone, values are not told."""

    key: str
    """As in ``--set``; of a template, ``rooms.<its name>.<key>``."""
    old: str | None
    """As TOML writes it, and not more than the beginning of what is long; or ``removed``."""
    new: str | None
    """Likewise; or ``added``, or ``changed`` of what must not be shown."""


class Reloaded(_Told):
    """The configuration has been read again, and holds."""

    changes: list[ConfigurationChange]
    """What is different now."""


class RefusedExample(_Told):
    """One of those who would be refused."""

    id: str
    """Which connection."""
    origin: str | None
    """The page that it came from."""


class RefusedMembers(_Told):
    """Members who would be refused for one reason, if they came again."""

    outcome: str
    """The word of log and metric."""
    rule: str
    """What decides."""
    members: int
    """How many they are."""
    examples: list[RefusedExample]
    """The first of them."""


class ExceededLimit(_Told):
    """A limit that would lie below what is in use."""

    key: str
    """Its name."""
    limit: int
    """As it would be."""
    in_use: int
    """What there is now."""
    effect: Literal["refuse", "close", "skip", "forget"]
    """What comes of it. ``refuse``: nobody is closed, and newcomers are refused until it is less. At once, ``close``:
    those furthest behind are closed; ``skip``: they miss messages; ``forget``: the oldest that rooms keep is forgotten.
    """


class Planned(_Told):
    """What a configuration file would do. Nothing was changed."""

    changes: list[ConfigurationChange]
    """What would be different."""
    restart: list[str]
    """The keys that only a start can take: a reload would be refused, and a restart closes all members."""
    members: int
    """How many members there are."""
    drain_s: float
    """Over how many seconds a restart would close them."""
    refused: list[RefusedMembers]
    """Who would not be let in again, by reason."""
    below_use: list[ExceededLimit]
    """Limits below what is in use."""


class EndingInfo(_Told):
    """How one connection ended, or why it never was one."""

    id: MemberId
    """Its id."""
    kind: Literal["refused", "closed"]
    """Whether it had been let in."""
    ago_s: float
    """How long ago."""
    time_ms: int
    """When, in milliseconds since 1970: where to look in the log."""
    reason: str
    """The word of log and metrics: an outcome of handshakes, or the reason of a close."""
    code: int | None
    """The status that it was answered, or the code of its close frame; null where it was told nothing."""
    limit: str | None
    """The setting that it exceeded."""
    age_s: float
    """How long it had lasted."""
    room: str | None
    """Its room, or the path that was asked for."""
    template: str | None
    """That of its room."""
    dialect: str | None
    """What it spoke, where it got so far."""
    address: str
    """As much of it as the log may name."""
    origin: str | None
    """The page that it came from."""
    message: str
    """What one that was refused was told."""
    hint: str
    """What an operator may do about that."""
    sent_bytes: int | None
    """What its peer acknowledged in all; null where the system does not say."""
    received_bytes: int | None
    """What came from it."""
    behind_messages: int | None
    """How many messages it was behind its room; null if it was up to date."""
    behind_bytes: int | None
    """How many bytes these are, as far as they are kept."""


class ConnectedInfo(_Told):
    """A connection that has not ended."""

    id: MemberId
    """Its id."""
    room: str
    """Where it is."""
    dialect: str
    """What it speaks."""
    address: str
    """As much of it as the log may name."""
    age_s: float
    """How long it has been there."""
    behind_messages: int | None
    """How many messages it is behind; null if it is up to date."""
    behind_bytes: int | None
    """How many bytes these are."""


class Endings(_Told):
    """What is remembered."""

    endings: list[EndingInfo]
    """The newest first."""
    connected: list[ConnectedInfo]
    """Those of that id or address who are still there, ``limit`` at most. None of an origin."""
    connected_count: int
    """How many they are in all."""
    max_age_s: float
    """For how long endings are remembered."""
