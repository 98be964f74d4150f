"""Saying goodbye to everybody, in good time and not all at once.

Who goes when, and who is told to come back when, ``policies/schedule.py`` says; here is
who keeps to it, counts how far it got, and says so in the log.
"""

from __future__ import annotations

from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

import gevent

from roomcast.policies.schedule import Schedule
from roomcast.relay.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roomcast.logs import Journal
    from roomcast.metrics import TransportCounters
    from roomcast.transport.keepalive import KeepAlive, LiveMember

# How often some members are dismissed, and how often it is checked whether all have gone.
_SLOT_S = 0.02
# How often the log says how far it got.
_REPORT_S = 1.0


class Drain:
    """Closes every member within ``drain_s``, and tells each when to come back.

    Args:
        members: All of them. No new one may join any more, once it runs.
        counters: Where its progress stands.
        journal: The log.
        clock: Seconds from a clock that never goes back.
        wall_clock: Seconds since the epoch.
        dice: Returns a number from 0 up to 1.
        drain_s: How long it may take in all.
        accept_per_s: How many a second a node can accept.
    """

    def __init__(
        self,
        members: KeepAlive,
        counters: TransportCounters,
        journal: Journal,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        dice: Callable[[], float],
        drain_s: float,
        accept_per_s: float,
    ) -> None:
        self._members = members
        self._counters = counters
        self._journal = journal
        self._clock = clock
        self._wall_clock = wall_clock
        self._dice = dice
        self.drain_s = drain_s
        """Read when it begins, as the next is: so a reload may change them."""
        self.accept_per_s = accept_per_s
        """Likewise."""
        self._begun_s = self._reported_s = 0.0
        self._schedule = Schedule(0, drain_s, accept_per_s)
        # How many have had their turn to be dismissed, and how many stand behind them.
        self._turns = 0
        self._refused = 0
        self._is_cut_short = False

    def cut_short(self) -> None:
        """End it at the next look: somebody lost patience."""
        self._is_cut_short = True

    def retry_after_s(self) -> int:
        """Return after how many seconds one that only asks, as a probe does, may ask again."""
        return self._schedule.retry_after_s(0, self._elapsed_s())

    def line_up(self) -> int:
        """Return after how many seconds a newcomer that is refused may come back: behind all who were there before."""
        self._refused += 1
        return self._schedule.retry_after_s(self._refused - 1, self._elapsed_s())

    def run(self) -> int:
        """Dismiss all members, wait until they have gone, and cut those who have not.

        Returns:
            How many had to be cut.
        """
        waiting = self._begin()
        while len(self._members) and not self._is_over():
            self._dismiss(waiting)
            self._report()
            gevent.sleep(_SLOT_S)
            self._count_gone()
        left = list(self._members)
        for member in left:
            member.cut(Reason.RESTART)
        self._count_gone()
        return len(left)

    def _begin(self) -> Iterator[tuple[int, LiveMember]]:
        """Make the plan; from here on newcomers are refused by it. Returns the members, each with its place."""
        members = list(self._members)
        schedule = self._schedule = Schedule(len(members), self.drain_s, self.accept_per_s)
        self._begun_s = self._reported_s = self._clock()
        self._counters.is_draining = True
        self._counters.drain_members = len(members)
        self._counters.drain_end_s = self._wall_clock() + schedule.drain_s
        self._journal.info(
            "draining", members=len(members), drain_s=schedule.drain_s, all_back_s=round(schedule.back_s, 1)
        )
        return enumerate(members)

    def _dismiss(self, waiting: Iterator[tuple[int, LiveMember]]) -> None:
        """Tell those to go whose turn has come, and when to come back."""
        elapsed_s = self._elapsed_s()
        due = self._schedule.due(elapsed_s)
        for place, member in islice(waiting, due - self._turns):
            back_s = self._schedule.comeback_s(place, self._dice()) - elapsed_s
            # Who is leaving already goes on as it was told, but has its turn here all the same.
            self._counters.drain_dismissed += member.is_in_room
            member.dismiss(Reason.RESTART, retry_after_ms=ceil(back_s * 1000))
        self._turns = due

    def _report(self) -> None:
        if self._clock() - self._reported_s >= _REPORT_S:
            self._reported_s = self._clock()
            self._journal.info("draining", left=len(self._members), dismissed=self._counters.drain_dismissed)

    def _count_gone(self) -> None:
        self._counters.drain_gone = self._counters.drain_members - len(self._members)

    def _elapsed_s(self) -> float:
        return self._clock() - self._begun_s

    def _is_over(self) -> bool:
        return self._is_cut_short or self._elapsed_s() >= self._schedule.drain_s
