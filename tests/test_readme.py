"""What the README shows is run here, as it stands there."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import pytest
from websockets.sync.client import connect as connect_websocket

from tests.api.calls import KEY, WITH_KEY
from tests.running import Serve
from tests.wire import CLOSING, connect, shake_hands_hixie76

README = Path(__file__).parent.parent / "README.md"


class Example(NamedTuple):
    port: int
    lines: IO[str]


def example(name: str, language: str = "python") -> str:
    """The block of code behind this example's marker."""
    text = README.read_text(encoding="utf-8")
    blocks: list[str] = re.findall(rf"<!-- example: {name} -->\n```{language}\n(.*?)```", text, re.DOTALL)
    (code,) = blocks
    return code


@pytest.fixture
def meow(tmp_path: Path) -> Iterator[Example]:
    """The example, listening, and the lines that it prints."""
    script = tmp_path / "meow.py"
    script.write_text(example("meow"))
    with subprocess.Popen([sys.executable, "-u", script, "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            listening = process.stdout.readline()
            yield Example(int(listening.removeprefix("listening on port ")), process.stdout)
        finally:
            process.terminate()


def test_meow_answers_a_client_of_today(meow: Example) -> None:
    with connect_websocket(f"ws://127.0.0.1:{meow.port}/today", proxy=None) as client:
        assert client.recv() == "Do you read me, Lieutenant Bowie?"
        client.send("Ground control")
        assert client.recv() == "Ground control, meow."
        client.send("żółw ☃")
        assert client.recv() == "żółw ☃, meow."

    assert meow.lines.readline() == "end of stream: /today\n"


def test_meow_answers_a_client_of_2010(meow: Example) -> None:
    with connect(("127.0.0.1", meow.port)) as wire:
        client = shake_hands_hixie76(wire, "/hixie")
        assert client.hear() == "Do you read me, Lieutenant Bowie?"

        client.say("Ground control")
        client.say_goodbye()

        assert client.hear() == "Ground control, meow."
        assert wire.read_to_end() == CLOSING
    assert meow.lines.readline() == "end of stream: /hixie\n"


def test_meow_names_what_is_wrong_with_a_handshake(meow: Example) -> None:
    with connect(("127.0.0.1", meow.port)) as wire:
        wire.send(b"POST / HTTP/1.1\r\n")

        assert wire.read_to_end() == b""
    assert meow.lines.readline() == "no handshake: the method is POST, not GET\n"


def test_curl_publishes_lists_and_kicks(serve: Serve) -> None:
    relay = serve(WITH_KEY)
    assert isinstance(relay.server.private_address, tuple)
    member = relay.join("/rooms/lobby")
    member_id = f"{relay.call(lambda: relay.server.hub.epoch)}.1"
    script = example("backend", "sh").replace(":8081/", f":{relay.server.private_address[1]}/")
    assert KEY in script

    ran = subprocess.run(["sh", "-euc", script], env=os.environ | {"ID": member_id}, stdout=subprocess.PIPE, check=True)

    assert [member.hear(), member.hear()] == ["hello", "one"]
    assert member.read_goodbye() == (4403, "kicked")
    _, batch, members, kicked = map(json.loads, ran.stdout.splitlines())
    assert len(batch["offsets"]) == 2
    assert [listed["id"] for listed in members["members"]] == [member_id]
    assert kicked == {"members": 1}
