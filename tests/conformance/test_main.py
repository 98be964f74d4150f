"""The command, on a few cases of the suite."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.test_autobahn import TIMEOUT_S


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.timeout(TIMEOUT_S)
def test_command_ends_with_a_table_and_writes_what_was_said(tmp_path: Path) -> None:
    done = run("7.1.5", "7.1.6", "9.1.1", "--jobs", "2", "--json", tmp_path / "verdicts.json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "9.1.1 – 9.1.1: 1 OK, in " in done.stdout
    assert done.stdout.endswith("3 cases: 2 OK, 1 INFORMATIONAL\n")
    written = json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"))
    assert [(verdict["case"], verdict["verdict"]) for verdict in written] == [
        ("7.1.5", "OK"),
        ("7.1.6", "INFORMATIONAL"),
        ("9.1.1", "OK"),
    ]


@pytest.mark.timeout(TIMEOUT_S)
def test_one_verdict_that_is_not_what_it_should_be_is_told_and_is_the_status() -> None:
    done = run("1.1.1", "1.1.2", "--set", "limits.message_max_bytes=10")

    assert done.returncode == 1
    assert done.stdout.startswith("1.1.2: FAILED, close code 1009: ")
    assert done.stdout.endswith("2 cases: 1 OK, 1 FAILED\n")


def test_case_that_there_is_not_is_refused_with_the_groups() -> None:
    done = run("8.1.1")

    assert done.returncode == 2
    assert "'8.1.1' names no case: the groups are 1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13" in done.stderr
