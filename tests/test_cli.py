"""The command line: what it prints, where, and with which exit status."""

import os
import re
import signal
import socket
from pathlib import Path
from platform import python_version

import gevent
import pytest
from typer.testing import CliRunner, Result

from roomcast import __version__
from roomcast.cli import app
from tests.certificates import issue
from tests.processes import command
from tests.wire import HANG_S

AMBIGUOUS = 'rooms=[{"name": "a", "path": "/r/{x}/b"}, {"name": "b", "path": "/r/a/{x}"}]'


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an empty folder the current one, and hide whatever configures the relay on this machine."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("ROOMCAST_"):
            monkeypatch.delenv(name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_version_names_what_a_bug_report_needs() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert result.stdout == f"roomcast {__version__} (python {python_version()}, gevent {gevent.__version__})\n"


@pytest.mark.parametrize("arguments", [(), ("srve",), ("check", "--conifg", "a"), ("explain",)])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_check_prints_every_value_and_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.toml").write_text('[origins]\nallow = ["https://[::1]:443"]\n')
    monkeypatch.setenv("ROOMCAST_SERVER__PORT", "0")

    result = run("check", "--config", "a.toml", "--set", "log.level=error")

    assert result.exit_code == 0
    rows = [re.split(r" {2,}", line.strip()) for line in result.stdout.splitlines()]
    assert ["server.port", "0", "environment ROOMCAST_SERVER__PORT"] in rows
    assert ["origins.allow", '["https://[::1]:443"]', "a.toml line 2"] in rows
    assert ["log.level", '"error"', "--set"] in rows
    assert ["limits.rooms_max", "10000", "default"] in rows
    assert ["rooms[0].bytes_per_s", "262144", "as limits.bytes_per_s"] in rows


@pytest.mark.parametrize("command", ["check", "serve"])
def test_network_that_is_none_is_a_mistake_in_the_configuration(command: str) -> None:
    result = run(command, "--set", "server.trusted_proxies=10.0.0.1/8")

    assert result.exit_code == 2
    assert 'trusted_proxies "10.0.0.1/8": has bits set behind its length: write "10.0.0.0/8"' in result.stderr


@pytest.mark.parametrize("command", ["check", "serve"])
def test_certificate_that_cannot_be_served_with_is_a_mistake_in_the_configuration(command: str) -> None:
    result = run(command, "--set", "tls.certificate=no.pem", "--set", "tls.key=no.pem")

    assert result.exit_code == 2
    assert result.stderr == "roomcast: [tls] certificate: no.pem cannot be read: No such file or directory\n"


def test_check_finds_nothing_wrong_with_a_certificate_and_its_key(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path).assignments

    assert run("check", "--set", certificate, "--set", key).exit_code == 0


def test_check_cuts_and_wraps_nothing_for_a_pipe() -> None:
    allow = ",".join(f"https://page{number}.example.com" for number in range(20))

    result = run("check", "--set", f"origins.allow={allow}")

    assert '"https://page19.example.com"]  --set' in result.stdout


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


def test_explain_says_yes_with_the_rule_that_lets_in() -> None:
    result = run("explain", "--dev", "--origin", "http://localhost:3000", "/rooms/lobby")

    assert result.exit_code == 0
    assert re.search(r"status +101", result.stdout)
    assert re.search(r"template +rooms", result.stdout)
    assert re.search(r'rule +allow "http://localhost:\*"', result.stdout)


def test_explain_says_no_with_how_to_change_it() -> None:
    result = run("explain", "--origin", "https://evil.example", "/rooms/lobby")

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


def test_served_host_that_the_policy_refuses_is_a_wrong_configuration() -> None:
    result = run("check", "--set", "server.hosts=a.example:443")

    assert result.exit_code == 2
    assert 'hosts "a.example:443": a name has no port: write "a.example"' in result.stderr


def test_explain_says_no_where_no_template_matches() -> None:
    result = run("explain", "/nothing")

    assert result.exit_code == 1
    assert re.search(r"status +404", result.stdout)
    assert "template" not in result.stdout.splitlines()[2]


def test_explain_takes_a_path_and_no_address() -> None:
    result = run("explain", "ws://localhost/rooms/lobby")

    assert result.exit_code == 2
    assert "'ws://localhost/rooms/lobby' does not" in result.stderr


def test_what_a_caller_writes_is_printed_as_it_is() -> None:
    # In rich's markup, brackets would be a style.
    assert "/rooms/[bold]x" in run("explain", "/rooms/[bold]x").stdout


def test_serve_prints_its_addresses_and_exits_with_0_when_it_is_told_to_stop() -> None:
    with command("serve", "--dev", "--set", "server.port=0", "--set", "admin.port=0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANG_S)

    assert process.returncode == 0
    assert re.fullmatch(r"\d\d:\d\d:\d\d serving\n", lines[0])
    assert re.fullmatch(r" +chat +http://127\.0\.0\.1:\d+/\n", lines[1])
    assert re.fullmatch(r" +rooms +ws://127\.0\.0\.1:\d+/rooms/\{room\}\n", lines[2])
    assert re.fullmatch(r" +metrics +http://127\.0\.0\.1:\d+/metrics\n", lines[3])


def test_serve_that_finds_its_port_taken_exits_with_2_and_names_the_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with command("serve", "--set", f"server.port={port}", "--set", "admin.port=0") as process:
            output, errors = process.communicate(timeout=HANG_S)

    assert process.returncode == 2
    assert output == ""
    assert f"127.0.0.1 port {port}" in errors
    assert "server.port=" in errors
    assert "Traceback" not in errors
