"""What the relay says of itself to its manager, in which order, and how often."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from roomcast.metrics import TransportCounters
from roomcast.server.supervision import Supervision
from tests.idle import idle_counters
from tests.wire import HANG_S

US = 4711


class Manager:
    """One that hears all that is said, and a relay that it manages."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.counters: TransportCounters = idle_counters()
        self.asked: list[str] = []
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(self.path)
        self._ear.setblocking(False)
        self._supervisions: list[Supervision] = []

    def supervise(self, reload: Callable[[], None] | None = None, **environment: str) -> Supervision:
        supervision = Supervision(
            {"NOTIFY_SOCKET": self.path} | environment,
            self.counters,
            clock=lambda: 12.5,
            drain_s=lambda: 60.0,
            ask_to_stop=lambda: self.asked.append("stop"),
            reload=reload or (lambda: self.asked.append("reload")),
            pid=US,
        )
        self._supervisions.append(supervision)
        return supervision

    def heard(self) -> list[str]:
        """Return all that was said since it was last asked."""
        said = []
        while True:
            try:
                said.append(self._ear.recv(1000).decode())
            except BlockingIOError:
                return said

    def hear_next(self) -> str:
        """Let the loop turn until something is said."""
        with gevent.Timeout(HANG_S):
            while not (said := self.heard()):
                gevent.idle()
        return said[0]

    def close(self) -> None:
        for supervision in self._supervisions:
            supervision.end()
        self._ear.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_nothing_is_said_before_it_serves_and_then_how_many_are_there(manager: Manager) -> None:
    supervision = manager.supervise()
    before = manager.heard()
    manager.counters.connections["rfc6455"] = 2
    manager.counters.connections["sse"] = 1

    supervision.ready()

    assert (before, manager.heard()) == ([], ["READY=1\nSTATUS=members: 3"])


def test_reload_is_said_before_and_behind_with_the_time_that_it_began(manager: Manager) -> None:
    manager.supervise().reload()

    assert manager.asked == ["reload"]
    assert manager.heard() == [
        "RELOADING=1\nMONOTONIC_USEC=12500000\nSTATUS=reloading",
        "READY=1\nSTATUS=members: 0",
    ]


def test_reload_that_fails_leaves_no_manager_waiting(manager: Manager) -> None:
    def fail() -> None:
        raise RuntimeError("it is a quarter past s3cr3t")

    with pytest.raises(RuntimeError):
        manager.supervise(fail).reload()

    assert manager.heard()[-1] == "READY=1\nSTATUS=members: 0"


def test_stop_is_said_with_the_patience_that_it_takes(manager: Manager) -> None:
    manager.supervise().ask_to_stop()

    assert manager.asked == ["stop"]
    assert manager.heard() == ["STOPPING=1\nEXTEND_TIMEOUT_USEC=61500000\nSTATUS=stopping"]


def test_watchdog_hears_from_the_loop_that_it_turns_and_how_far_a_drain_is(manager: Manager) -> None:
    supervision = manager.supervise(WATCHDOG_USEC="40000", WATCHDOG_PID=str(US))
    supervision.ready()
    assert manager.hear_next().startswith("READY=1")

    assert manager.hear_next() == "WATCHDOG=1\nSTATUS=members: 0"
    manager.counters.is_draining, manager.counters.drain_members, manager.counters.drain_gone = True, 5, 2
    manager.heard()
    assert manager.hear_next() == "WATCHDOG=1\nSTATUS=draining: 2 of 5 members have gone"


@pytest.mark.parametrize(
    "environment",
    [
        {"WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "9" * 400},
        {"WATCHDOG_USEC": "9" * 5000},
        {},
    ],
    ids=["another's", "no number", "no float", "no int", "none"],
)
def test_watchdog_of_another_process_or_of_none_hears_nothing(manager: Manager, environment: dict[str, str]) -> None:
    supervision = manager.supervise(None, **environment)

    assert supervision.interval_s == 10
    assert manager.supervise(WATCHDOG_USEC="40000").interval_s == 0.02
    assert manager.supervise(WATCHDOG_USEC="60000000").interval_s == 10


def test_relay_without_a_manager_says_nothing_and_has_no_timer(manager: Manager) -> None:
    supervision = manager.supervise(NOTIFY_SOCKET="", WATCHDOG_USEC="40000")
    active = gevent.get_hub().loop.activecnt

    supervision.ready()
    supervision.ask_to_stop()

    assert gevent.get_hub().loop.activecnt == active
    assert (manager.heard(), manager.asked) == ([], ["stop"])
