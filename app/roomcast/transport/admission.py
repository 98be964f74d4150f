"""May this client enter that room? Every answer but 101, and its reasons.

Nothing here reads or writes: it asks the policies in a fixed order and turns
the first "no" into an answer. The same code serves a handshake, a plain GET by
which somebody asks why a browser was refused, and ``roomcast explain``.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from roomcast.policies.grants import Grant
from roomcast.policies.hosts import ServedHosts
from roomcast.policies.origins import OriginPolicy, Verdict, how_to_allow, spelled
from roomcast.policies.templates import RoomNameError, Template, Templates, room_name
from roomcast.protocol import event_stream
from roomcast.protocol.handshake import Dialect
from roomcast.relay.rules import RoomRules
from roomcast.transport.visit import Visit

# Seconds. Long enough that a full relay is not asked again by all at once, and
# short enough that a page comes back by itself.
RETRY_LATER = (("Retry-After", "5"),)
_ASK_TO_UPGRADE = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))


class Outcome(StrEnum):
    """How a request at the public door ended: the label ``outcome`` and the word in the log."""

    ACCEPTED = "accepted"
    PAGE = "page"
    """A plain answer to a plain question: the page, readiness."""
    PREFLIGHT = "preflight"
    """A browser asked whether a page may read an event stream, and it may."""
    GONE = "gone"
    """The client left before its handshake was done."""
    TLS = "tls"
    """There is TLS here, and the client has none, or not one that agrees with ours."""
    MALFORMED = "malformed"
    METHOD = "method"
    VERSION = "version"
    HEAD_TOO_LARGE = "head_too_large"
    TIMEOUT = "timeout"
    DIALECT = "dialect"
    HOST = "host"
    NOT_FOUND = "not_found"
    ORIGIN = "origin"
    BEARER = "token"
    """There is no token, or it is not one that is good."""
    FORBIDDEN = "forbidden"
    """The token is good, and for other rooms."""
    NOT_UPGRADE = "not_upgrade"
    ADDRESS_LIMIT = "address_limit"
    FULL = "full"
    DRAINING = "draining"
    INTERNAL = "internal"


class Refusal(Exception):
    """A "no", with the answer that says so.

    Args:
        status: Of HTTP.
        outcome: The word for log and metric.
        message: One line for the client. It says which rule, and lists nothing.
        headers: To be sent beside it.
        hint: One line for the operator's log: what to change.
        room: The room that was asked for, where it got so far.
        template: The name of its template.
        rule: The text of the configuration that decides.
        limit: The setting that is exceeded, where that is the reason.
    """

    def __init__(
        self,
        status: int,
        outcome: Outcome,
        message: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        hint: str = "",
        room: str | None = None,
        template: str | None = None,
        rule: str | None = None,
        limit: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.outcome = outcome
        self.message = message
        self.headers = tuple(headers)
        self.hint = hint
        self.room = room
        self.template = template
        self.rule = rule
        self.limit = limit


def no_place(limit: str, *, status: int = 503, outcome: Outcome = Outcome.FULL) -> Refusal:
    """Return the answer to one who is one too many: by which setting, and to come later."""
    return Refusal(status, outcome, f"{limit} is reached", headers=RETRY_LATER, limit=limit)


@dataclass(frozen=True, slots=True)
class RoomTemplate:
    """A room template with everything that its rooms and members are held to."""

    template: Template
    rules: RoomRules
    origins: OriginPolicy
    allow_key: str
    """Where its allowlist stands in the configuration, for hints."""
    message_max_bytes: int
    messages_per_s: int
    bytes_per_s: int
    control_frames_per_s: int
    fragments_max: int
    fragments_per_s: int
    greeting: str
    access: Literal["open", "token"] = "open"
    """Whether it takes a token to enter."""
    shadow: OriginPolicy | None = None
    """Another list of origins, which is asked beside ``origins`` and decides nothing."""

    @property
    def name(self) -> str:
        """Its label in metrics and logs."""
        return self.template.name


@dataclass(frozen=True, slots=True)
class Admitted:
    """A "yes": into which room, and what allows it."""

    room: str
    template: RoomTemplate
    verdict: Verdict
    """About the origin. Where origins are only reported, it may be a "no"."""
    visit: Visit
    """How whoever enters came."""
    grant: Grant | None = None
    """What its token gives, where it has one."""
    shadow: Verdict | None = None
    """What the shadow says of an origin that is allowed; None where there is none, or the origin is only reported."""


class Admission:
    """The configured policies, asked in order: host, dialect, room, origin.

    Raises:
        ValueError: If two templates are ambiguous; both are quoted.
    """

    def __init__(
        self, templates: Sequence[RoomTemplate], *, hosts: Sequence[str] = (), protocols: Collection[str]
    ) -> None:
        self._templates = Templates([template.template for template in templates])
        self._by_name = {template.name: template for template in templates}
        self._hosts = ServedHosts(hosts)
        self._protocols = frozenset(protocols)

    @property
    def templates(self) -> Collection[RoomTemplate]:
        """All of them, in the order of the configuration."""
        return self._by_name.values()

    def template_of(self, room: str) -> RoomTemplate | None:
        """Return the template of a room, by a name that keeps the rules of names; None if there may be no such room."""
        matched = self._templates.match(room)
        return None if matched is None else self._by_name[matched.name]

    def check_host(self, host: str | None, path: str) -> None:
        """Refuse a Host that is not served here: 421, the request went to the wrong server (RFC 9110, 15.5.20).

        What is no room answers to any: load balancers probe it by address.
        """
        if path != "/" and not path.startswith("/-/") and not self._hosts.serves(host):
            raise Refusal(
                421,
                Outcome.HOST,
                f"{host} is not served here",
                hint=f'add "{host}" to [server] hosts, or empty it to serve any',
            )

    def speaks(self, protocol: str) -> bool:
        """Whether this is spoken here: a dialect, or event streams."""
        return protocol in self._protocols

    def check_dialect(self, dialect: Dialect) -> None:
        """Refuse a dialect that is not spoken here."""
        if not self.speaks(dialect):
            raise Refusal(
                426,
                Outcome.DIALECT,
                f"{dialect} is not spoken here",
                headers=_ASK_TO_UPGRADE,
                hint=f'add "{dialect}" to [server] protocols',
            )

    def admit(self, path: str, visit: Visit) -> Admitted:
        """Find the room that a path names, and judge the origin of whoever wants to enter.

        Raises:
            Refusal: 400 for what can be no room's name, 404 for a path that
                no template matches, 403 for the origin.
        """
        if path == "/":
            # The commonest mistake of all; and no template can match it.
            raise self._no_room()
        try:
            room = room_name(path)
        except RoomNameError as error:
            raise Refusal(400, Outcome.MALFORMED, str(error)) from None
        return self.judge(room, visit)

    def judge(self, room: str, visit: Visit) -> Admitted:
        """Do so for a room by a name that keeps the rules of names. Raises Refusal, as above."""
        template = self.template_of(room)
        if template is None:
            raise self._no_room()
        verdict = _judge(template.origins, visit)
        if not verdict.is_allowed and template.origins.enforce:
            raise _origin_refusal(visit.origin, room, template, verdict)
        shadow = None
        # Who is not allowed is counted already, so nobody is twice.
        if template.shadow is not None and verdict.is_allowed:
            shadow = _judge(template.shadow, visit)
        return Admitted(room, template, verdict, visit, shadow=shadow)

    def no_upgrade(self, *, wants_stream: bool) -> Refusal:
        """Return the answer to one who may enter, and does not say how: by an upgrade, or as an event stream."""
        also = ", or as an event stream" if self.speaks(event_stream.NAME) else ""
        return Refusal(
            426,
            Outcome.NOT_UPGRADE,
            f"this is a room: open it as a WebSocket{also}",
            headers=_ASK_TO_UPGRADE,
            hint=f'add "{event_stream.NAME}" to [server] protocols' if wants_stream else "",
        )

    def _no_room(self) -> Refusal:
        paths = ", ".join(template.template.path for template in self.templates)
        return Refusal(404, Outcome.NOT_FOUND, "no room has this path", hint=f"room paths here are {paths}")


def _judge(policy: OriginPolicy, visit: Visit) -> Verdict:
    return policy.judge(visit.origin, host=visit.host, scheme=visit.scheme, site=visit.site)


def _origin_refusal(origin: str | None, room: str, template: RoomTemplate, verdict: Verdict) -> Refusal:
    named = "a client without Origin" if origin is None else f"origin {spelled(origin)}"
    return Refusal(
        403,
        Outcome.ORIGIN,
        f"{named} may not enter: {verdict.rule}",
        hint=how_to_allow(origin, template.allow_key),
        room=room,
        template=template.name,
        rule=verdict.rule,
    )
