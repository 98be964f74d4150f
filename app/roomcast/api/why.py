"""``/api/v1/why``: why connections were refused or closed, of whoever quotes an id, an address or an origin."""

from __future__ import annotations

import re
import time
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from falcon import HTTPConflict

from roomcast.api import intake
from roomcast.api.answers import say
from roomcast.api.keys import Scope
from roomcast.api.members import find_connection
from roomcast.api.models import ConnectedInfo, EndingInfo, Endings, WhyQuery
from roomcast.policies.origins import UNNAMED, spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcon import Request, Response

    from roomcast.api.guard import Guard
    from roomcast.metrics.record import Ending, Record
    from roomcast.relay.hub import Hub

_CONNECTION_ID: Final = re.compile(r"[a-z2-7]{8}\.[0-9]{1,18}")


class Why:
    """``/api/v1/why``: what the record holds.

    Args:
        guard: Lets readers in.
        hub: Where a connection is that has not ended.
        record: What became of the others.
        address_for_logs: What the record has in the place of an address.
        clock: The one by which members note when they came, and the record when they went.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        guard: Guard,
        hub: Hub,
        record: Record,
        address_for_logs: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._guard = guard
        self._hub = hub
        self._record = record
        self._address_for_logs = address_for_logs
        self._clock = clock
        self._wall_clock = wall_clock

    def on_get(self, request: Request, response: Response) -> None:
        """Tell the newest endings that fit."""
        self._guard.require(request, Scope.READ)
        query = intake.query(request, WhyQuery)
        now_s = self._clock()
        endings = [self._info(ending, now_s) for ending in self._find(query, now_s)]
        say(
            response,
            Endings(endings=endings, connected=self._connected(query, now_s), max_age_s=self._record.max_age_s),
        )

    def _find(self, query: WhyQuery, now_s: float) -> list[Ending]:
        if _CONNECTION_ID.fullmatch(query.of):
            return self._record.find("id", query.of, query.limit, now_s)
        try:
            address = ip_address(query.of)
        except ValueError:
            # A network, as it is told where addresses are truncated.
            found = self._record.find("address", query.of, query.limit, now_s)
            return found or self._record.find("origin", _as_kept(query.of), query.limit, now_s)
        # A door of both families is told of IPv4 in IPv6, and the record has it plain.
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return self._record.find("address", self._kept(str(address)), query.limit, now_s)

    def _kept(self, address: str) -> str:
        """Return an address as the record has it."""
        kept = self._address_for_logs(address)
        if not kept:
            raise HTTPConflict(description='no address is kept, because of [log] addresses = "none"')
        return kept

    def _connected(self, query: WhyQuery, now_s: float) -> ConnectedInfo | None:
        member = find_connection(self._hub, query.of)
        if member is None or not member.is_in_room:
            return None
        behind = member.room.laggards.behind(member)
        return ConnectedInfo(
            id=member.id,
            room=member.room.name,
            dialect=member.dialect,
            age_s=round(now_s - member.joined_s, 3),
            behind_messages=None if behind is None else behind.messages,
            behind_bytes=None if behind is None else behind.size_bytes,
        )

    def _info(self, ending: Ending, now_s: float) -> EndingInfo:
        behind, ago_s = ending.behind, now_s - ending.at_s
        return EndingInfo(
            id=ending.id,
            kind=ending.kind,
            ago_s=round(ago_s, 3),
            time_ms=round((self._wall_clock() - ago_s) * 1000),
            reason=ending.reason,
            code=ending.code,
            limit=ending.limit,
            age_s=round(ending.age_s, 3),
            room=ending.room,
            template=ending.template,
            dialect=ending.dialect,
            address=ending.address,
            origin=ending.origin,
            message=ending.message,
            hint=ending.hint,
            sent_bytes=ending.sent_bytes,
            received_bytes=ending.received_bytes,
            behind_messages=None if behind is None else behind.messages,
            behind_bytes=None if behind is None else behind.size_bytes,
        )


def _as_kept(origin: str) -> str:
    """Return an origin as the record has it, however it was copied; what is none stays as it is."""
    kept = spelled(origin.removesuffix("/"))
    return origin if kept in UNNAMED else kept
