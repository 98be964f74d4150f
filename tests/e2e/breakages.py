"""What goes wrong: each of these breaks one thing, for as long as it is entered.

What a breakage is expected to bring about stands beside it: the alert that would
fire, and an expression by which Prometheus says that it saw it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.container import flood
from tests.container.composition import Composition
from tests.container.engine import docker, running
from tests.e2e.prometheus import Alert

# Five times what the alert of refusals takes for nothing.
ATTEMPTS: Final = 50
# tests/e2e/compose.yml
CONNECTIONS_PER_ADDRESS: Final = 10
# From a range that is nobody's (RFC 5737). The engine's own addresses are private, and those the relay does not count.
FLOODING_ADDRESS: Final = "203.0.113.9"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it goes wrong."""

    composition: Composition
    image: str
    door: str
    """The public one, as ``host:port``."""


class Breakage(NamedTuple):
    """One thing that goes wrong."""

    break_it: Callable[[Stage], AbstractContextManager[None]]
    alert: Alert
    seen_by: str
    """An expression that is above 0 when Prometheus has seen it."""


def attempt(stage: Stage, headers: dict[str, str]) -> int:
    """Return the status that a WebSocket handshake is answered with; leave at once if it is let in."""
    try:
        with connect(f"ws://{stage.door}/rooms/lobby", additional_headers=headers):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@contextmanager
def stalled_clients(stage: Stage) -> Iterator[None]:
    """Twelve members of a room read nothing any more, while somebody goes on to speak."""
    # 2.4 MB: more than the kernels take, and less than a member may be behind. In a container, because what
    # the engine's own proxy for published ports would take is beyond counting.
    load = flood.Flood(
        stalled=12, good=1, publishers=1, message_bytes=60_000, messages=40, interval_s=0.3, settle_s=90, deadline_s=90
    )
    script = Path(flood.__file__).read_text(encoding="utf-8")
    options = ("--network", f"{stage.composition.project}_default", "--entrypoint", "/opt/roomcast/bin/python")
    with running(stage.image, *options, command=("-c", script, json.dumps(asdict(load)))):
        yield


@contextmanager
def wrong_origin(stage: Stage) -> Iterator[None]:
    """A page that is not ours tries our rooms, again and again."""
    answers = {attempt(stage, {"Origin": "https://page.example"}) for _ in range(ATTEMPTS)}
    assert answers == {403}
    yield


@contextmanager
def flood_from_one_address(stage: Stage) -> Iterator[None]:
    """Somebody opens connection after connection, and keeps those that he gets."""
    headers = {"X-Forwarded-For": FLOODING_ADDRESS}
    with ExitStack() as kept:
        for _ in range(CONNECTIONS_PER_ADDRESS):
            kept.enter_context(connect(f"ws://{stage.door}/rooms/flooded", additional_headers=headers))
        answers = {attempt(stage, headers) for _ in range(ATTEMPTS)}
        assert answers == {429}
        yield


@contextmanager
def killed_relay(stage: Stage) -> Iterator[None]:
    """The relay's process is gone, without a goodbye, and nobody starts it again for a while."""
    # Who is killed by hand, the engine does not restart.
    docker("kill", "--signal", "KILL", stage.composition.service("relay").id)
    yield
    stage.composition("start", "relay")


BREAKAGES: Final = {
    "stalled clients": Breakage(
        stalled_clients, Alert("RoomcastLaggards", "rooms"), "max_over_time(roomcast_laggards[2m]) >= 10"
    ),
    "a wrong origin": Breakage(
        wrong_origin,
        Alert("RoomcastRefusals", "origin"),
        f'roomcast_handshakes_total{{outcome="origin"}} >= {ATTEMPTS}',
    ),
    "a flood from one address": Breakage(
        flood_from_one_address,
        Alert("RoomcastRefusals", "address_limit"),
        f'roomcast_handshakes_total{{outcome="address_limit"}} >= {ATTEMPTS}',
    ),
    "a killed relay": Breakage(
        killed_relay, Alert("RoomcastDown"), 'count_over_time((up{job="roomcast"} == 0)[2m:1s])'
    ),
}
