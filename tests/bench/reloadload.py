"""A fourth generator: has a relay full of members take another configuration again and again, and probes it meanwhile.

Two files are exchanged and ``SIGHUP`` is sent, in an even rhythm. One connection asks for
``/healthz``, the next time when the answer is whole: how long that takes is how long the loop
was away. At the end the relay's own count must be that of the signals, and none refused.
Prints one JSON object, as wsload does.
"""

import argparse
import json
import os
import re
import select
import signal
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from tests.bench.apiload import cpu_s, resident_kib
from tests.bench.probing import Asker, share
from tests.wire import connect, shake_hands_rfc6455

# Often enough for a dozen in a run of seconds.
_EVERY_S = 0.25
_DONE_WITHIN_S = 10.0
_COUNT = re.compile(r'^roomcast_config_reloads_total\{outcome="(done|refused)"\} (\S+)$', re.MULTILINE)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reloadload", description=__doc__)
    parser.add_argument("-p", type=int, required=True, help="port of the public door")
    parser.add_argument("-a", type=int, required=True, help="port of the private door")
    parser.add_argument("-x", type=int, required=True, help="pid of the relay")
    parser.add_argument("-d", type=float, default=3.0, help="seconds to measure")
    parser.add_argument("-m", type=int, default=5000, help="members")
    parser.add_argument("-r", type=int, default=1, help="rooms that they are spread over")
    parser.add_argument("-f", type=Path, required=True, help="its configuration file, with other.toml beside it")
    return parser.parse_args()


class Reloads:
    """Has a relay read its file again, each time with the other content."""

    def __init__(self, file: Path, pid: int) -> None:
        self._file = file
        self._pid = pid
        self._texts = [file.with_name("other.toml").read_text("utf-8"), file.read_text("utf-8")]
        self.asked = 0

    def ask(self) -> None:
        """Exchange the file, and send the signal."""
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(self._texts[self.asked % 2], "utf-8")
        fresh.replace(self._file)
        os.kill(self._pid, signal.SIGHUP)
        self.asked += 1


def await_all(reloads: Reloads, port: int) -> None:
    """Wait until the relay has taken them all; end with an error if it did not."""
    until_s = time.monotonic() + _DONE_WITHIN_S
    counts: dict[str, float] = {}
    while counts != {"done": reloads.asked, "refused": 0}:
        if time.monotonic() > until_s:
            raise SystemExit(f"{reloads.asked} reloads were asked for, and the relay counts {counts}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            counts = {outcome: float(count) for outcome, count in _COUNT.findall(answer.read().decode())}


def probe(prober: Asker, reloads: Reloads, seconds: float) -> None:
    """Probe for so many seconds, and have it reload in between."""
    began_s = next_s = time.monotonic()
    with select.epoll() as poll:
        poll.register(prober.socket.fileno(), select.EPOLLIN)
        while (now_s := time.monotonic()) < began_s + seconds:
            if now_s >= next_s:
                reloads.ask()
                next_s += _EVERY_S
            if poll.poll(max(next_s - now_s, 0)):
                prober.read()


def main() -> None:
    """Load a relay, and print what it came to."""
    chosen = arguments()
    with ExitStack() as opened:
        for number in range(chosen.m):
            wire = opened.enter_context(connect(("127.0.0.1", chosen.p)))
            shake_hands_rfc6455(wire, f"/rooms/{number % chosen.r}")
        reloads, prober = Reloads(chosen.f, chosen.x), Asker(chosen.a, "/healthz", "identity")
        opened.enter_context(prober.socket)
        joined_kib, began_cpu_s, began_s = resident_kib(chosen.x), cpu_s(chosen.x), time.monotonic()
        probe(prober, reloads, chosen.d)
        took_s, took_cpu_s = time.monotonic() - began_s, cpu_s(chosen.x) - began_cpu_s
        await_all(reloads, chosen.a)
    sample = {
        "reloads": reloads.asked,
        "reload_ping_p99_us": share(prober.times_us, 0.99),
        "reload_ping_max_us": max(prober.times_us),
        "server_cpu": took_cpu_s / took_s,
        "rss_joined_kib": joined_kib,
        # What the tables of fan-outs are made of.
        "deliveries_per_s": 0.0,
    }
    print(json.dumps(sample))


if __name__ == "__main__":
    main()
