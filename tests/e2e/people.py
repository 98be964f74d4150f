"""Those who use the relay while things break: a backend that speaks, and three kinds of clients that listen.

Each is a thread that comes back when it is cut off, and keeps what it heard. What the
backend says is numbered, so that everybody can tell what is missing and what came twice.
"""

import asyncio
import subprocess
import threading
import urllib.request
from contextlib import suppress
from typing import Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from examples.roomcast_client import Message, Room

PAUSE_S: Final = 0.25
ROOM: Final = "/rooms/lobby"


class Person:
    """Somebody who does one thing, over and over, until told to stop."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.told_to_stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name=type(self).__name__)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.told_to_stop.set()
        self._thread.join()

    def _live(self) -> None:
        while not self.told_to_stop.wait(PAUSE_S):
            self.turn()

    def turn(self) -> None:
        """Do it once, or for as long as a connection lasts."""
        raise AssertionError("each person does something")


class Backend(Person):
    """Says the next number by the HTTP API; ``heard`` are those that the relay took."""

    def __init__(self, door: str, key: str) -> None:
        super().__init__()
        self._url = f"http://{door}/api/v1/messages?room={ROOM}"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "text/plain"}
        self._number = 0

    def turn(self) -> None:
        self._number += 1
        request = urllib.request.Request(self._url, str(self._number).encode(), self._headers)
        # A relay that was killed answers nobody.
        with suppress(OSError), urllib.request.urlopen(request, timeout=2):
            self.heard.append(self._number)


class Listener(Person):
    """One that hears the room at a public door."""

    def __init__(self, door: str) -> None:
        super().__init__()
        self.door = door


class WebsocketsListener(Listener):
    """The library `websockets`, without a subprotocol."""

    def turn(self) -> None:
        with suppress(OSError, InvalidHandshake, ConnectionClosed), connect(f"ws://{self.door}{ROOM}") as room:
            while not self.told_to_stop.is_set():
                with suppress(TimeoutError):
                    self.heard.append(int(room.recv(timeout=1)))


class ProjectListener(Listener):
    """The project's own client, which resumes by itself."""

    def turn(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        async with Room(f"ws://{self.door}{ROOM}") as room:
            while not self.told_to_stop.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        event = await anext(room)
                    if isinstance(event, Message):
                        self.heard.append(int(event.data))


class CurlListener(Listener):
    """curl, which reads the room as an event stream."""

    curl: subprocess.Popen[str] | None = None

    def turn(self) -> None:
        command = ["curl", "-sN", "-H", "Accept: text/event-stream", f"http://{self.door}{ROOM}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as self.curl:
            assert self.curl.stdout is not None
            for line in self.curl.stdout:
                if line.startswith("data: "):
                    self.heard.append(int(line.removeprefix("data: ")))

    def stop(self) -> None:
        self.told_to_stop.set()
        if self.curl is not None:
            self.curl.terminate()
        super().stop()
