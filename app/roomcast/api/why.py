"""``/api/v1/why``: why connections were refused or closed, of whoever quotes an id, an address or an origin.

And who of them is still here: it may be another of the same address that the user asks about.
"""

from __future__ import annotations

import re
import time
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final, Literal

from falcon import HTTPConflict

from roomcast.api import intake
from roomcast.api.answers import say
from roomcast.api.keys import Scope
from roomcast.api.members import all_connections, find_connection
from roomcast.api.models import ConnectedInfo, EndingInfo, Endings, WhyQuery
from roomcast.policies.origins import UNNAMED, spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcon import Request, Response

    from roomcast.api.guard import Guard
    from roomcast.api.members import Connection
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
        by, wanted = self._wanted(query.of)
        now_s = self._clock()
        endings = [self._info(ending, now_s) for ending in self._record.find(by, wanted, query.limit, now_s)]
        here = [self._here(member, now_s) for member in self._connected(by, wanted)]
        say(
            response,
            Endings(
                endings=endings,
                connected=here[: query.limit],
                connected_count=len(here),
                max_age_s=self._record.max_age_s,
            ),
        )

    def _wanted(self, of: str) -> tuple[Literal["id", "address", "origin"], str]:
        """Return what is asked for, and as the record has it."""
        if _CONNECTION_ID.fullmatch(of):
            return "id", of
        try:
            address = ip_address(of)
        except ValueError:
            # A network is how an address is told where it is truncated.
            return ("address", of) if _is_network(of) else ("origin", _as_kept(of))
        # A door of both families is told of IPv4 in IPv6, and the record has it plain.
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return "address", self._kept(str(address))

    def _kept(self, address: str) -> str:
        """Return an address as the record has it."""
        kept = self._address_for_logs(address)
        if not kept:
            raise HTTPConflict(description='no address is kept, because of [log] addresses = "none"')
        return kept

    def _connected(self, by: str, wanted: str) -> list[Connection]:
        """Return who is still here. From a page there may be all of them, of whom nothing is asked."""
        if by == "id":
            member = find_connection(self._hub, wanted)
            found = [] if member is None else [member]
        elif by == "address":
            found = [each for each in all_connections(self._hub) if self._address_for_logs(each.address) == wanted]
        else:
            found = []
        return [member for member in found if member.is_in_room]

    def _here(self, member: Connection, now_s: float) -> ConnectedInfo:
        behind = member.room.laggards.behind(member)
        return ConnectedInfo(
            id=member.id,
            room=member.room.name,
            dialect=member.dialect,
            address=self._address_for_logs(member.address),
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


def _is_network(of: str) -> bool:
    try:
        ip_network(of)
    except ValueError:
        return False
    return True


def _as_kept(origin: str) -> str:
    """Return an origin as the record has it, however it was copied; what is none stays as it is."""
    kept = spelled(origin.removesuffix("/"))
    return origin if kept in UNNAMED else kept
