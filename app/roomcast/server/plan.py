"""What another configuration would do to those who are here: said beforehand, and nothing is changed.

Each member is asked what the door would ask it if it came again with what it came with. Its
token is not kept: whether another key could check it, or which other rooms it opens, nobody can say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from roomcast.api import models
from roomcast.api.configuration import told
from roomcast.api.turns import Slices
from roomcast.policies.grants import Grant
from roomcast.server.files import connections_max
from roomcast.settings import Settings
from roomcast.settings.difference import Change, restart_keys
from roomcast.transport.admission import Admission, Outcome, Refusal, RoomTemplate
from roomcast.transport.visit import Visit

if TYPE_CHECKING:
    from roomcast.relay.room import Room

EXAMPLES_MAX = 5
"""How many of those are named who would be refused for one reason."""


class Member(Protocol):
    """What is asked here of a member."""

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
    """A limit that would lie below what is in use. Nobody is closed for that; newcomers are refused."""

    key: str
    limit: int
    in_use: int


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
    crowds: dict[str, int] = {}
    members = 0
    for member in in_use.members:
        members += 1
        _judge(member, admission, refused, crowds)
        end_slice()
    return Plan(
        changes,
        restart_keys(changes),
        members,
        in_use.drain_s,
        sorted(refused.values(), key=lambda one: -one.members),
        _below_use(settings, admission, in_use, crowds),
    )


def _judge(
    member: Member, admission: Admission, refused: dict[tuple[Outcome, str], Refused], crowds: dict[str, int]
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
        crowds[template.name] = max(crowds.get(template.name, 0), member.room.member_count)


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


def _below_use(settings: Settings, admission: Admission, in_use: InUse, crowds: dict[str, int]) -> list[Exceeded]:
    limits = settings.limits
    pairs = [
        ("limits.connections_max", connections_max(limits.connections_max), in_use.connections),
        ("limits.connections_per_address", limits.connections_per_address, in_use.of_one_address),
        ("limits.rooms_max", limits.rooms_max, in_use.rooms),
    ]
    totals = (
        ("limits.lag_total_max_bytes", limits.lag_total_max_bytes, in_use.lag_bytes),
        ("limits.history_total_max_bytes", limits.history_total_max_bytes, in_use.history_bytes),
    )
    # "auto" is as much as it was.
    pairs += [(key, limit, used) for key, limit, used in totals if limit != "auto"]
    pairs += [
        (f"rooms.{template.name}.members_max", template.rules.members_max, crowds.get(template.name, 0))
        for template in admission.templates
    ]
    return [Exceeded(key, limit, used) for key, limit, used in pairs if 0 < limit < used]


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
        below_use=[models.ExceededLimit(key=one.key, limit=one.limit, in_use=one.in_use) for one in plan.below_use],
    )
