"""What another configuration would do to those who are here: said beforehand, and nothing is changed.

Each member is asked what the door would ask it if it came again with what it came with. Its
token is not kept: whether another key could check it, or which other rooms it opens, nobody can say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from roomcast.api import models
from roomcast.api.configuration import told
from roomcast.api.turns import Slices
from roomcast.policies.grants import Grant
from roomcast.relay.member import Member as RoomMember
from roomcast.server.files import connections_max
from roomcast.server.memory import MemoryLimit, history_total_max_bytes, lag_total_max_bytes
from roomcast.settings import Settings
from roomcast.settings.difference import Change, restart_keys
from roomcast.transport.admission import Admission, Outcome, Refusal, RoomTemplate
from roomcast.transport.visit import Visit

if TYPE_CHECKING:
    from roomcast.relay.room import Room

EXAMPLES_MAX = 5
"""How many of those are named who would be refused for one reason."""

Effect = Literal["refuse", "close", "skip", "forget"]


class Member(RoomMember, Protocol):
    """What is asked here of a member, beside what its room asks."""

    visit: Visit
    grant: Grant | None

    @property
    def id(self) -> str:
        """Which connection it is."""

    @property
    def room(self) -> Room:
        """Where it is."""

    @property
    def dialect(self) -> str:
        """What it speaks."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What a relay has in use."""

    members: Iterable[Member]
    connections: int
    of_one_address: int
    rooms: int
    lag_bytes: int
    history_bytes: int
    drain_s: float
    """How long a restart takes by the settings that hold: whoever is told to end goes by no others."""
    memory: MemoryLimit | None = None
    """What the process may take, where anything limits it: "auto" is a share of it."""


@dataclass(slots=True)
class Refused:
    """Those who would be refused for one reason if they came again."""

    outcome: Outcome
    rule: str
    members: int = 0
    examples: list[tuple[str, str | None]] = field(default_factory=list)
    """Ids and origins of some."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that would lie below what is in use."""

    key: str
    limit: int
    in_use: int
    effect: Effect = "refuse"
    """What comes of it: newcomers are refused; or at once, those furthest behind are closed or skip
    messages, or the oldest of what rooms keep is forgotten."""


@dataclass(slots=True)
class Crowd:
    """What the fullest room of a template has."""

    members: int = 0
    behind_bytes: int = 0
    """How far behind a member is that would be further behind than it may."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What another configuration would do."""

    changes: Sequence[Change]
    restart: Sequence[str]
    """The keys that only a start can take: a reload is refused, and a restart closes all members."""
    members: int
    drain_s: float
    refused: Sequence[Refused]
    below_use: Sequence[Exceeded]


def draw_up(
    changes: Sequence[Change],
    settings: Settings,
    admission: Admission,
    in_use: InUse,
    end_slice: Callable[[], None] | None = None,
) -> Plan:
    """Return what a configuration would do. Other greenlets have their turn in between.

    Args:
        changes: What it changes.
        settings: It.
        admission: Made of it.
        in_use: What there is now.
        end_slice: Called behind each member.
    """
    end_slice = end_slice or Slices().end
    refused: dict[tuple[Outcome, str], Refused] = {}
    crowds = {template.name: Crowd() for template in admission.templates}
    members = 0
    for member in in_use.members:
        members += 1
        _judge(member, admission, refused, crowds)
        _measure_lag(member, admission, crowds)
        end_slice()
    return Plan(
        changes,
        restart_keys(changes),
        members,
        in_use.drain_s,
        sorted(refused.values(), key=lambda one: -one.members),
        _below_use({change.key for change in changes}, settings, admission, in_use, crowds),
    )


def _judge(
    member: Member, admission: Admission, refused: dict[tuple[Outcome, str], Refused], crowds: dict[str, Crowd]
) -> None:
    try:
        template = _admit(member, admission)
    except Refusal as refusal:
        rule = refusal.rule or refusal.message
        entry = refused.setdefault((refusal.outcome, rule), Refused(refusal.outcome, rule))
        entry.members += 1
        if len(entry.examples) < EXAMPLES_MAX:
            entry.examples.append((member.id, member.visit.origin))
    else:
        crowd = crowds[template.name]
        crowd.members = max(crowd.members, member.room.member_count)


def _measure_lag(member: Member, admission: Admission, crowds: dict[str, Crowd]) -> None:
    """Note one that would be too far behind: its room goes by the new rules, whether or not it could come again."""
    room = member.room
    template, behind = admission.template_of(room.name), room.laggards.behind(member)
    if template is None or behind is None:
        return
    if behind.size_bytes > template.rules.after(room.rules).lag_max_bytes:
        crowd = crowds[template.name]
        crowd.behind_bytes = max(crowd.behind_bytes, behind.size_bytes)


def _admit(member: Member, admission: Admission) -> RoomTemplate:
    """Return by which template it would come in again. Raises Refusal."""
    room, visit = member.room.name, member.visit
    admission.check_host(visit.host, room)
    if not admission.speaks(member.dialect):
        raise Refusal(426, Outcome.DIALECT, f"{member.dialect} is not spoken here")
    template = admission.judge(room, visit).template
    if template.access == "token" and member.grant is None:
        raise Refusal(401, Outcome.BEARER, f'access = "token" of template "{template.name}", and it showed none')
    return template


def _below_use(
    changed: set[str], settings: Settings, admission: Admission, in_use: InUse, crowds: dict[str, Crowd]
) -> list[Exceeded]:
    limits, memory = settings.limits, in_use.memory
    exceeded = [
        Exceeded("limits.connections_max", connections_max(limits.connections_max), in_use.connections),
        Exceeded("limits.connections_per_address", limits.connections_per_address, in_use.of_one_address),
        Exceeded("limits.rooms_max", limits.rooms_max, in_use.rooms),
    ]
    # Who is beyond one that holds already is being seen to.
    if "limits.lag_total_max_bytes" in changed:
        lag_bytes = lag_total_max_bytes(limits.lag_total_max_bytes, memory)
        exceeded.append(Exceeded("limits.lag_total_max_bytes", lag_bytes, in_use.lag_bytes, "close"))
    if "limits.history_total_max_bytes" in changed:
        history_bytes = history_total_max_bytes(limits.history_total_max_bytes, memory)
        exceeded.append(Exceeded("limits.history_total_max_bytes", history_bytes, in_use.history_bytes, "forget"))
    for template in admission.templates:
        key, rules, crowd = f"rooms.{template.name}", template.rules, crowds[template.name]
        exceeded += [
            Exceeded(f"{key}.members_max", rules.members_max, crowd.members),
            Exceeded(f"{key}.lag_max_bytes", rules.lag_max_bytes, crowd.behind_bytes, rules.overflow),
        ]
    # A limit that is only reported keeps nobody out.
    return [
        one for one in exceeded if 0 < one.limit < one.in_use and one.key.rpartition(".")[2] not in limits.report_only
    ]


def told_as(plan: Plan) -> models.Planned:
    """Return it as the API tells it."""
    return models.Planned(
        changes=told(plan.changes),
        restart=list(plan.restart),
        members=plan.members,
        drain_s=plan.drain_s,
        refused=[
            models.RefusedMembers(
                outcome=str(one.outcome),
                rule=one.rule,
                members=one.members,
                examples=[models.RefusedExample(id=member, origin=origin) for member, origin in one.examples],
            )
            for one in plan.refused
        ],
        below_use=[
            models.ExceededLimit(key=one.key, limit=one.limit, in_use=one.in_use, effect=one.effect)
            for one in plan.below_use
        ],
    )
