"""A real Prometheus: one that scrapes, or one that is given a past instead, so that no test has to wait for it.

Source: the HTTP API of Prometheus (/api/v1/query, /api/v1/query_range), and ``promtool tsdb create-blocks-from
openmetrics``, which makes a database of samples that have their times with them.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from prometheus_client.parser import text_string_to_metric_families

from tests.wire import HANG_S

TARGET = {"job": "roomcast", "instance": "relay:8081"}
"""The labels that a scraper gives to what it scrapes."""


class Scrape(NamedTuple):
    """What a relay said, and when."""

    time_s: float
    text: str


class Prometheus:
    """A Prometheus that runs, and can be asked."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    def at(self, expression: str, time_s: float) -> list[dict[str, Any]]:
        """Return the series of an expression at one moment; raises ValueError where it is no PromQL."""
        return self._ask("query", query=expression, time=time_s)

    def over(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """Return the series of an expression from one moment to another."""
        return self._ask("query_range", query=expression, start=start_s, end=end_s, step=step_s)

    def _ask(self, what: str, **parameters: object) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection(*self._address, timeout=HANG_S)
        try:
            connection.request("GET", f"/api/v1/{what}?{urlencode(parameters)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if answer["status"] != "success":
            raise ValueError(f"{parameters['query']}: {answer['error']}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


@contextmanager
def running(configuration: str, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus with this configuration and whatever past is in ``folder/data``; it is stopped at the end."""
    (folder / "prometheus.yml").write_text(configuration, encoding="utf-8")
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"]
    line = ["prometheus", *options, "--storage.tsdb.retention.time=10y"]
    with subprocess.Popen(line, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield Prometheus(_address_when_ready(process.stderr))
        finally:
            process.terminate()
            # Reads what it still says: a full pipe would keep it from ending.
            process.communicate(timeout=HANG_S)


def remember(scrapes: list[Scrape], folder: Path) -> None:
    """Make a database in ``folder/data`` of what a relay said at these times."""
    (folder / "past.om").write_text("".join(_openmetrics(scrapes)), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "past.om", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _openmetrics(scrapes: list[Scrape]) -> Iterator[str]:
    """Yield the lines of one text that holds all samples, those of one series behind each other."""
    lines: dict[str, list[str]] = defaultdict(list)
    for scrape in scrapes:
        for family in text_string_to_metric_families(scrape.text):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in (TARGET | sample.labels).items())
                series = f"{sample.name}{{{labels}}}"
                lines[series].append(f"{series} {sample.value} {scrape.time_s}\n")
    for series in sorted(lines):
        yield from lines[series]
    yield "# EOF\n"


def _address_when_ready(log: Iterator[str]) -> tuple[str, int]:
    """Read until it has said both where it listens and that it is ready, in whichever order."""
    said = ""
    for line in log:
        said += line
        listening = re.search(r'msg="Listening on" address=([\d.]+):(\d+)', said)
        if listening and "Server is ready to receive web requests" in said:
            return listening[1], int(listening[2])
    raise AssertionError(f"Prometheus ended: {said}")
