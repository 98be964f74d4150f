"""Prometheus' own tool, promtool, reads all that is meant for Prometheus.

Debian's package `prometheus` has it; where it is missing, tests/skips.toml leaves this file out.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from roomcast.api.app import create_app
from roomcast.api.door import PrivateDoor
from roomcast.transport.listener import bind
from tests.api.visit import ask, connect_to
from tests.deploy.rules import ALERTS, FILES, PROMETHEUS, Alert
from tests.diary import Diary
from tests.idle import idle_access, idle_counters, idle_hub

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


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

    assert f"{len(FILES)} rule files found" in said


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rules_are_valid(file: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(file))


def test_every_alert_has_its_tests_and_every_test_its_alert() -> None:
    assert sorted((PROMETHEUS / "tests").glob("*.yml")) == sorted(alert.test_file for alert in ALERTS)


@each_alert
def test_alert_fires_and_does_not_fire(alert: Alert) -> None:
    tests = yaml.safe_load(alert.test_file.read_text(encoding="utf-8"))["tests"]
    expected = [
        case["exp_alerts"] for test in tests for case in test["alert_rule_test"] if case["alertname"] == alert.name
    ]
    # And not only before its time has come: some that should never ring do not.
    assert any(expected)
    assert any(not any(case["exp_alerts"] for case in test["alert_rule_test"]) for test in tests)

    said = promtool("test", "rules", str(alert.test_file))

    assert "SUCCESS" in said


@each_alert
def test_alert_says_what_there_is_to_be_known(alert: Alert) -> None:
    assert alert.severity in {"critical", "warning"}
    assert alert.annotations.keys() == {"summary", "description", "runbook"}
    # A number with fifteen digits is for no eye.
    values = [part for text in alert.annotations.values() for part in re.findall(r"{{ *\$value[^}]*}}", text)]
    assert all("|" in value for value in values)


def test_scrape_of_a_relay_is_clean() -> None:
    diary = Diary()
    app = create_app(idle_hub("rooms"), idle_counters(), lambda: True, diary.journal, idle_access())
    door = PrivateDoor(bind("127.0.0.1", 0), app, diary.journal)
    door.start()
    with connect_to(door) as prober:
        scrape = ask(prober, "/metrics").read()
    door.stop()

    assert promtool("check", "metrics", stdin=scrape) == ""
