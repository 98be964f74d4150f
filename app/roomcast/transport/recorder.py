"""From a member that has gone, or a visitor that was refused, to what is remembered of it.

The record (``metrics/record.py``) knows no member and no clock. Here is who knows both, and has
old entries forgotten while nothing new comes. Addresses come as the log may name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from gevent.hub import get_hub

from roomcast.metrics.record import TEXT_MAX_CHARS, Ending, Record
from roomcast.policies.origins import spelled
from roomcast.relay.reasons import Reason
from roomcast.transport.loop import after

if TYPE_CHECKING:
    from collections.abc import Callable

    from roomcast.protocol.request import Request
    from roomcast.relay.member import Behind
    from roomcast.relay.room import Room
    from roomcast.transport.admission import Refusal
    from roomcast.transport.goodbyes import Goodbye
    from roomcast.transport.kernel import Traffic
    from roomcast.transport.visit import Visit
    from roomcast.transport.visitor import Visitor

# Who asks "kept at most an hour" of an operator means the hour, give or take this.
_FORGET_EVERY_S: Final = 10.0

# The setting that decides where a reason has only one. Those of RATE are told in its goodbye.
_LIMITS: Final = {
    Reason.LAGGING: "lag_max_bytes",
    Reason.OVERLOADED: "lag_total_max_bytes",
    Reason.PONG_TIMEOUT: "pong_timeout_s",
    Reason.WRITE_TIMEOUT: "write_timeout_s",
    Reason.TOO_BIG: "message_max_bytes",
}


class Parted(NamedTuple):
    """What only a member itself knows of its end."""

    goodbye: Goodbye | None
    """What it was told last; None where nothing could be said any more."""
    traffic: Traffic | None
    """What went over its connection."""
    behind: Behind | None
    """How far behind its room it was; None if it was not."""


class Ended(Protocol):
    """What is asked here of a member that has gone."""

    joined_s: float
    visit: Visit

    @property
    def id(self) -> str:
        """Which connection it was."""

    @property
    def room(self) -> Room:
        """The room that it was in."""

    @property
    def dialect(self) -> str:
        """What it spoke."""


class Recorder:
    """Writes the record.

    Args:
        record: Where it is kept.
        clock: Seconds from a clock that never goes back: the one that members and visitors have.
    """

    def __init__(self, record: Record, clock: Callable[[], float]) -> None:
        self.record = record
        self._clock = clock
        self._timer = get_hub().loop.timer(_FORGET_EVERY_S, _FORGET_EVERY_S)

    def start(self) -> None:
        """Have old entries forgotten from now on."""
        self._timer.start(self.forget_old)

    def stop(self) -> None:
        """Forget nothing more: the process ends."""
        self._timer.stop()
        self._timer.close()

    def limit(self, entries_max: int, max_age_s: float) -> None:
        """Remember no more than this from now on: as a reload asks for it."""
        self.record.limit(entries_max, max_age_s)
        self.forget_old()

    def forget_old(self) -> None:
        """Forget what is too old, or too much: some now, the others in the turns to come."""
        if self.record.forget_old(self._clock()):
            after(0.0, self.forget_old)

    def closed(self, member: Ended, address: str, reason: Reason, parted: Parted) -> None:
        """Remember how a member ended."""
        now_s, goodbye, traffic = self._clock(), parted.goodbye, parted.traffic
        limit = "" if goodbye is None else goodbye.detail.partition("limit=")[2]
        self.record.add(
            Ending(
                id=member.id,
                kind="closed",
                at_s=now_s,
                reason=str(reason),
                code=None if goodbye is None or reason is Reason.GONE else goodbye.code,
                age_s=now_s - member.joined_s,
                limit=limit or _LIMITS.get(reason),
                room=member.room.name,
                template=member.room.counters.name,
                dialect=str(member.dialect),
                address=address,
                origin=_origin(member.visit.origin),
                sent_bytes=None if traffic is None else traffic.sent_bytes,
                received_bytes=None if traffic is None else traffic.received_bytes,
                behind=parted.behind,
            )
        )

    def refused(
        self, connection_id: str, visitor: Visitor, address: str, request: Request | None, refusal: Refusal
    ) -> None:
        """Remember who was refused, and why."""
        now_s = self._clock()
        asked_for = refusal.room or (None if request is None else request.path)
        self.record.add(
            Ending(
                id=connection_id,
                kind="refused",
                at_s=now_s,
                reason=str(refusal.outcome),
                code=refusal.status if visitor.may_answer else None,
                age_s=now_s - visitor.now_s,
                limit=refusal.limit,
                room=None if asked_for is None else asked_for[:TEXT_MAX_CHARS],
                template=refusal.template,
                dialect=None if visitor.dialect is None else str(visitor.dialect),
                address=address,
                origin=None if request is None else _origin(request.origin),
                message=refusal.message[:TEXT_MAX_CHARS],
                hint=refusal.hint[:TEXT_MAX_CHARS],
            )
        )


def _origin(origin: str | None) -> str | None:
    """Return an origin as logs and metrics spell it, so that it is found by what stands there."""
    return None if origin is None else spelled(origin)[:TEXT_MAX_CHARS]
