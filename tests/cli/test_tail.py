"""roomcast tail: what it prints where, and how it ends."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.certificates import authority
from tests.cli.runner import run
from tests.cli.scripted import STREAM, refusal, scripted
from tests.cli.terminals import read_until
from tests.processes import command, command_line
from tests.running import TLS, Serve
from tests.tokens import SECRET, fresh_token
from tests.wire import HANG_S

GAP = b'event: gap\ndata: {"reason":"offset","offset":40}\n\n'
HELLO = b"retry: 0\nid: k7c2m9qa:41\ndata: hello\n\n"
BYTES = b"id: k7c2m9qa:42\nevent: binary\ndata: AP8=\n\n"


def test_messages_are_lines_in_a_pipe_and_gaps_are_not_among_them() -> None:
    with scripted(STREAM + GAP + HELLO + BYTES) as door:
        result = run("tail", "/rooms/lobby", "--url", door.url, "--count", "2")

    assert result.exit_code == 0
    assert result.stdout == "41\thello\n42\t(2 bytes, binary)\n"
    assert result.stderr == 'roomcast: gap: {"reason":"offset","offset":40}\n'


def test_json_is_an_object_for_each_message() -> None:
    with scripted(STREAM + HELLO) as door:
        result = run("tail", "/rooms/lobby", "--url", door.url, "--json", "--count", "1")

    assert json.loads(result.stdout) == {"epoch": "k7c2m9qa", "offset": 41, "text": "hello"}


def test_what_is_asked_for_is_in_the_request(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    with scripted(STREAM + HELLO) as door:
        options = ("--history", "3", "--since", "k7c2m9qa:7", "--token-file", "token", "--count", "1")
        run("tail", "/rooms/lobby", "--url", door.url, *options)

    [asked] = door.asked
    assert asked.line == "GET /rooms/lobby?history=3&since=k7c2m9qa:7 HTTP/1.1"
    assert asked.headers["authorization"] == "Bearer abc"


def test_token_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_CLIENT_TOKEN", "abc")
    with scripted(STREAM + HELLO) as door:
        run("tail", "/rooms/lobby", "--url", door.url, "--count", "1")

    assert door.asked[0].headers["authorization"] == "Bearer abc"


def test_refusal_exits_with_1_and_the_relay_s_line() -> None:
    with scripted(refusal("404 Not Found", "no room has this path")) as door:
        result = run("tail", "/lobby", "--url", door.url)

    assert result.exit_code == 1
    assert result.stderr == "roomcast: 404 no room has this path\n"


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("rooms/lobby",), 'it begins with "/"'),
        (("/a", "--url", "localhost:8080"), "--url is not http://host:port"),
        (("/a", "--token-file", "none"), "--token-file none cannot be read: No such file or directory"),
        (("/a", "--token-file", "bad"), "bad holds more than one line"),
        (("/a", "--count", "0"), "greater than or equal to 1"),
    ],
)
def test_wrong_usage_exits_with_2_and_its_rule(arguments: tuple[str, ...], rule: str) -> None:
    Path("bad").write_text("a\nb")

    result = run("tail", *arguments)

    assert result.exit_code == 2
    assert rule in result.stderr


CLOSED = f"""
[tokens]
secret = "{SECRET}"
[[rooms]]
name = "rooms"
path = "/rooms/{{room}}"
access = "token"
history_messages = 10
"""


def test_room_that_asks_for_a_token_is_followed_with_one_and_not_without(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = serve(CLOSED)
    token = fresh_token()
    relay.join("/rooms/lobby", f"Authorization: Bearer {token}").say("hello")
    relay.until(lambda: "/rooms/lobby" in relay.server.hub.rooms)
    url = "http://{}:{}".format(*relay.address)
    options = ("/rooms/lobby", "--url", url, "--history", "1", "--count", "1")

    refused = run("tail", *options)
    monkeypatch.setenv("ROOMCAST_CLIENT_TOKEN", token)
    result = run("tail", *options)

    assert refused.exit_code == 1
    assert refused.stderr.startswith("roomcast: 401 this room asks for a token")
    assert (result.exit_code, result.stdout) == (0, "1\thello\n")


@pytest.mark.parametrize("serve", [TLS], indirect=True)
def test_relay_with_a_certificate_is_followed_where_that_is_trusted_and_not_elsewhere(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = serve(CLOSED.replace('access = "token"', 'greeting = "hello"'))
    options = ("/rooms/lobby", "--url", "https://{}:{}".format(*relay.address), "--count", "1")

    refused = run("tail", *options)
    (tmp_path / "authority.pem").write_bytes(authority().cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    result = run("tail", *options)

    assert refused.exit_code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
    assert (result.exit_code, result.stdout) == (0, "0\thello\n")


@pytest.mark.usefixtures("interruptible")
def test_interrupt_exits_with_0() -> None:
    with (
        scripted(STREAM + HELLO, is_held=True) as door,
        command("tail", "/rooms/lobby", "--url", door.url) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "41\thello\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=HANG_S)

    assert process.returncode == 0
    assert (output, errors) == ("", "")


def test_reader_that_has_had_enough_ends_it_without_a_complaint() -> None:
    many = b"".join(b"id: k7c2m9qa:%d\ndata: hello\n\n" % number for number in range(20_000))
    with (
        scripted(STREAM + many, is_held=True) as door,
        command("tail", "/rooms/lobby", "--url", door.url) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(HANG_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.usefixtures("interruptible")
def test_terminal_shows_messages_above_their_rate() -> None:
    ours, its = pty.openpty()
    try:
        with scripted(STREAM + GAP + HELLO, is_held=True) as door:
            line = command_line("tail", "/rooms/lobby", "--url", door.url)
            environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
            with subprocess.Popen(line, stdout=its, stderr=its, env=environment) as process:
                os.close(its)
                shown = read_until(ours, b"1 messages, 5 bytes")
                process.send_signal(signal.SIGINT)
                assert process.wait(HANG_S) == 0
    finally:
        os.close(ours)

    assert "roomcast: gap: " in shown
    assert "hello" in shown
