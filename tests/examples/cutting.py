"""A way to a relay that can be cut, and led to another relay."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

from tests.wire import Address


class CuttingProxy:
    """Passes bytes on in both directions until it is told to cut all connections.

    Args:
        target: Where those who come next are led.
    """

    def __init__(self, target: Address) -> None:
        self.target = target
        self.cuts = 0
        """How many connections were cut."""
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
        with suppress(OSError):
            there, back = await asyncio.open_connection(*self.target)
            self._writers |= {writer, back}
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
            self._writers -= {writer, back}
            back.close()
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.close()
