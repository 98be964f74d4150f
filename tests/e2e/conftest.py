"""The whole story, played once: everything is started, used for two minutes, and broken in four ways meanwhile.

Tests ask the story what happened. Rules of two minutes' use: the composition is the published one, but for the few
lines of compose.yml, and a Prometheus that scrapes and evaluates every other second instead of every fifteenth.
"""

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.container.composition import Composition
from tests.container.engine import ROOT, built, eventually
from tests.e2e.breakages import BREAKAGES, Stage
from tests.e2e.people import Backend, CurlListener, Listener, ProjectListener, WebsocketsListener
from tests.e2e.prometheus import Alert, Prometheus

TWO_MINUTES_S: Final = 120.0
# Of all networks that an engine takes for containers: whoever comes through a published port comes from one.
CONTAINERS: Final = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
# Evaluations by which an alert has come that is going to come.
ROUNDS: Final = 3
# Half a minute's.
SCRAPES: Final = 15
# What says how fast this machine is, and not what was broken: with other work on it, everything waits.
OF_THE_MACHINE: Final = frozenset({"RoomcastLoopLag"})


@dataclass
class Chapter:
    """What happened while one thing was broken."""

    appeared: set[Alert] = field(default_factory=set)
    """Alerts that were not there before."""
    seen: float | None = None


@dataclass
class Story:
    """What happened."""

    chapters: dict[str, Chapter]
    listeners: list[Listener]
    backend: Backend
    first_message_s: float = 0.0
    """How long after ``docker compose up`` the first message reached somebody."""
    killed_at: int = 0
    """What the backend had said last, before the relay was killed."""
    in_the_end: set[Alert] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)


class Watch:
    """Somebody who looks at Prometheus all the time."""

    def __init__(self, prometheus: Prometheus) -> None:
        self.prometheus = prometheus

    def until(self, is_over: Callable[[set[Alert]], bool], *, within_s: float) -> set[Alert]:
        """Return every alert that was there at some time until this was so, and for some evaluations after it."""
        appeared: set[Alert] = set()
        rounds: set[str] = set()

        def look() -> bool | None:
            now = self.alerts()
            appeared.update(now)
            if is_over(now):
                rounds.add(self.prometheus.last_evaluation())
            return len(rounds) > ROUNDS or None

        eventually(look, within_s=within_s)
        return appeared

    def has_begun(self) -> bool:
        """Tell whether the relay has been scraped, and rules evaluated since: before, there is none."""
        return bool(self.prometheus.value("up")) and Alert("RoomcastAbsent") not in self.prometheus.alerts()

    def alerts(self) -> set[Alert]:
        return {alert for alert in self.prometheus.alerts() if alert.rule not in OF_THE_MACHINE}


def free_port() -> int:
    """Return a port that the kernel has just given away: a relay that is started again has to have the same."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def first_message(door: str) -> bool | None:
    """Return True when a message got from one client to another."""
    try:
        with connect(f"ws://{door}/rooms/first") as one, connect(f"ws://{door}/rooms/first") as other:
            one.send("hello")
            return other.recv(timeout=5) == "hello" or None
    except (OSError, WebSocketException):
        return None


@contextmanager
def composed(image: str, directory: Path, **variables: str) -> Iterator[Composition]:
    """Have the composition with a Prometheus that looks more often."""
    hurried = directory / "prometheus.yml"
    published = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert published.count("_interval: 15s") == 2
    hurried.write_text(published.replace("_interval: 15s", "_interval: 2s"), encoding="utf-8")
    override = ROOT / "tests" / "e2e" / "compose.yml"
    settings = {"RELAY_IMAGE": image, "PROMETHEUS_CONFIGURATION": str(hurried), "TRUSTED_PROXIES": CONTAINERS}
    with Composition(overrides=(override,), **settings, **variables) as composition:
        yield composition


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    door, private, key = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", secrets.token_hex(32)
    listeners: list[Listener] = [WebsocketsListener(door), ProjectListener(door), CurlListener(door)]
    told = Story({}, listeners, Backend(private, key))
    variables = {"PORT": door, "ADMIN_PORT": private.rpartition(":")[2], "ADMIN_KEY": key}
    with ExitStack() as stack:
        image = stack.enter_context(built())
        composition = stack.enter_context(composed(image, tmp_path_factory.mktemp("e2e"), **variables))
        started_s = time.monotonic()
        composition.up()
        eventually(lambda: first_message(door), within_s=60)
        told.first_message_s = time.monotonic() - started_s
        prometheus = Prometheus(composition.service("prometheus").address(9090))
        eventually(prometheus.is_there, within_s=60)
        for person in (*listeners, told.backend):
            person.start()
            stack.callback(person.stop)
        play(told, Stage(composition, image, door), Watch(prometheus))
        yield told


def contains(alert: Alert, alerts: set[Alert]) -> bool:
    return alert in alerts


def is_under_way(told: Story, watch: Watch) -> bool:
    """Tell whether everybody is there, and Prometheus has watched for long enough to know what is normal."""
    # An increase over ten minutes, of which there are two scrapes, is mostly made up.
    return (
        all(one.heard for one in told.listeners) and (watch.prometheus.value("count_over_time(up[5m])") or 0) >= SCRAPES
    )


def play(told: Story, stage: Stage, watch: Watch) -> None:
    """Let nothing be broken for a while, then one thing after another, then nothing until two minutes are over."""
    started_s = time.monotonic()
    told.rules = watch.prometheus.rules()
    eventually(lambda: watch.has_begun() or None, within_s=60)
    told.chapters["nothing"] = Chapter(watch.until(lambda _: is_under_way(told, watch), within_s=60))
    for name, breakage in BREAKAGES.items():
        before = watch.alerts()
        told.killed_at = told.backend.heard[-1]
        with breakage.break_it(stage):
            appeared = watch.until(partial(contains, breakage.alert), within_s=60)
            told.chapters[name] = Chapter(appeared - before, watch.prometheus.value(breakage.seen_by))
    told.in_the_end = watch.until(
        lambda now: (
            Alert("RoomcastDown") not in now
            and all(one.heard[-1] > told.killed_at for one in told.listeners)
            and time.monotonic() > started_s + TWO_MINUTES_S
        ),
        within_s=TWO_MINUTES_S,
    )
