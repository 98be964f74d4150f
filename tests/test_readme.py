"""What the README shows is run here, as it stands there."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import pytest
from websockets.sync.client import connect

README = Path(__file__).parent.parent / "README.md"

HIXIE76 = (
    b"GET /hixie HTTP/1.1\r\n"
    b"Host: example.com\r\n"
    b"Connection: Upgrade\r\n"
    b"Upgrade: WebSocket\r\n"
    b"Origin: http://example.com\r\n"
    b"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
    b"Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"
    b"\r\n"
    b"^n:ds[4U"
)


class Example(NamedTuple):
    port: int
    lines: IO[str]


def example(name: str) -> str:
    """The Python block behind this example's marker."""
    text = README.read_text(encoding="utf-8")
    blocks: list[str] = re.findall(rf"<!-- example: {name} -->\n```python\n(.*?)```", text, re.DOTALL)
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
    with connect(f"ws://127.0.0.1:{meow.port}/today", proxy=None) as client:
        assert client.recv() == "Do you read me, Lieutenant Bowie?"
        client.send("Ground control")
        assert client.recv() == "Ground control, meow."
        client.send("żółw ☃")
        assert client.recv() == "żółw ☃, meow."

    assert meow.lines.readline() == "end of stream: /today\n"


def test_meow_answers_a_client_of_2010(meow: Example) -> None:
    with socket.create_connection(("127.0.0.1", meow.port), timeout=10) as client, client.makefile("rb") as lines:
        client.sendall(HIXIE76)

        assert lines.readline() == b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
        while lines.readline() != b"\r\n":
            pass
        assert lines.read(16) == b"8jKS'y:G*Co,Wxa-"
        assert lines.read(35) == b"\x00Do you read me, Lieutenant Bowie?\xff"

        client.sendall(b"\x00Ground control\xff\xff\x00")

        assert lines.read() == b"\x00Ground control, meow.\xff\xff\x00"
    assert meow.lines.readline() == "end of stream: /hixie\n"


def test_meow_names_what_is_wrong_with_a_handshake(meow: Example) -> None:
    with socket.create_connection(("127.0.0.1", meow.port), timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\n")

        assert client.recv(1) == b""
    assert meow.lines.readline() == "no handshake: the method is POST, not GET\n"
