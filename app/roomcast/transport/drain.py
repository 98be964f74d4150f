"""Saying goodbye to everybody, in good time and not all at once."""

from collections.abc import Callable
from math import ceil

import gevent

from roomcast.relay.reasons import Reason
from roomcast.transport.keepalive import KeepAlive

# How often some members are dismissed, and how often it is checked whether all have gone.
_SLOT_S = 0.02
# Below this rate nobody's reconnect hurts anybody, and a small relay stops at once.
_MEMBERS_PER_S_MIN = 500
# The part of the drain in which members are dismissed. The rest is for the
# slow among them: what they are owed, and their half of the closing handshake.
_DISMISSAL = 0.75


class Drain:
    """Closes every member within ``drain_s``.

    Members are dismissed in slots, so that their clients come back in a stream
    and not in a wave, and are told when: once this process must have ended, and
    spread over as long again as their dismissal took.

    Args:
        members: All of them. No new one may join any more.
        clock: Seconds from a clock that never goes back.
        dice: Returns a number from 0 up to 1.
        drain_s: How long it may take in all.
    """

    def __init__(
        self, members: KeepAlive, *, clock: Callable[[], float], dice: Callable[[], float], drain_s: float
    ) -> None:
        self._members = members
        self._clock = clock
        self._dice = dice
        self._drain_s = drain_s
        self._is_cut_short = False

    def cut_short(self) -> None:
        """End it at the next look: somebody lost patience."""
        self._is_cut_short = True

    def run(self) -> int:
        """Dismiss all members, wait until they have gone, and cut those who have not.

        Returns:
            How many had to be cut.
        """
        deadline = self._clock() + self._drain_s
        members = list(self._members)
        window_s = min(self._drain_s * _DISMISSAL, len(members) / _MEMBERS_PER_S_MIN)
        slots = max(ceil(window_s / _SLOT_S), 1)
        per_slot = ceil(len(members) / slots)
        for start in range(0, len(members), max(per_slot, 1)):
            if self._is_over(deadline):
                break
            for member in members[start : start + per_slot]:
                back_s = max(deadline - self._clock(), 0.0) + self._dice() * window_s
                member.dismiss(Reason.RESTART, retry_after_ms=round(back_s * 1000))
            gevent.sleep(_SLOT_S)
        while len(self._members) and not self._is_over(deadline):
            gevent.sleep(_SLOT_S)
        left = list(self._members)
        for member in left:
            member.cut(Reason.RESTART)
        return len(left)

    def _is_over(self, deadline: float) -> bool:
        return self._is_cut_short or self._clock() >= deadline
