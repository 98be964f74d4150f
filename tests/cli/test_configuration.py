"""How a command is configured, and what it says when that is wrong."""

from pathlib import Path

import pytest

from tests.cli.runner import run

AMBIGUOUS = 'rooms=[{"name": "a", "path": "/r/{x}/b"}, {"name": "b", "path": "/r/a/{x}"}]'


@pytest.mark.parametrize("arguments", [("check",), ("serve",), ("explain", "/rooms/a")])
def test_wrong_configuration_exits_with_2_and_says_why_on_stderr(arguments: tuple[str, ...]) -> None:
    Path("a.toml").write_text("[server]\nprot = 1\n")

    result = run(*arguments, "--config", "a.toml")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "roomcast: a.toml line 2: server.prot: there is no such key; did you mean server.port?\n"


@pytest.mark.parametrize("arguments", [("check",), ("serve",), ("explain", "/rooms/a")])
def test_ambiguous_templates_are_a_wrong_configuration(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--set", AMBIGUOUS)

    assert result.exit_code == 2
    assert '"/r/{x}/b"' in result.stderr
    assert '"/r/a/{x}"' in result.stderr


def test_several_problems_are_a_line_each() -> None:
    Path("a.toml").write_text("[server]\nprot = 1\nhots = 1\n")

    result = run("check", "--config", "a.toml")

    assert [line.startswith("roomcast: a.toml line ") for line in result.stderr.splitlines()] == [True, True]


def test_dev_that_is_reachable_from_elsewhere_is_refused() -> None:
    result = run("serve", "--dev", "--set", "server.host=0.0.0.0")

    assert result.exit_code == 2
    assert "listens on loopback only" in result.stderr
