"""A third generator: scrapes a relay again and again, and probes it meanwhile.

One connection asks for ``/metrics``, as Prometheus does, the next time when the answer is
whole. Another asks for ``/healthz`` in the same way: how long that takes is how long the
loop was away, and what the scheduler of the machine adds. Prints one JSON object, as wsload does.
"""

import argparse
import json
import select
import time

from tests.bench.apiload import cpu_s, resident_kib
from tests.bench.probing import Asker, share

_WARM_UP_SCRAPES = 3


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scrapeload", description=__doc__)
    parser.add_argument("-p", type=int, help="port of the public door, which is left alone")
    parser.add_argument("-a", type=int, required=True, help="port of the private door")
    parser.add_argument("-x", type=int, required=True, help="pid of the relay")
    parser.add_argument("-d", type=float, default=3.0, help="seconds to measure")
    parser.add_argument("-z", action="store_true", help="take it compressed, as Prometheus does")
    return parser.parse_args()


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
