"""A third generator: scrapes a relay again and again, and probes it meanwhile.

One connection asks for ``/metrics``, as Prometheus does, the next time when the answer is
whole. Another asks for ``/healthz`` in the same way: how long that takes is how long the
loop was away, and what the scheduler of the machine adds. Prints one JSON object, as wsload does.
"""

import argparse
import json
import re
import select
import socket
import time

from tests.bench.apiload import cpu_s, resident_kib

_WARM_UP_SCRAPES = 3
_LENGTH = re.compile(rb"content-length: (\d+)\r\n", re.IGNORECASE)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scrapeload", description=__doc__)
    parser.add_argument("-p", type=int, help="port of the public door, which is left alone")
    parser.add_argument("-a", type=int, required=True, help="port of the private door")
    parser.add_argument("-x", type=int, required=True, help="pid of the relay")
    parser.add_argument("-d", type=float, default=3.0, help="seconds to measure")
    parser.add_argument("-z", action="store_true", help="take it compressed, as Prometheus does")
    return parser.parse_args()


class Asker:
    """One connection, which asks the same again and again, and how long each answer took, in microseconds."""

    def __init__(self, port: int, path: str, encoding: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/openmetrics-text")
        self._request = "\r\n".join((*lines, f"Accept-Encoding: {encoding}", "", "")).encode()
        self.times_us: list[float] = []
        self.size_bytes = 0
        self.ask()

    def ask(self) -> None:
        """Send the request."""
        self._answer = bytearray()
        self._whole_bytes = 0
        self._asked_s = time.perf_counter()
        self.socket.sendall(self._request)

    def read(self) -> None:
        """Read on; when the answer is whole, note how long it took, and ask again."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise SystemExit(f"the relay hung up: {bytes(self._answer[:200])!r}")
        self._answer += data
        end = 0 if self._whole_bytes else self._answer.find(b"\r\n\r\n") + 4
        if end >= 4:
            length = _LENGTH.search(self._answer)
            if not self._answer.startswith(b"HTTP/1.1 200 ") or length is None:
                raise SystemExit(f"the relay answered {bytes(self._answer[:200])!r}")
            self.size_bytes = int(length[1])
            self._whole_bytes = end + self.size_bytes
        if 0 < self._whole_bytes <= len(self._answer):
            self.times_us.append((time.perf_counter() - self._asked_s) * 1e6)
            self.ask()


def share(times_us: list[float], part: float) -> float:
    """Return the time below which that part of them lies."""
    return sorted(times_us)[min(int(len(times_us) * part), len(times_us) - 1)]


def main() -> None:
    """Load a relay, and print what it came to."""
    chosen = arguments()
    scraper = Asker(chosen.a, "/metrics", "gzip" if chosen.z else "identity")
    prober = Asker(chosen.a, "/healthz", "identity")
    with scraper.socket, prober.socket, select.epoll() as poll:
        askers = {asker.socket.fileno(): asker for asker in (scraper, prober)}
        for descriptor in askers:
            poll.register(descriptor, select.EPOLLIN)

        def load(*, seconds: float, scrapes: int) -> None:
            until_s = time.monotonic() + seconds
            while time.monotonic() < until_s or len(scraper.times_us) < scrapes:
                for descriptor, _ in poll.poll():
                    askers[descriptor].read()

        load(seconds=0, scrapes=_WARM_UP_SCRAPES)
        for asker in askers.values():
            asker.times_us.clear()
        joined_kib, began_cpu_s, began_s = resident_kib(chosen.x), cpu_s(chosen.x), time.monotonic()
        load(seconds=chosen.d, scrapes=1)
        took_s, took_cpu_s = time.monotonic() - began_s, cpu_s(chosen.x) - began_cpu_s
    sample = {
        "scrape_us": share(scraper.times_us, 0.5),
        "scrape_p99_us": share(scraper.times_us, 0.99),
        "scrape_max_us": max(scraper.times_us),
        "scrape_ping_p99_us": share(prober.times_us, 0.99),
        "scrape_ping_max_us": max(prober.times_us),
        "scrape_bytes": scraper.size_bytes,
        "server_cpu": took_cpu_s / took_s,
        "rss_joined_kib": joined_kib,
        # What the tables of fan-outs are made of.
        "deliveries_per_s": 0.0,
    }
    print(json.dumps(sample))


if __name__ == "__main__":
    main()
