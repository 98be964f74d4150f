"""The relay under a service manager: it says when it serves, reloads and stops, how many are there, and that it lives.

systemd calls this Type=notify. Without a manager that asks, nothing is said, and
the rest is as ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final

from gevent.hub import get_hub

from roomcast.metrics import TransportCounters
from roomcast.policies.schedule import ENDING_S
from roomcast.server.notify import Notifier

STATUS_EVERY_S: Final = 10.0
"""How often it is said how many are there, where no watchdog wants to hear more often."""
_USEC: Final = 1_000_000
# A manager counts microseconds in 64 bits. What has more digits is none that it said, and may be no number of ours.
_USEC_DIGITS: Final = 20


class Supervision:
    """Speaks with the manager that started this process.

    Args:
        environment: Of this process, where the manager says what it wants to hear.
        counters: Say how many are there.
        clock: Seconds from the machine's clock that never goes back, the one that the manager has.
        drain_s: Returns how long a drain may take.
        ask_to_stop: Ends the relay.
        reload: Has it read again what may have changed.
        pid: By which number the system calls us.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        counters: TransportCounters,
        *,
        clock: Callable[[], float],
        drain_s: Callable[[], float],
        ask_to_stop: Callable[[], None],
        reload: Callable[[], None],
        pid: int | None = None,
    ) -> None:
        self._notifier = Notifier(environment.get("NOTIFY_SOCKET", ""))
        self._counters = counters
        self._clock = clock
        self._drain_s = drain_s
        self._ask_to_stop = ask_to_stop
        self._reload = reload
        watchdog_s = _watchdog_s(environment, pid or os.getpid())
        self._alive = {"WATCHDOG": 1} if watchdog_s else {}
        # Twice in the time that it is given: one may be late. sd_watchdog_enabled(3) recommends it.
        self.interval_s = min(watchdog_s / 2, STATUS_EVERY_S) if watchdog_s else STATUS_EVERY_S
        """How often it says something."""
        self._timer = get_hub().loop.timer(self.interval_s, self.interval_s)

    def ready(self) -> None:
        """Say that it serves, and from now on, from its loop, that it lives."""
        self._notifier.tell(READY=1, STATUS=self._status())
        if self._notifier.is_heard:
            self._timer.start(self._beat)

    def reload(self) -> None:
        """Reload, and say that it does and has. Not that it was in vain: that the log says, and all is as it was."""
        # With the time, for managers that wait for this answer to their own signal: systemd from 253 on.
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=int(self._clock() * _USEC), STATUS="reloading")
        try:
            self._reload()
        finally:
            self._notifier.tell(READY=1, STATUS=self._status())

    def ask_to_stop(self) -> None:
        """Ask it to stop, and say that it does, and for how long the manager should have patience."""
        patience_s = self._drain_s() + ENDING_S
        self._notifier.tell(STOPPING=1, EXTEND_TIMEOUT_USEC=int(patience_s * _USEC), STATUS="stopping")
        self._ask_to_stop()

    def end(self) -> None:
        """Say nothing more."""
        self._timer.stop()
        self._timer.close()

    def _beat(self) -> None:
        self._notifier.tell(**self._alive, STATUS=self._status())

    def _status(self) -> str:
        counters = self._counters
        if counters.is_draining:
            return f"draining: {counters.drain_gone} of {counters.drain_members} members have gone"
        return f"members: {sum(counters.connections.values())}"


def _watchdog_s(environment: Mapping[str, str], pid: int) -> float:
    """Return within how many seconds the manager wants a sign of life; 0: it wants none of us."""
    usec, meant = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(pid))
    is_time = usec.isdecimal() and len(usec) <= _USEC_DIGITS
    return int(usec) / _USEC if is_time and meant == str(pid) else 0.0
