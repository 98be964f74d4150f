"""What the dashboard shows: the numbers of the metrics, and beside them what no label may say.

The numbers are the same plain integers that ``metrics/collector.py`` reads, so the two
cannot differ. What metrics cannot have is names that clients choose: rooms, and origins.
Here they are, but only the foremost, so that an answer is as long with a million rooms.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from roomcast.metrics import TransportCounters
    from roomcast.metrics.origins import RefusedOrigins
    from roomcast.relay.busiest import Busiest
    from roomcast.relay.counters import TemplateCounters
    from roomcast.relay.hub import Hub
    from roomcast.relay.room import Room

ROOMS_SHOWN: Final = 50
ORIGINS_SHOWN: Final = 20
# How many rooms are looked at until others have their turn: about a quarter of a millisecond.
_ROOMS_AT_ONCE: Final = 4_000


class Stats:
    """Reads all that there is to show.

    Args:
        hub: The rooms and their counters.
        counters: The public door's.
        is_ready: Whether new members are wanted.
        clock: Returns seconds from a clock that never goes back.
        now: Returns seconds since the Unix epoch.
        pause: Lets others have their turn, in a long search.
    """

    def __init__(
        self,
        hub: Hub,
        counters: TransportCounters,
        is_ready: Callable[[], bool],
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
        pause: Callable[[], None],
    ) -> None:
        self._hub = hub
        self._counters = counters
        self._is_ready = is_ready
        self._clock = clock
        self._now = now
        self._pause = pause
        self._began_s = clock()

    def read(self) -> dict[str, Any]:
        """Return everything as it is now, for JSON. What is searched for comes before what is read in one moment."""
        largest = self._largest_rooms()
        hub, counters = self._hub, self._counters
        return {
            "epoch": hub.epoch,
            "time_ms": round(self._now() * 1000),
            "uptime_s": round(self._clock() - self._began_s, 1),
            "is_ready": self._is_ready(),
            "is_draining": counters.is_draining,
            "connections": counters.connections,
            "connections_limit": counters.connections_limit,
            "templates": [_template(of) for of in hub.templates.values()],
            "rooms": [_room(room) for room in largest],
            "busiest_rooms": _busiest(hub.busiest),
            "handshakes": _summed(counters.handshakes),
            "refused_origins": _origins(counters.refused_origins),
            "shadow_origins": _origins(counters.shadow_origins),
            "closes": _summed(counters.disconnects),
            "limit_hits": {f"{limit} {action}": hits for (limit, action), hits in counters.limit_hits.items() if hits},
            "received_bytes": counters.received_bytes,
            "sent_bytes": counters.sent_bytes + sum(form.sent_bytes for form in counters.formats),
            "lag_bytes": hub.budget.held_bytes,
            "lag_bytes_limit": hub.budget.limit_bytes,
            "loop_lag": {"bounds_s": counters.loop_lag.bounds, "counts": counters.loop_lag.counts},
            "memory_bytes": _resident_bytes(),
        }

    def _largest_rooms(self) -> list[Room]:
        rooms = list(self._hub.rooms.values())
        largest: list[Room] = []
        for start in range(0, len(rooms), _ROOMS_AT_ONCE):
            if start:
                self._pause()
            candidates = largest + rooms[start : start + _ROOMS_AT_ONCE]
            largest = nlargest(ROOMS_SHOWN, candidates, key=lambda room: room.member_count)
        return largest


def _template(of: TemplateCounters) -> dict[str, Any]:
    return {
        "name": of.name,
        "rooms": of.rooms,
        "members": of.members,
        "laggards": of.laggards,
        "publishers_paused": of.publishers_paused,
        "received": of.received_text + of.received_binary,
        "published": of.published_text + of.published_binary,
        "delivered": of.delivered,
        "dropped": {reason.value: count for reason, count in of.dropped.items()},
    }


def _room(room: Room) -> dict[str, Any]:
    return {
        "name": room.name,
        "template": room.counters.name,
        "members": room.member_count,
        "laggards": len(room.laggards),
        "head": room.log.head,
        "log_bytes": room.log.size_bytes,
    }


def _busiest(busiest: Busiest | None) -> list[dict[str, Any]]:
    """Return the rooms in which most is said, and behind them all others as one without a name."""
    if busiest is None:
        return []
    rates = busiest.per_second()
    return [{"room": room, "messages_per_s": round(per_s, 3)} for room, per_s in (*rates.named, (None, rates.other))]


def _origins(table: RefusedOrigins) -> list[dict[str, Any]]:
    return [{"origin": origin, "refused": refused} for origin, refused in table.most(ORIGINS_SHOWN)]


def _summed(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Return the counts by the second label, over all dialects, without those that never happened."""
    sums: dict[str, int] = {}
    for (_, word), count in counts.items():
        if count:
            sums[str(word)] = sums.get(str(word), 0) + count
    return sums


def _resident_bytes() -> int | None:
    """Return the process's memory as the metric ``process_resident_memory_bytes`` has it; None where nobody says."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize()
