"""Records what Prometheus sees of a relay in five minutes that have everything in them.

A relay with TLS, started as an operator starts it, is scraped by a Prometheus with the
project's own rules while a crowd talks; one thing after the other goes wrong. Then each
question of the dashboard is asked for the whole time, and the answers are the recording.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Final

import yaml

from tests.certificates import issue
from tests.deploy.prometheus import TARGET, Prometheus, running
from tests.deploy.rules import FILES
from tests.picture.crowd import PAGE, Crowd
from tests.processes import RelayProcess, relay_process
from tests.tokens import SECRET

SECONDS: Final = 300
STEP_S: Final = 1
# What $__rate_interval is for a scrape a second: four of them at least. Ten are a line without teeth.
_RATE_INTERVAL: Final = "10s"

_SETTINGS: Final = f"""
[server]
accept_per_s = 40
[admin]
api_key = "{SECRET}"
busiest_rooms = 10
[origins]
allow = ["{PAGE}"]
[tokens]
secret = "{SECRET}"
[limits]
connections_max = 400
lag_total_max_bytes = 24_000_000
[[rooms]]
name = "rooms"
path = "/rooms/{{room}}"
history_messages = 200
[[rooms]]
name = "live"
path = "/live/{{room}}"
lag_max_bytes = 2_097_152
[[rooms]]
name = "private"
path = "/private/{{room}}"
access = "token"
"""

Recording = dict[str, Any]


def record(dashboard: dict[str, Any], folder: Path) -> Recording:
    """Return the answers to all that a dashboard asks, by panel and query, over a run that takes five minutes.

    Args:
        dashboard: As Grafana reads it.
        folder: An empty one, for certificates, configurations and Prometheus' data.
    """
    certificate = issue(folder, ends=datetime.now(UTC) + timedelta(days=60))
    config = folder / "roomcast.toml"
    config.write_text(certificate.toml + _SETTINGS, encoding="utf-8")
    relays = _Relays(config)
    try:
        with running(_configuration(relays.private), folder) as prometheus:
            started_s = time.time()
            asyncio.run(_play(Crowd(relays.public, relays.private, random.Random(2010)), relays))  # the same each time
            return _answers(prometheus, dashboard, started_s, time.time())
    finally:
        relays.stop()


class _Relays:
    """A relay, and its successor at the same doors."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._running = ExitStack()
        relay = self._start()
        self.public, self.private = relay.address, relay.private_address

    def _start(self, *assignments: str) -> RelayProcess:
        self._relay = self._running.enter_context(
            relay_process("admin.canary_interval_s=1", *assignments, config=self._config)
        )
        # A log that nobody reads is full before long.
        Thread(target=deque, args=[self._relay.lines, 0], daemon=True).start()
        return self._relay

    def restart(self) -> None:
        """Stop the relay as an operator would, wait for its end, and start another."""
        self._relay.send_signal(signal.SIGTERM)
        self._relay.process.wait()
        self._start(f"server.port={self.public[1]}", f"admin.port={self.private[1]}")

    async def reload(self) -> None:
        """Have the relay read its configuration again."""
        self._relay.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        self._running.close()


async def _play(crowd: Crowd, relays: _Relays) -> None:
    """Play the five minutes: seconds, and what begins then."""
    began_s = time.monotonic()
    async with crowd.here():
        for at_s, what in _events(crowd, relays):
            await asyncio.sleep(max(0.0, began_s + at_s - time.monotonic()))
            crowd.keep(asyncio.ensure_future(what))
        await asyncio.sleep(max(0.0, began_s + SECONDS - time.monotonic()))


def _events(crowd: Crowd, relays: _Relays) -> list[tuple[float, Coroutine[Any, Any, None]]]:
    return [
        (2, crowd.come(90, "/rooms/lobby", says_every_s=12, over_s=40)),
        (2, crowd.come(40, "/rooms/kitchen", says_every_s=6, over_s=30)),
        (4, crowd.come(60, "/live/match", says_every_s=90, over_s=60)),
        (6, crowd.come(25, "/private/board", says_every_s=8, over_s=25)),
        (8, crowd.stream(20, "/live/match", over_s=20)),
        (10, crowd.remember_2010(4, "/rooms/lobby")),
        (12, crowd.publish("/live/match", every_s=0.25)),
        (70, crowd.ask(240, 8, "/rooms/lobby", Origin="https://moved.example")),
        (105, crowd.stall(18, "/live/match", for_s=35)),
        (150, crowd.flood(8, "/rooms/lobby")),
        (165, crowd.ask(120, 6, "/private/board", Authorization="Bearer none")),
        (200, asyncio.to_thread(relays.restart)),
        (250, relays.reload()),
    ]


def _configuration(private: tuple[str, int]) -> str:
    """Return a configuration that scrapes the relay each second, by the names that it has in production."""
    scrape = {
        "job_name": TARGET["job"],
        "static_configs": [
            {"targets": [f"{private[0]}:{private[1]}"], "labels": {"instance": TARGET["instance"]}},
        ],
    }
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(file) for file in FILES],
            "scrape_configs": [scrape],
        }
    )


def _answers(prometheus: Prometheus, dashboard: dict[str, Any], start_s: float, end_s: float) -> Recording:
    """Ask all that the panels and the annotations ask."""

    def over(expression: str) -> list[dict[str, Any]]:
        return prometheus.over(_asked(expression), start_s, end_s, STEP_S)

    panels = {
        str(panel["id"]): [over(target["expr"]) for target in panel["targets"]]
        for panel in dashboard["panels"]
        if "targets" in panel
    }
    annotations = {of["name"]: over(of["expr"]) for of in dashboard["annotations"]["list"]}
    return {"start_s": start_s, "end_s": end_s, "panels": panels, "annotations": annotations}


def _asked(expression: str) -> str:
    chosen = re.sub(r"\$(?:job|instance|template)\b", ".*", expression)
    return chosen.replace("$__rate_interval", _RATE_INTERVAL)
