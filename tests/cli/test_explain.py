"""roomcast explain: what would happen to a handshake, and with which exit status."""

import re

from tests.cli.runner import run

EVIL_LOBBY = ("--origin", "https://evil.example", "/rooms/lobby")


def test_explain_says_yes_with_the_rule_that_lets_in() -> None:
    result = run("explain", "--dev", "--origin", "http://localhost:3000", "/rooms/lobby")

    assert result.exit_code == 0
    assert re.search(r"status +101", result.stdout)
    assert re.search(r"template +rooms", result.stdout)
    assert re.search(r'rule +allow "http://localhost:\*"', result.stdout)


def test_explain_says_no_with_how_to_change_it() -> None:
    result = run("explain", *EVIL_LOBBY)

    assert result.exit_code == 1
    assert re.search(r"status +403", result.stdout)
    assert 'add "https://evil.example" to [origins] allow' in result.stdout


def test_explain_knows_the_host_of_a_page() -> None:
    arguments = ("explain", "--origin", "http://chat.example", "/rooms/lobby", "--host")

    assert run(*arguments, "chat.example").exit_code == 0
    assert run(*arguments, "other.example").exit_code == 1


def test_explain_knows_a_served_host_in_either_spelling() -> None:
    arguments = ("explain", "--set", "server.hosts=bücher.example", "/rooms/lobby", "--host")

    assert run(*arguments, "xn--bcher-kva.example").exit_code == 0
    assert run(*arguments, "BÜCHER.example:8080").exit_code == 0
    assert run(*arguments, "bucher.example").exit_code == 1


def test_explain_says_no_where_no_template_matches() -> None:
    result = run("explain", "/nothing")

    assert result.exit_code == 1
    assert re.search(r"status +404", result.stdout)
    assert "template" not in result.stdout.splitlines()[2]


def test_explain_takes_a_path_and_no_address() -> None:
    result = run("explain", "ws://localhost/rooms/lobby")

    assert result.exit_code == 2
    assert "'ws://localhost/rooms/lobby' does not" in result.stderr


def test_explain_says_what_the_shadow_would_say() -> None:
    result = run("explain", "--set", "origins.allow=*", "--set", "origins.shadow=https://a.example", *EVIL_LOBBY)

    assert result.exit_code == 0
    assert re.search(r"shadow +would refuse it: not same_origin, not in shadow", result.stdout)
