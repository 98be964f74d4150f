"""Every knob that Roomcast has: its name, unit, default, bounds and reason.

The docstring below a field is its description, in the JSON schema too. The long
form, what goes wrong without it, is for operators and stands in
``config/roomcast.toml``; a test holds the two together.

Units are part of a name (``_s``, ``_bytes``). Everything is frozen, and an unknown
key is an error: a misspelt limit that is silently ignored is no limit.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from roomcast.settings.values import (
    REPORTABLE,
    ApiKey,
    BindHost,
    BodySize,
    BufferSize,
    CookieName,
    Count,
    HeaderCount,
    HeadSize,
    Interval,
    JwksUrl,
    LogSize,
    Names,
    Networks,
    OriginPatterns,
    Paths,
    Port,
    Protocols,
    Scopes,
    ServedHosts,
    Size,
    TemplateName,
    TemplatePath,
    TokenSecret,
    TotalSize,
    Wait,
    parse_json,
)


class Section(BaseModel):
    """A part of the configuration: fixed once read, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class ServerSettings(Section):
    """The public door: where it listens and what it speaks."""

    host: BindHost = "127.0.0.1"
    """Address to listen on: "0.0.0.0", "::" for both families, or "unix:/absolute/path"."""
    port: Port = 8080
    """TCP port; 0 takes any free one."""
    hosts: ServedHosts = ()
    """Host names that are served; empty serves any."""
    protocols: Protocols = ("rfc6455", "hixie76", "sse")
    """What is spoken: the dialects of WebSocket, and event streams."""
    trusted_proxies: Networks = ()
    """Networks and addresses of proxies, or unix:, that are believed when they say for whom they speak."""
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The one header in which they name their client."""
    proxy_protocol: bool = False
    """Whether they begin each connection with a PROXY header."""
    demo: bool = False
    """Whether GET / is the chat page."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 8.0
    """Seconds over which members are closed when the relay stops."""
    accept_per_s: Annotated[int, Field(ge=1, le=100_000)] = 500
    """How many clients a second a node can accept that come back; members are told when by it."""


class TlsSettings(Section):
    """The certificate of the public door. Without one it serves in clear."""

    certificate: str = ""
    """Path of a PEM file: the server's certificate, then those of its issuers."""
    key: str = ""
    """Path of a PEM file with the private key, not encrypted; may be the same file."""


class AdminSettings(Section):
    """The private door: metrics, health and the API."""

    host: BindHost = "127.0.0.1"
    """Address to listen on. Never publish it to the internet."""
    port: Port = 8081
    """TCP port; 0 takes any free one."""
    hosts: ServedHosts = ()
    """Host names that the API and the pages answer to, beside localhost and addresses."""
    api_key: Annotated[ApiKey, Field(repr=False)] = ""
    """One key of the API, with every scope; empty for none."""
    body_max_bytes: BodySize = 1_048_576
    """Bytes of a request's body."""
    canary_interval_s: Interval = 15.0
    """Seconds between two rounds of the canary, which enters by the public door; 0: none."""
    record_entries: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    """How many refusals and closes are remembered for whoever asks why; 0 for none."""
    record_max_age_s: Annotated[float, Field(ge=1, le=3600)] = 3600.0
    """Seconds for which they are, an hour at most."""
    busiest_rooms: Annotated[int, Field(ge=0, le=100)] = 0
    """How many rooms are named in the metrics, those in which most is said; 0 for none."""


class OriginSettings(Section):
    """Which web pages may connect. Origins protect browsers' users, not rooms."""

    same_origin: bool = True
    """Whether a page that was served under our own scheme, host and port may connect."""
    allow: OriginPatterns = ()
    """Origins that may connect, as scheme://host[:port], with * for left-most labels or any port."""
    missing: Literal["allow", "refuse"] = "allow"
    """What happens to a client that sends no Origin, as programs do that are no browser."""
    enforce: bool = True
    """False only counts and logs what would be refused."""
    shadow: OriginPatterns = ()
    """A stricter list that is tried beside allow, and never enforced; empty for none."""


class TokenSettings(Section):
    """Tokens: which ones are good, and where they may be."""

    secret: Annotated[TokenSecret, Field(repr=False)] = ""
    """A secret that HS256 tokens are signed with; empty for none. Never shown."""
    keys: Paths = ()
    """Paths of files with keys: PEM, JWK, JWKS, or a secret for HS256 as text."""
    jwks_url: JwksUrl = ""
    """Where a JWKS with public keys is served; empty for nowhere."""
    jwks_refresh_s: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    """Seconds between two looks at jwks_url."""
    issuer: str = ""
    """What tokens must have for iss; empty for any, or none."""
    audience: str = ""
    """What tokens must have for aud, or in it; empty for any, or none."""
    leeway_s: Annotated[float, Field(ge=0, le=300)] = 0.0
    """Seconds by which the clock of whoever issues tokens may differ from ours."""
    cookie: CookieName = ""
    """The name of a cookie that holds a token; empty for none."""
    query: bool = False
    """Whether ?token= is read."""
    warn_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Seconds before its token ends at which a member that can be told is told; 0 for never."""


class LimitSettings(Section):
    """What one peer, one room and the whole process may take."""

    connections_max: Literal["auto"] | Count = "auto"
    """Open connections; auto is the limit of open files less 256."""
    connections_per_address: Count = 1000
    """Open connections from one public address, IPv6 by /64."""
    handshakes_max: Count = 1000
    """Handshakes in flight."""
    handshakes_per_address: Count = 100
    """Handshakes in flight from one public address, IPv6 by /64."""
    handshake_timeout_s: Wait = 10.0
    """Seconds in which a client must have sent its whole handshake."""
    head_max_bytes: HeadSize = 16_384
    """Bytes of a request's head."""
    headers_max: HeaderCount = 100
    """Header lines of a request."""
    rooms_max: Count = 10_000
    """Rooms that exist at a time."""
    message_max_bytes: Size = 65_536
    """Bytes of one message."""
    fragments_max: Count = 4096
    """Frames that one message may be cut into."""
    messages_per_s: Count = 100
    """Messages a second that a member may send; bursts of twice that pass."""
    bytes_per_s: Size = 262_144
    """Bytes of messages a second that a member may send; bursts of twice that pass."""
    control_frames_per_s: Count = 50
    """Pings, pongs and frames to discard that a member may send a second; bursts of twice that pass."""
    fragments_per_s: Count = 2048
    """Frames a second that end no message; bursts of twice that pass, which must hold fragments_max."""
    ping_interval_s: Interval = 25.0
    """Seconds between two pings to a member."""
    pong_timeout_s: Interval = 10.0
    """Seconds after a ping in which a member must give a sign of life."""
    write_timeout_s: Interval = 30.0
    """Seconds that a member may take none of what it is owed."""
    close_timeout_s: Wait = 2.0
    """Seconds to wait for a peer's half of the closing handshake."""
    lag_total_max_bytes: Literal["auto"] | TotalSize = "auto"
    """Bytes held for all laggards together, the kernel's included; auto is a share of the container's memory."""
    history_total_max_bytes: Literal["auto"] | TotalSize = "auto"
    """Bytes that all rooms keep for those who come later; auto is a share of the container's memory."""
    send_buffer_bytes: BufferSize = 65_536
    """Bytes that the kernel takes, and has not sent, for one stalled member; 0 leaves it to the kernel."""
    receive_buffer_bytes: BufferSize = 65_536
    """Bytes that the kernel takes of what one member sends while it is not read; 0 leaves it to the kernel."""
    report_only: Names = ()
    """The limits whose excess is counted and logged, and not enforced."""

    @field_validator("report_only")
    @classmethod
    def _check_reported(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for index, name in enumerate(names):
            if name not in REPORTABLE:
                known = name in {*cls.model_fields, *RoomSettings.model_fields}
                # A name that is none may have come from a secret.
                named = f"{name} protects memory and is always enforced" if known else f"number {index + 1} is no limit"
                raise ValueError(f"{named}; those that can be reported only are {', '.join(REPORTABLE)}")
        return names


class DeflateSettings(Section):
    """Compression of messages by permessage-deflate (RFC 7692), for clients that offer it."""

    enabled: bool = False
    """Whether it is agreed on."""
    level: Annotated[int, Field(ge=1, le=9)] = 1
    """zlib's level, from 1, the fastest, to 9, the smallest."""
    min_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 256
    """Bytes of a message below which it is sent as it is."""


class RoomOriginSettings(Section):
    """Origins of one room template."""

    allow: OriginPatterns
    """Replaces [origins].allow for this template, and nothing else of that section but shadow."""
    shadow: OriginPatterns = ()
    """Replaces [origins].shadow for this template; empty for none."""


OWN_LIMITS = ("message_max_bytes", "messages_per_s", "bytes_per_s", "control_frames_per_s")
"""The limits that a template may have of its own."""


class RoomSettings(Section):
    """A room template: the rooms that it matches and how they behave."""

    name: TemplateName
    """The label of these rooms in metrics and logs."""
    path: TemplatePath
    """The paths that are such rooms: {x} is one segment, {x...} the rest."""
    access: Literal["open", "token"] = "open"
    """Whether anybody may enter whose origin may, or whoever has a token for the room."""
    echo: bool = False
    """Whether a sender receives its own messages."""
    members_max: Count = 10_000
    """Members of one room; 0 for no limit."""
    overflow: Literal["close", "skip"] = "close"
    """What happens to a member that falls too far behind: close it, or skip to the newest message."""
    over_rate: Literal["close", "drop"] = "close"
    """What happens beyond messages_per_s or bytes_per_s: close the sender, or drop the message."""
    lag_max_bytes: LogSize = 4_194_304
    """Bytes of its room's log that a member may fall behind; at least twice message_max_bytes."""
    pending_max_bytes: LogSize = 1_048_576
    """Bytes not yet flushed above which whoever publishes is not read; at least message_max_bytes."""
    gather_max_s: Annotated[float, Field(ge=0, le=1)] = 0.025
    """Seconds that a busy room may gather messages into one burst; 0 for never."""
    greeting: str = ""
    """A text message to every newcomer; empty for none."""
    history_messages: Annotated[int, Field(ge=0, le=100_000)] = 0
    """How many of the newest messages are kept for those who come later; 0 for none."""
    history_max_bytes: LogSize = 1_048_576
    """Bytes of them; at least message_max_bytes, and at most half of lag_max_bytes."""
    history_max_age_s: Annotated[float, Field(ge=1, le=2_592_000)] = 3600.0
    """Seconds for which they are kept."""
    presence: bool = False
    """Whether members who speak roomcast.json are told who comes and goes."""
    presence_interval_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    """Seconds for which those who come and go are gathered before the others are told."""
    message_max_bytes: Size | None = None
    """Replaces the limit of the same name for this template."""
    messages_per_s: Count | None = None
    """Replaces the limit of the same name for this template."""
    bytes_per_s: Size | None = None
    """Replaces the limit of the same name for this template."""
    control_frames_per_s: Count | None = None
    """Replaces the limit of the same name for this template."""
    origins: RoomOriginSettings | None = None
    """Replaces origins for this template, as { allow = [...], shadow = [...] }."""

    def inherit(self, limits: LimitSettings) -> "RoomSettings":
        """Return this template with every limit that it leaves open taken from ``limits``."""
        missing = {key: getattr(limits, key) for key in OWN_LIMITS if getattr(self, key) is None}
        return self.model_copy(update=missing)


class ApiKeySettings(Section):
    """A named holder of API keys, and what they open."""

    name: TemplateName
    """Who the holder is, for the log."""
    file: Annotated[str, Field(min_length=1)]
    """Path of a file with the keys, one a line: more than one while a new one replaces the old."""
    scopes: Scopes
    """What the keys open: publish, read, admin. None of them holds another."""


class LogSettings(Section):
    """What is written about all this, and how."""

    level: Literal["info", "warning", "error"] = "info"
    """The least important lines that are written."""
    format: Literal["auto", "console", "json"] = "auto"
    """console for people, json for machines; auto takes console on a terminal."""
    lines_per_s: Count = 50
    """Lines a second of those who join, of those who leave and of those who are refused; 0 for all."""
    addresses: Literal["full", "truncated", "none"] = "full"
    """How much of a client's address a line names; truncated keeps /24 of IPv4 and /48 of IPv6."""


# What an empty configuration serves.
DEFAULT_ROOM = RoomSettings(name="rooms", path="/rooms/{room}")


def _default_room_if_none(rooms: object) -> object:
    return rooms or (DEFAULT_ROOM,)


ApiKeys = Annotated[tuple[ApiKeySettings, ...], BeforeValidator(parse_json)]
Rooms = Annotated[tuple[RoomSettings, ...], BeforeValidator(_default_room_if_none), BeforeValidator(parse_json)]
