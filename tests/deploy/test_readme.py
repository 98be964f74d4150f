from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics_core import Metric

from tests.idle import idle_collector

DEPLOY = Path(__file__).parents[2] / "deploy"
README = (DEPLOY / "README.md").read_text(encoding="utf-8")
RULES = (DEPLOY / "prometheus" / "rules" / "roomcast.yml").read_text(encoding="utf-8")

# The name by which a family is found in Prometheus is not always the collector's.
SUFFIXES = {"counter": "_total", "info": "_info"}


def row(family: Metric) -> str:
    """Return the line of the table that says what a family says of itself."""
    # `le` is a histogram's own.
    labels = ", ".join(f"`{label}`" for label in family.samples[0].labels if label != "le")
    name = family.name + SUFFIXES.get(family.type, "")
    return f"| `{name}` | {family.type} | {labels + ' ' if labels else ''}| {family.documentation} |"


def test_table_of_metrics_is_what_a_scrape_says() -> None:
    collector = idle_collector()

    rows = [line for line in README.splitlines() if re.match(r"\| `(roomcast|process)_", line)]

    assert rows == [row(family) for family in collector.collect()]


def test_every_alert_leads_to_its_section() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES)
    runbooks = re.findall(r'runbook: "deploy/README\.md#(\w+)"', RULES)

    assert len(alerts) == 3
    assert runbooks == [alert.lower() for alert in alerts]
    assert all(f"\n### {alert}\n" in README for alert in alerts)


def test_every_metric_that_the_readme_or_a_rule_speaks_of_exists() -> None:
    collector = idle_collector()
    names = {sample.name for family in collector.collect() for sample in family.samples}
    families = {family.name for family in collector.collect()}

    # A recorded series is named `level:metric:operation`; it is no metric of ours.
    spoken_of = set(re.findall(r"(?<![:\w])(?:roomcast|process)_\w+(?!:)\b", README + RULES))

    assert spoken_of
    assert spoken_of <= names | families
