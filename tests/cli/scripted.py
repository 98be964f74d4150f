"""A door that says what a test has written, for what no healthy relay says: cut streams, refusals, slow words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from tests.wire import HANG_S

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
"""The head of a stream of events that ends with its connection."""


class Asked(NamedTuple):
    """A request, as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


Script = bytes | Callable[[Asked], bytes]
"""An answer, byte for byte; or what makes one of a request."""


class ScriptedDoor:
    """Answers each connection with the next of its answers; after the last it does not listen any more.

    Args:
        answers: What is sent when a request has come. The connection is closed behind
            it; behind the last one the client has to leave first, where ``is_held``.
    """

    def __init__(self, answers: Sequence[Script], *, is_held: bool = False) -> None:
        self._answers = answers
        self._is_held = is_held
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(HANG_S)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[Asked] = []
        """The requests, in their order."""
        self._news: SimpleQueue[Asked] = SimpleQueue()
        self._closed: SimpleQueue[None] = SimpleQueue()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._listener:
            for number, answer in enumerate(self._answers, start=1):
                # A client may have had enough before the end, and leaves with a reset.
                with self._accept() as client, suppress(ConnectionError):
                    asked = _read_request(client)
                    self.asked.append(asked)
                    self._news.put(asked)
                    client.sendall(answer if isinstance(answer, bytes) else answer(asked))
                    if number == len(self._answers):
                        # Nobody may connect while the last one is still here.
                        self._listener.close()
                        if self._is_held:
                            client.recv(1)
                self._closed.put(None)

    def _accept(self) -> socket.socket:
        client, _ = self._listener.accept()
        client.settimeout(HANG_S)
        return client

    def next_asked(self) -> Asked:
        """Wait for the next request, and return it."""
        return self._news.get(timeout=HANG_S)

    def wait_for_close(self) -> None:
        """Wait until the next connection is closed."""
        self._closed.get(timeout=HANG_S)

    def wait_for_end(self) -> None:
        """Wait until the last answer was given and its client has left."""
        self._thread.join(HANG_S)
        assert not self._thread.is_alive()


@contextmanager
def scripted(*answers: Script, is_held: bool = False) -> Iterator[ScriptedDoor]:
    """Open a door with these answers; all of them must be asked for."""
    door = ScriptedDoor(answers, is_held=is_held)
    yield door
    door.wait_for_end()


def refusal(status: str, line: str = "", *headers: str) -> bytes:
    """Return an answer with this status and one line of text."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(line) + 1}", *headers, "", f"{line}\n"]).encode()


def _read_request(client: socket.socket) -> Asked:
    with client.makefile("rb") as lines:
        first = lines.readline().decode().strip()
        headers = {}
        while line := lines.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Asked(first, headers, lines.read(int(headers.get("content-length", 0))))
