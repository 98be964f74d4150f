"""Bytes held for laggards over the whole process, and when they are too many.

Held for them are the logs of their rooms, with the frames made of them, and
what the kernel keeps for each: that is charged to a container as well, and a
thousand phones that have stopped reading are 100 MiB of it which no process is
shown to use. Whoever holds something says how much at the few moments when that
changes, so what is held is one sum, and to ask costs nothing.

* From ``TIGHT_SHARE`` of the limit on nobody more is kept: a member that would
  become a laggard is closed.
* Above the limit those who are furthest behind are cut (see ``shedding.py``),
  down to ``CALM_SHARE`` of it: below the first mark, so that then there is room
  again for members that fall behind for a moment only.

Members that have stalled, but took all they were sent, are no laggards, and
nobody knows what the kernel keeps for them. So the budget also *looks* at the
memory that is left, whenever another half megabyte was written: where too little is
left, the limit comes down below what is held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roomcast.relay.log import Log
    from roomcast.relay.member import Member

TIGHT_SHARE = 0.8
CALM_SHARE = 0.7
# The same for the memory that is left, as shares of what always has to be free: so much
# it must be again once it was short, and below this nothing is written on any account.
CALM_RESERVE = 2
LAST_RESERVE = 0.25

# What a send costs the kernel beside its bytes, until the peer has acknowledged
# it: the headers of its packets, and a peer with a small window makes it many.
SEND_BYTES = 4096
# How much may be written between two looks at the memory left. A look costs 1 µs;
# the reserve must outlast what is written until the next.
LOOK_AFTER_BYTES = 1 << 19
# How much of one burst is written before somebody may look: a large message to
# sixty-four members may be all that a container has.
AT_ONCE_BYTES = 1 << 20
# More than there is: where nobody can say how much memory is left, nobody looks.
_ENDLESS = 1 << 62


class Budget:
    """What may be held for laggards, and what is.

    Args:
        limit_bytes: How much may be held; 0: no limit.
        left_bytes: Returns how much this process may still take before the
            system kills it; None where nothing says so.
        reserve_bytes: How much of that has to stay free.
    """

    __slots__ = (
        "_asked_bytes",
        "_bound_bytes",
        "_left_bytes",
        "_logs",
        "_reserve_bytes",
        "_tight_bytes",
        "held_bytes",
        "is_full",
        "is_spent",
        "is_tight",
        "limit_bytes",
        "unlooked_bytes",
        "waiting",
    )

    def __init__(
        self, limit_bytes: int = 0, left_bytes: Callable[[], int] | None = None, reserve_bytes: int = 0
    ) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self.waiting: dict[Member, int] = {}
        """What the kernel keeps for each member that waits to be written to, in a room or on its way out."""
        self._logs: dict[Log, int] = {}
        # What may be held at this moment, and from where on nobody more is kept.
        self._bound_bytes = limit_bytes or _ENDLESS
        self._tight_bytes = TIGHT_SHARE * self._bound_bytes
        self._asked_bytes = left_bytes
        self._left_bytes = left_bytes if limit_bytes else None
        self._reserve_bytes = reserve_bytes
        # Plain attributes: they are asked for between two sends.
        self.is_tight = False
        self.is_full = False
        # Whether nearly nothing is left at all.
        self.is_spent = False
        self.unlooked_bytes = _ENDLESS if self._left_bytes is None else LOOK_AFTER_BYTES

    def change(self, limit_bytes: int) -> None:
        """Hold as much as this from now on. If it is less than what is held, the next look finds it full."""
        self.limit_bytes = limit_bytes
        self._bound_bytes = limit_bytes or _ENDLESS
        self._tight_bytes = TIGHT_SHARE * self._bound_bytes
        self._left_bytes = self._asked_bytes if limit_bytes else None
        self.is_spent = False
        self.unlooked_bytes = _ENDLESS if self._left_bytes is None else LOOK_AFTER_BYTES
        self._judge()

    def charge_log(self, log: Log, held_bytes: int) -> None:
        """Note what a room's log holds for its laggards now; 0 when there are none."""
        self._add(held_bytes - self._logs.pop(log, 0))
        if held_bytes:
            self._logs[log] = held_bytes

    def charge_member(self, member: Member, held_bytes: int) -> None:
        """Note what the kernel keeps now for a member that waits to be written to."""
        self._add(held_bytes - self.waiting.get(member, 0))
        self.waiting[member] = held_bytes

    def release_member(self, member: Member) -> None:
        """Forget a member that took all it was owed, or has ended."""
        if member in self.waiting:
            self._add(-self.waiting.pop(member))

    def look(self) -> None:
        """See how much memory is left."""
        if self._left_bytes is None:
            return
        self.unlooked_bytes = LOOK_AFTER_BYTES
        left_bytes, reserve_bytes = self._left_bytes(), self._reserve_bytes
        self.is_spent = left_bytes < reserve_bytes * LAST_RESERVE
        if self.is_full:
            reserve_bytes *= CALM_RESERVE
        self._bound_bytes = min(self.limit_bytes, self.held_bytes + left_bytes - reserve_bytes)
        self._judge()

    def _add(self, more_bytes: int) -> None:
        self.held_bytes += more_bytes
        self.unlooked_bytes -= max(more_bytes, 0)
        self._judge()

    def _judge(self) -> None:
        bound_bytes = self._bound_bytes
        self.is_full = self.held_bytes > (CALM_SHARE * bound_bytes if self.is_full else bound_bytes)
        self.is_tight = self.is_full or self.held_bytes >= self._tight_bytes
