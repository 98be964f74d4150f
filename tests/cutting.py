"""A way to a relay that can be cut, and led to another relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Self

from tests.wire import HANG_S, Address


class CuttingProxy:
    """Passes bytes on in both directions until it is told to cut all connections.

    Args:
        target: Where those who come next are led.
    """

    def __init__(self, target: Address) -> None:
        self.target = target
        self.cuts = 0
        """How many connections were cut."""
        self.is_severed = False
        """Whether those who come next are cut, too."""
        self.is_deaf = False
        """Whether nothing of what the relay says comes through."""
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        """Reset every connection, whatever is under way."""
        self.cuts += len(self._writers) // 2
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(self.target, tuple)
        if self.is_severed:
            writer.transport.abort()
            return
        with suppress(OSError):
            there, back = await asyncio.open_connection(*self.target)
            self._writers |= {writer, back}
            await asyncio.gather(
                _pass_on(reader, back, lambda: True), _pass_on(there, writer, lambda: not self.is_deaf)
            )
            self._writers -= {writer, back}
            back.close()
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may_pass: Callable[[], bool]) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            if may_pass():
                writer.write(data)
                await writer.drain()
    writer.transport.close()


class ThreadedProxy:
    """The same, in a thread of its own, for clients that block."""

    def __init__(self, proxy: CuttingProxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop
        self.url = f"http://{proxy.address}"

    def cut(self) -> None:
        """Reset every connection, and return when that is done."""

        async def cut() -> None:
            self._proxy.cut()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result(HANG_S)

    def sever(self) -> None:
        """Reset every connection, and all that come, until it is mended."""
        self._proxy.is_severed = True
        self.cut()

    def deafen(self) -> None:
        """Let what clients say through, and nothing of what the relay says, until it is mended."""
        self._proxy.is_deaf = True

    def mend(self) -> None:
        """Lead those who come to the relay again."""
        self._proxy.is_severed = self._proxy.is_deaf = False

    def end(self, is_over: asyncio.Event) -> None:
        """Set an event of the proxy's loop."""
        self._loop.call_soon_threadsafe(is_over.set)

    @property
    def cuts(self) -> int:
        """How many connections were cut."""
        return self._proxy.cuts


@contextmanager
def cutting_proxy(target: Address) -> Iterator[ThreadedProxy]:
    """Open a way to a relay that can be cut, for the length of the block."""
    opened: list[ThreadedProxy] = []
    is_open, is_over = Event(), asyncio.Event()

    async def serve() -> None:
        async with CuttingProxy(target) as proxy:
            opened.append(ThreadedProxy(proxy, asyncio.get_running_loop()))
            is_open.set()
            await is_over.wait()

    thread = Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert is_open.wait(HANG_S)
    [proxy] = opened
    try:
        yield proxy
    finally:
        proxy.end(is_over)
        thread.join(HANG_S)
