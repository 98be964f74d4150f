"""A restart that nobody notices: three thousand clients, dismissed by a relay and let in by its successor, as planned.

What is compared are times of one clock, those in the relays' logs and those that the clients saw.
None may be earlier than planned, however slow the machine is. How much later one may be, a
loaded machine decides: so the bounds of that are what the settings call too late.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from examples.roomcast_client import PLACE_S
from roomcast.policies.schedule import Schedule
from tests.certificates import authority, issue
from tests.processes import RelayProcess, relay_process
from tests.server.herd import LAST_WORD

HERDS = 2
CONFIG = """
[server]
drain_s = {drain_s}
accept_per_s = {accept_per_s}
[limits]
handshake_timeout_s = {late_s}
[log]
lines_per_s = 0
[[rooms]]
name = "rooms"
path = "/rooms/{{room}}"
history_messages = 1000
"""
LATE_S = 10
"""Whose handshake takes longer is refused: so it is what a client may be late by, beside its place and its network."""
RETRY = re.compile(r"restart\b.*\bretry_after_ms=(\d+)")
# Times in a log are cut to milliseconds.
ROUNDED_S = 0.001


class Herd:
    """A process full of clients."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def wait_for(self, event: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert said["event"] == event
        return said

    def say(self, text: str) -> dict[str, int]:
        """Have one in each room publish something, and return the offsets that were acknowledged, by room."""
        self.tell(f"say {text}")
        offsets: dict[str, int] = self.wait_for("said")["offsets"]
        return offsets


@contextmanager
def herds(relay: RelayProcess, members: int) -> Iterator[list[Herd]]:
    """Let so many clients into rooms of the relay, from a few processes."""
    url = f"{relay.scheme}://localhost:{relay.address[1]}/rooms/"
    line = [sys.executable, "-m", "tests.server.herd", url, str(members // HERDS)]
    with ExitStack() as stack:
        started = []
        for _ in range(HERDS):
            process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            started.append(Herd(process))
        yield started


def joined(relay: RelayProcess, members: int) -> list[float]:
    """Read the relay's log until so many have joined, and return when each did."""
    return [time_of(relay.wait_for("joined")) for _ in range(members)]


def time_of(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["timestamp"]).timestamp()


def most_in_a_second(times_s: list[float]) -> int:
    return max(bisect_left(times_s, begin_s + 1) - first for first, begin_s in enumerate(times_s))


def check_stream(plan: Schedule, begun_s: float, times_s: list[float]) -> float:
    """Check that at no time more have come than had their place by then; return how late the latest came."""
    late_s = [time_s - begun_s - plan.comeback_s(place, 0.0) for place, time_s in enumerate(sorted(times_s))]
    assert min(late_s) >= -ROUNDED_S
    return max(late_s)


def check_goodbye(life: dict[str, Any]) -> float:
    """Check that it was clean, and return when it is to come back."""
    assert (life["goodbye"]["reason"], life["goodbye"]["code"], life["code"]) == ("restart", 1012, 1012)
    told = RETRY.match(life["reason"])
    assert told is not None
    assert int(told[1]) == life["goodbye"]["reconnect_after_ms"]
    return float(life["goodbye_s"]) + int(told[1]) / 1000


def check_heard(life: dict[str, Any], up_to: int) -> None:
    """Check that it heard all from its begin up to there, at least, each once and in order; or has said it itself."""
    known = sorted(life["heard"] + life["accepted"])
    assert known == list(range(life["first"] + 1, life["first"] + 1 + len(known)))
    assert life["first"] + len(known) >= up_to
    assert life["heard"] == sorted(life["heard"])


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("members", "drain_s", "accept_per_s", "is_tls"), [(3000, 9, 300, False), (300, 6, 60, True)], ids=["clear", "tls"]
)
def test_relay_is_replaced_and_all_are_back_as_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: int, drain_s: int, accept_per_s: int, is_tls: bool
) -> None:
    config = tmp_path / "roomcast.toml"
    files = issue(tmp_path).toml if is_tls else ""
    config.write_text(CONFIG.format(drain_s=drain_s, accept_per_s=accept_per_s, late_s=LATE_S) + files)
    authority().cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    plan = Schedule(members, drain_s, accept_per_s)

    with ExitStack() as stack:
        with relay_process(config=config) as first:
            clients = stack.enter_context(herds(first, members))
            joined(first, members)
            for herd in clients:
                herd.wait_for("here")
            acknowledged = clients[0].say("acknowledged")
            first.send_signal(signal.SIGTERM)
            begun_s = time_of(first.wait_for("draining"))
            assert first.exit_status() == 0
            stopped = json.loads(first.output[-1])
        second = stack.enter_context(relay_process(f"server.port={first.address[1]}", config=config))
        came_s = joined(second, members)
        for herd in clients:
            herd.tell("quiet")
            herd.wait_for("quiet")
        last = clients[0].say(LAST_WORD)
        for herd in clients:
            herd.tell("end")
        stories = [story for herd in clients for story in herd.wait_for("lives")["lives"]]

    # Nobody had to be cut, all were told, and the places that they were told are those of the plan.
    assert (stopped["event"], stopped["members"], stopped["cut"]) == ("stopped", members, 0)
    told_s = [check_goodbye(story["lives"][0]) for story in stories]
    late_to_hear_s = check_stream(plan, begun_s, told_s)
    # Each came back when it was told, at the first attempt, and hardly later.
    back_s = [story["lives"][1]["begin_s"] for story in stories]
    late_s = max(back - told for back, told in zip(back_s, told_s, strict=True))
    assert {(story["attempts"], len(story["lives"])) for story in stories} == {(2, 2)}
    assert late_s <= PLACE_S + LATE_S
    # So all are back within the window, and no second has seen more come than its places, and those who were late.
    check_stream(plan, begun_s, came_s)
    assert max(came_s) <= begun_s + plan.back_s + PLACE_S + LATE_S
    assert most_in_a_second(sorted(came_s)) <= accept_per_s * (1 + late_to_hear_s + late_s) + 1
    # All have heard what was acknowledged before, and what was afterwards; and each knows that there was a restart.
    assert {tuple(story["gaps"]) for story in stories} == {("epoch",)}
    for story in stories:
        check_heard(story["lives"][0], acknowledged[story["room"]])
        check_heard(story["lives"][1], last[story["room"]])
