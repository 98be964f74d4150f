"""A relay in 128 MiB, as it comes, and thousands of readers that stall: it is not killed, and nobody else notices.

Where the engine runs on the second version of control groups the kernel counts
what it keeps for connections, and kills for it; on the first it does not. The
load has a container of its own: what has arrived there is not the relay's.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest

from tests.container.conftest import LOCKED_UP
from tests.container.engine import Container, docker, running
from tests.container.flood import Flood

MIB: Final = 1 << 20
LIMIT: Final = ("--memory", "128m", "--memory-swap", "128m", "--restart", "on-failure")

FLOODS: Final = {
    "one room, large messages": Flood(stalled=1500, good=5, publishers=2, message_bytes=60_000, messages=20),
    "one room, small messages": Flood(
        stalled=1500, good=5, publishers=10, message_bytes=64, messages=300, interval_s=0.03
    ),
    "many rooms": Flood(rooms=200, stalled=8, good=1, publishers=1, message_bytes=16_000, messages=20),
    # None of them is ever a laggard: what they were sent is in the kernel, 60 KB each.
    "just below the send buffer": Flood(stalled=3000, good=5, publishers=1, message_bytes=15_000, messages=4),
}


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    name = f"roomcast-test-{uuid.uuid4().hex[:8]}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture(scope="module")
def small_relay(image: str, network: str) -> Iterator[Container]:
    with running(image, *LOCKED_UP, *LIMIT, "--network", network, "--network-alias", "relay") as container:
        container.wait_until_healthy()
        yield container


def load(image: str, network: str, flood: Flood) -> dict[str, object]:
    """Let a flood loose from a container of its own, and return what came of it."""
    script = Path(__file__).with_name("flood.py").read_text(encoding="utf-8")
    python = ("--rm", "--network", network, "--entrypoint", "/opt/roomcast/bin/python", image)
    result: dict[str, object] = json.loads(docker("run", *python, "-c", script, json.dumps(asdict(flood))))
    return result


def memory(relay: Container) -> dict[str, int]:
    """Return what the relay's group takes and has taken at most, in MiB, as either version of them calls it."""
    names = "memory.current memory.peak memory/memory.usage_in_bytes memory/memory.max_usage_in_bytes"
    found = relay.run("sh", "-c", f"cd /sys/fs/cgroup; grep -sH . {names}; true")
    return {name: int(value) // MIB for name, value in re.findall(r"([\w./]+):(\d+)", found)}


def metrics(relay: Container) -> dict[str, float]:
    """Return the series of the private door, asked for from inside."""
    script = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8081/metrics').read().decode())"
    lines = relay.run("/opt/roomcast/bin/python", "-c", script).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


@pytest.mark.parametrize("name", FLOODS)
def test_relay_in_128_mib_survives_its_slow_readers_and_serves_the_others(
    image: str, network: str, small_relay: Container, name: str
) -> None:
    born = small_relay.inspect("State.Pid"), small_relay.inspect("State.StartedAt")

    came = load(image, network, FLOODS[name])

    print(f"{name}: {came}, MiB: {memory(small_relay)}")
    assert (small_relay.inspect("State.Pid"), small_relay.inspect("State.StartedAt")) == born
    assert small_relay.inspect("State.OOMKilled") is False
    assert small_relay.inspect("RestartCount") == 0
    assert (came["good_alive"], came["heard_min"]) == (came["good"], came["expected"])


def test_its_budget_is_made_for_its_container(small_relay: Container) -> None:
    now = metrics(small_relay)

    assert now["roomcast_lag_bytes_limit"] == 32 * MIB
    assert now["roomcast_lag_bytes"] < 32 * MIB
