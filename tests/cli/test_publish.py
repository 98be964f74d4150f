"""roomcast publish: what becomes of lines, texts and bytes, what it says of them, and how it ends."""

import base64
import json
import os
import subprocess
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from roomcast.cli import app
from tests.api.calls import KEY, WITH_KEY
from tests.cli.accepting import accept, problem, texts
from tests.cli.scripted import scripted
from tests.cutting import cutting_proxy
from tests.processes import command_line
from tests.running import Relay, Serve
from tests.wire import HANG_S


def publish(*arguments: str, given: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["publish", *arguments], input=given)


def test_each_line_is_a_message_and_the_summary_says_where_they_are() -> None:
    with scripted(accept(41)) as door:
        result = publish("/rooms/lobby", "--url", door.url, given="a\n\nÄ\n".encode())

    assert result.exit_code == 0
    assert (result.stdout, result.stderr) == ("3 messages, k7c2m9qa:41 to 43\n", "")
    assert json.loads(door.asked[0].body) == {
        "messages": [{"room": "/rooms/lobby", "text": text} for text in ("a", "", "Ä")]
    }


def test_text_is_a_message_and_standard_input_is_not_read() -> None:
    with scripted(accept(41)) as door:
        result = publish("/a", "hello\nyou", "--url", door.url, given=b"not this")

    assert result.stdout == "1 message, k7c2m9qa:41\n"
    assert texts(door.asked[0]) == ["hello\nyou"]


def test_whole_input_is_a_message() -> None:
    with scripted(accept(41)) as door:
        publish("/a", "--whole", "--url", door.url, given=b"a\nb\n")

    assert texts(door.asked[0]) == ["a\nb\n"]


def test_bytes_need_be_no_text() -> None:
    with scripted(accept(41)) as door:
        publish("/a", "--whole", "--binary", "--url", door.url, given=b"\xff\n")

    [message] = json.loads(door.asked[0].body)["messages"]
    assert base64.b64decode(message["base64"]) == b"\xff\n"


def test_key_is_in_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("from-file\n")
    monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", "from-environment")
    with scripted(accept(1), accept(2)) as door:
        publish("/a", "hello", "--url", door.url)
        publish("/a", "hello", "--url", door.url, "--key-file", str(key_file))

    said = [asked.headers["authorization"] for asked in door.asked]
    assert said == ["Bearer from-environment", "Bearer from-file"]


def test_long_input_is_sent_in_batches_in_its_order() -> None:
    lines = [str(number) for number in range(2500)]
    with scripted(accept(1), accept(1001), accept(2001)) as door:
        result = publish("/a", "--url", door.url, given="".join(f"{line}\n" for line in lines).encode())

    assert [text for asked in door.asked for text in texts(asked)] == lines
    assert result.stdout == "2,500 messages, k7c2m9qa:1 to 2500\n"


def test_nothing_is_no_message() -> None:
    result = publish("/a", "--url", "http://127.0.0.1:1")

    assert result.exit_code == 0
    assert result.stdout == "0 messages\n"


def test_refusal_in_the_middle_says_which_lines_were_accepted() -> None:
    given = b"x\n" * 1500
    with scripted(accept(1), problem("403 Forbidden", "no")) as door:
        result = publish("/a", "--url", door.url, given=given)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "roomcast: 403 no",
        "roomcast: accepted: 1,000 messages, k7c2m9qa:1 to 1000; lines 1,001 to 1,500 and what follows were not",
    ]


def test_answer_that_never_came_says_that_this_is_not_known() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as door:
        result = publish("/a", "hello", "--url", door.url)

    assert result.exit_code == 1
    assert "accepted: 0 messages; of line 1 that is not known, and what follows was not sent" in result.stderr


def test_line_that_cannot_be_sent_exits_with_2_and_those_before_it_are_sent() -> None:
    with scripted(accept(1)) as door:
        result = publish("/a", "--url", door.url, given=b"a\nb\n\xff\nc\n")

    assert texts(door.asked[0]) == ["a", "b"]
    assert result.exit_code == 2
    assert "line 3 is not UTF-8 at byte 0; --binary sends any bytes" in result.stderr
    assert "accepted: 2 messages, k7c2m9qa:1 to 2; it and what follows were not sent" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("rooms",), ("/a", "--url", "a"), ("/a", "b", "c")])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert publish(*arguments).exit_code == 2


def test_line_is_sent_when_it_is_there() -> None:
    with scripted(accept(1), accept(2)) as door:
        line = command_line("publish", "/a", "--url", door.url)
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdin is not None
            for text in ("one", "two"):
                os.write(process.stdin.fileno(), f"{text}\n".encode())
                assert texts(door.next_asked()) == [text]
            output, errors = process.communicate(timeout=HANG_S)

    assert process.returncode == 0
    assert (output, errors) == (b"2 messages, k7c2m9qa:1 to 2\n", b"")


LOBBY = "/rooms/lobby"
UNLIMITED = """
[[rooms]]
name = "rooms"
path = "/rooms/{room}"
messages_per_s = 0
bytes_per_s = 0
"""


def private_url(relay: Relay) -> str:
    return "http://{}:{}".format(*relay.server.private_address)


def head_of(relay: Relay) -> int:
    room = relay.server.hub.rooms.get(LOBBY)
    return room.log.head if room else 0


def lines_of(count: int) -> tuple[list[str], bytes]:
    """Return so many texts, and the input that says them."""
    texts = [str(number) for number in range(count)]
    return texts, "".join(f"{text}\n" for text in texts).encode()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show the key of these tests' relays."""
    monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", KEY)


@pytest.mark.usefixtures("key")
def test_lines_are_heard_in_their_order_by_who_is_in_the_room(serve: Serve) -> None:
    relay = serve(WITH_KEY + UNLIMITED)
    member = relay.join(LOBBY)
    said, given = lines_of(2500)

    result = publish(LOBBY, "--url", private_url(relay), given=given)

    epoch = relay.server.hub.epoch
    assert (result.stdout, result.stderr) == (f"2,500 messages, {epoch}:1 to 2500\n", "")
    assert [member.hear() for _ in said] == said


@pytest.mark.usefixtures("key")
def test_line_is_in_the_room_once_however_often_the_connection_is_cut(serve: Serve) -> None:
    relay = serve(WITH_KEY + UNLIMITED)
    member = relay.join(LOBBY)
    said, given = lines_of(10_000)
    with cutting_proxy(relay.server.private_address) as proxy:

        def cut_now_and_then() -> None:
            for head in range(1, len(said), 1500):
                # A batch was accepted just now, and its answer is on its way.
                relay.until(partial(has_reached, relay, head))
                proxy.cut()

        cutter = Thread(target=cut_now_and_then)
        cutter.start()
        result = publish(LOBBY, "--url", proxy.url, given=given)
        cutter.join()

    assert proxy.cuts
    assert result.exit_code == 0
    assert result.stdout.startswith("10,000 messages, ")
    assert [member.hear() for _ in said] == said
    assert head_of(relay) == len(said)


def has_reached(relay: Relay, head: int) -> bool:
    return head_of(relay) >= head


@pytest.mark.usefixtures("key")
def test_relay_that_takes_less_at_once_gets_less(serve: Serve) -> None:
    relay = serve(f"{WITH_KEY}body_max_bytes = 65_536\n{UNLIMITED}")
    member = relay.join(LOBBY)
    said, given = lines_of(2000)

    result = publish(LOBBY, "--url", private_url(relay), given=given)

    assert (result.exit_code, result.stderr) == (0, "")
    assert [member.hear() for _ in said] == said


def test_key_that_is_none_of_the_relay_s_is_refused_in_its_words(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = serve(WITH_KEY)
    without = publish(LOBBY, "hello", "--url", private_url(relay))
    monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", "another")

    result = publish(LOBBY, "hello", "--url", private_url(relay))

    assert (without.exit_code, result.exit_code) == (1, 1)
    assert without.stderr.startswith("roomcast: 401 a key is wanted")
    assert result.stderr.startswith("roomcast: 401 this key is not one of ours")
