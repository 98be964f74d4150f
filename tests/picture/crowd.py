"""People who keep a relay busy, and some who cause it trouble: clients of today, of 2010, and of event streams.

They pause as people do, so this is no test: it plays for as long as it is told.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiohttp

from tests.certificates import trusting
from tests.tokens import SECRET, fresh_token
from tests.wire import Address, connect, shake_hands_hixie76

PAGE: Final = "http://localhost"
_GONE: Final = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class Crowd:
    """All clients of one relay.

    Args:
        address: The relay's public door, which speaks TLS.
        private: Its private door.
        dice: Decides how long they wait, and what they say.
    """

    def __init__(self, address: tuple[str, int], private: tuple[str, int], dice: random.Random) -> None:
        self._address: Address = address
        self._public = f"https://127.0.0.1:{address[1]}"
        self._api = f"http://127.0.0.1:{private[1]}/api/v1"
        self._dice = dice
        self._tls: ssl.SSLContext = trusting()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def here(self) -> AsyncIterator[None]:
        """Open what they connect by, and send everybody home at the end."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            try:
                yield
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- people

    async def come(self, members: int, path: str, *, says_every_s: float, over_s: float) -> None:
        """Let members come one after the other, and stay until the end: who is cut comes back."""
        for _ in range(members):
            self._tasks.add(asyncio.create_task(self._stay(path, says_every_s)))
            await asyncio.sleep(over_s / members)

    async def _stay(self, path: str, says_every_s: float) -> None:
        last = ""
        while True:
            with suppress(*_GONE):
                last = await self._be_member(path + last, says_every_s)
            await asyncio.sleep(self._dice.uniform(0.2, 3))

    async def _be_member(self, path: str, says_every_s: float) -> str:
        token = fresh_token(rooms=["/private/{room}"]) if path.startswith("/private") else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.ws_connect(self._public + path, headers=headers) as socket:
            speaking = asyncio.create_task(self._speak(socket, says_every_s))
            try:
                async for _ in socket:
                    pass
            finally:
                speaking.cancel()
        return "?since=30s" if "?" not in path else ""

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse, every_s: float) -> None:
        with suppress(*_GONE):
            while True:
                await asyncio.sleep(self._dice.expovariate(1 / every_s))
                await socket.send_str("x" * int(self._dice.lognormvariate(4.5, 1)))

    async def stream(self, members: int, path: str, *, over_s: float) -> None:
        """Let some read an event stream, and open it again when it ends."""
        for _ in range(members):
            self._tasks.add(asyncio.create_task(self._read_stream(path)))
            await asyncio.sleep(over_s / members)

    async def _read_stream(self, path: str) -> None:
        while True:
            with suppress(*_GONE):
                headers = {"Accept": "text/event-stream"}
                async with self._session.get(self._public + path, headers=headers) as stream:
                    async for _ in stream.content:
                        pass
            await asyncio.sleep(self._dice.uniform(0.5, 4))

    async def remember_2010(self, members: int, path: str) -> None:
        """Let some come who speak hixie-76, each with a thread of its own; they do not come back."""
        for _ in range(members):
            threading.Thread(target=self._listen_as_in_2010, args=[path], daemon=True).start()

    def _listen_as_in_2010(self, path: str) -> None:
        with suppress(OSError, EOFError, AssertionError), connect(self._address, tls=self._tls) as wire:
            client = shake_hands_hixie76(wire, path)
            while True:
                client.hear()

    async def publish(self, room: str, every_s: float) -> None:
        """Publish by the API until the end; one of ten times with a key that is none."""
        while True:
            key = SECRET if self._dice.random() < 0.9 else "wrong"
            headers = {"Authorization": f"Bearer {key}"}
            with suppress(*_GONE):
                await self._session.post(f"{self._api}/messages?room={room}", data="news", headers=headers)
            await asyncio.sleep(self._dice.expovariate(1 / every_s))

    def keep(self, task: asyncio.Task[None]) -> None:
        """Send this one home with the others."""
        self._tasks.add(task)

    # --- trouble

    async def stall(self, members: int, path: str, for_s: float) -> None:
        """Let members read nothing of a room where somebody sends large messages meanwhile."""
        stalled = [self._session.ws_connect(self._public + path, autoping=False) for _ in range(members)]
        sockets = await asyncio.gather(*stalled, return_exceptions=True)
        async with self._session.ws_connect(self._public + path) as speaker:
            for _ in range(int(for_s * 10)):
                await speaker.send_bytes(self._dice.randbytes(24_000))
                await asyncio.sleep(0.1)
        for socket in sockets:
            if isinstance(socket, aiohttp.ClientWebSocketResponse):
                await socket.close()

    async def ask(self, times: int, per_s: float, path: str, **headers: str) -> None:
        """Ask to enter, again and again, whatever the answer is."""
        for _ in range(times):
            with suppress(*_GONE):
                socket = await self._session.ws_connect(self._public + path, headers=headers)
                await socket.close()
            await asyncio.sleep(1 / per_s)

    async def flood(self, times: int, path: str) -> None:
        """Send more than one may, be closed, and come back."""
        for _ in range(times):
            with suppress(*_GONE):
                async with self._session.ws_connect(self._public + path) as socket:
                    for _ in range(400):
                        await socket.send_str("me! me! me!")
                    async for _ in socket:
                        pass
            await asyncio.sleep(2)
