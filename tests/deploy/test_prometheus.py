"""Prometheus' own tool, promtool, reads all that is meant for Prometheus.

Debian's package `prometheus` has it; where it is missing, tests/skips.toml leaves this file out.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roomcast.api.app import create_app
from roomcast.api.door import PrivateDoor
from roomcast.transport.listener import bind
from tests.api.visit import ask, connect_to
from tests.diary import Diary
from tests.idle import idle_access, idle_counters, idle_hub

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
ALERTS = ["down", "not_ready", "origin_refusals"]


def promtool(*arguments: str, stdin: bytes | None = None) -> str:
    """Run promtool where the configuration is, and return all that it says; it has to be content."""
    command = subprocess.run(
        ["promtool", *arguments],
        cwd=PROMETHEUS,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = command.stdout.decode()
    assert command.returncode == 0, said
    return said


def test_configuration_and_the_rules_it_names_are_valid() -> None:
    said = promtool("check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")

    assert "1 rule files found" in said


def test_rules_are_valid() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", "rules/roomcast.yml")


def test_every_alert_has_its_tests() -> None:
    assert sorted(path.stem for path in (PROMETHEUS / "tests").glob("*.yml")) == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_and_does_not_fire(alert: str) -> None:
    cases = (PROMETHEUS / "tests" / f"{alert}.yml").read_text(encoding="utf-8")
    assert "exp_alerts: []" in cases
    assert "exp_labels:" in cases

    said = promtool("test", "rules", f"tests/{alert}.yml")

    assert "SUCCESS" in said


def test_scrape_of_a_relay_is_clean() -> None:
    diary = Diary()
    app = create_app(idle_hub("rooms"), idle_counters(), lambda: True, diary.journal, idle_access())
    door = PrivateDoor(bind("127.0.0.1", 0), app, diary.journal)
    door.start()
    with connect_to(door) as prober:
        scrape = ask(prober, "/metrics").read()
    door.stop()

    assert promtool("check", "metrics", stdin=scrape) == ""
