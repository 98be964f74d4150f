"""One run: a server on one core, the generator on another, and an eye on the server's memory.

What is watched from outside is read four times a second: often enough for a queue that
grows by megabytes, and too seldom to be felt by what is measured.
"""

import json
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Self

from tests.bench.figures import Entry
from tests.bench.servers import Running, build, running

Sample = dict[str, float]

_GENERATOR_CORE = "1"
_WATCH_EVERY_S = 0.25
# Joining 10,000 members takes a few seconds, warming up at most three.
_TIMEOUT_BEYOND_RUN_S = 45.0
_LAG_BUCKET = re.compile(r'^roomcast_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


def measure(entry: Entry, seconds: float) -> Sample:
    """Run ``entry`` once and return what it came to.

    Args:
        entry: The server and its load.
        seconds: How long to measure, unless the load says it itself.

    Raises:
        UnavailableError: If the server cannot run here.
        CalledProcessError: If the generator was refused or cut off.
    """
    generator = [] if entry.generator else [str(build("wsload", is_tls=entry.is_tls))]
    with running(entry.server, entry.configuration, entry.other) as server, Watch(server) as watch:
        if entry.generator:
            generator = [sys.executable, "-m", f"tests.bench.{entry.generator}", "-a", str(server.admin_port)]
        if entry.other is not None:
            generator += ["-f", str(server.file)]
        command = ["taskset", "-c", _GENERATOR_CORE, *generator, "-p", str(server.port), "-x", str(server.pid)]
        result = subprocess.run(
            [*command, "-d", str(seconds), *entry.load.split()],
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds + _TIMEOUT_BEYOND_RUN_S,
        )
        sample: Sample = json.loads(result.stdout)
        return {**sample, **watch.summary(joined_kib=sample["rss_joined_kib"])}


def resident_kib(pid: int) -> float:
    """Return the memory that a process has in RAM."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def tcp_kib() -> float:
    """Return what the kernel holds for all TCP sockets of this machine, both ends of each.

    That is more than what a server's send queues hold, so a bound that it keeps is kept.
    """
    text = Path("/proc/net/sockstat").read_text(encoding="ascii")
    found = re.search(r"^TCP:.* mem (\d+)$", text, re.MULTILINE)
    return float(found[1]) * 4 if found else 0.0


def late_turns(metrics: str, bound_s: float) -> float:
    """Return how many of the loop's timers ran later than ``bound_s``, a bound of the histogram."""
    buckets = {bound: float(count) for bound, count in _LAG_BUCKET.findall(metrics)}
    return buckets["+Inf"] - buckets[str(bound_s)]


class Watch:
    """Reads a server's memory, the kernel's for TCP, and at the end the loop's own account of itself."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._tcp_before_kib = tcp_kib()
        self._rss_kib: list[float] = []
        self._memory_kib: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(_WATCH_EVERY_S):
            rss_kib = resident_kib(self._server.pid)
            self._rss_kib.append(rss_kib)
            self._memory_kib.append(rss_kib + tcp_kib() - self._tcp_before_kib)

    def summary(self, joined_kib: float) -> Sample:
        """Return the growth since all members had joined, and how often the loop was late.

        Drift is the growth from the first half of the run to the second: a buffer
        that fills once shows in the first, a leak or a queue without end in both.
        """
        half = len(self._rss_kib) // 2
        summary = {
            "rss_grown_kib": max(self._rss_kib) - joined_kib,
            "rss_drift_kib": max(self._rss_kib[half:]) - max(self._rss_kib[: half or 1]),
            "memory_grown_kib": max(self._memory_kib) - joined_kib,
        }
        if self._server.admin_port:
            url = f"http://127.0.0.1:{self._server.admin_port}/metrics"
            with urllib.request.urlopen(url, timeout=10) as answer:
                metrics = answer.read().decode("utf-8")
            summary |= {"loop_late_50ms": late_turns(metrics, 0.05), "loop_late_100ms": late_turns(metrics, 0.1)}
        return summary
