"""The runbook has a row for each metric, a section for each alert, and in its tables all of the relay's words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from roomcast.relay.reasons import Reason
from roomcast.transport.admission import Outcome
from tests.deploy.rules import ALERTS, Alert
from tests.idle import idle_collector

README = (Path(__file__).parents[2] / "deploy" / "README.md").read_text(encoding="utf-8")

# The name by which a family is found in Prometheus is not always the collector's.
SUFFIXES = {"counter": "_total", "info": "_info"}
# What no alert compares with the day before: answers that are no refusals, and what other alerts are about.
NOT_THEIRS = {
    Outcome.ACCEPTED,
    Outcome.PAGE,
    Outcome.PREFLIGHT,
    Outcome.GONE,
    Outcome.FULL,
    Outcome.DRAINING,
    Outcome.INTERNAL,
}
WANTED = {
    Reason.PEER,
    Reason.RESTART,
    Reason.KICKED,
    Reason.ROOM_CLOSED,
    Reason.EXPIRED,
    Reason.REVOKED,
    Reason.INTERNAL,
}


def row(family: Metric) -> str:
    """Return the line of the table that says what a family says of itself."""
    # `le` is a histogram's own.
    labels = ", ".join(f"`{label}`" for label in family.samples[0].labels if label != "le")
    name = family.name + SUFFIXES.get(family.type, "")
    return f"| `{name}` | {family.type} | {labels + ' ' if labels else ''}| {family.documentation} |"


def section(alert: str) -> str:
    """Return what the runbook says about an alert."""
    return re.split("^##", README.partition(f"\n### {alert}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def words_in_table(alert: str) -> list[str]:
    """Return the words in the first column of the table in an alert's section."""
    cells = re.findall(r"^\| (`[^|]+`) \|", section(alert), re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`(\w+)`", cell)]


def test_table_of_metrics_is_what_a_scrape_says() -> None:
    collector = idle_collector()

    rows = [line for line in README.splitlines() if re.match(r"\| `(roomcast|process)_", line)]

    assert rows == [row(family) for family in collector.collect()]


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    sections = re.findall(r"^### (Roomcast\w+)$", README, re.MULTILINE)

    assert sorted(sections) == sorted(alert.name for alert in ALERTS)
    assert all(section(name).strip() for name in sections)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_leads_to_its_section(alert: Alert) -> None:
    assert alert.annotations["runbook"] == f"deploy/README.md#{alert.name.lower()}"


def test_runbook_says_what_every_refusal_comes_from() -> None:
    assert sorted(words_in_table("RoomcastRefusals")) == sorted(set(Outcome) - NOT_THEIRS)


def test_runbook_says_what_every_disconnect_comes_from() -> None:
    assert sorted(words_in_table("RoomcastDisconnects")) == sorted(set(Reason) - WANTED)
