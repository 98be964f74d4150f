"""Many of the project's own clients in one process, in thirty rooms; and what each of them has lived through.

    python -m tests.server.herd ws://127.0.0.1:8080/rooms/ 1500

It says ``here`` when all are in their rooms, and then does what it is told, a line each time:

* ``say`` and a text: in each room one of them publishes it; ``said`` has the offsets, by room.
* ``quiet``: nobody says anything any more by itself; ``quiet``.
* ``end``: waits until all have heard the last word; ``lives`` has what each has lived through.

What it says is a JSON object a line. The client is ``app/examples/roomcast_client.py`` as it
stands, looked at from a subclass. Times are of the clock on the wall, in seconds, as they
are in a relay's log.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from examples.roomcast_client import Gap, Message, Room, UnknownError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

LAST_WORD = "the last word"
# How many come in at a time at the beginning.
AT_A_TIME = 50
# In one room, each message would keep the whole process from coming back in time while it is taken in.
ROOMS = 30
# How often one in each room says something.
PACE_S = 3.0


@dataclass(slots=True)
class Life:
    """One connection, from its welcome to its end."""

    epoch: str
    begin_s: float
    first: int
    """The offset behind which it hears everything."""
    goodbye: dict[str, Any] = field(default_factory=dict)
    goodbye_s: float = 0.0
    code: int | None = None
    reason: str | None = None
    heard: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    """Offsets of its own messages that were acknowledged."""


class Witness(Room):
    """A client that remembers."""

    def __init__(self, url: str, room: str) -> None:
        super().__init__(url + room)
        self.room = room
        self.lives: list[Life] = []
        self.gaps: list[str] = []
        self.attempts = 0
        self.is_here = asyncio.Event()
        self.has_heard_all = asyncio.Event()

    def story(self) -> dict[str, Any]:
        """Return all that it remembers."""
        return {
            "room": self.room,
            "attempts": self.attempts,
            "gaps": self.gaps,
            "lives": [asdict(life) for life in self.lives],
        }

    async def _visit(self) -> None:
        self.attempts += 1
        before = len(self.lives)
        await super()._visit()
        if len(self.lives) > before:
            self.lives[-1].code, self.lives[-1].reason = self._seen.close_code, self._seen.close_reason

    async def _hear(self, said: dict[str, Any], connection: ClientConnection) -> None:
        if said["type"] == "welcome":
            self._seen = connection
            self.lives.append(Life(said["epoch"], time.time(), said["offset"]))
            self.is_here.set()
        elif said["type"] == "goodbye":
            self.lives[-1].goodbye, self.lives[-1].goodbye_s = said, time.time()
        await super()._hear(said, connection)

    async def listen(self) -> None:
        async for event in self:
            match event:
                case Gap(reason=reason):
                    self.gaps.append(reason)
                case Message(offset=offset, data=data):
                    self.lives[-1].heard.append(offset)
                    if data == LAST_WORD:
                        self.has_heard_all.set()

    async def say(self, text: str) -> int | None:
        """Return its offset; None where nobody knows whether it was taken."""
        with suppress(UnknownError):
            offset = await self.publish(text)
            self.lives[-1].accepted.append(offset)
            if text == LAST_WORD:
                self.has_heard_all.set()
            return offset
        return None

    async def chatter(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            await self.say("something")
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), PACE_S)


def tell(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


async def enter(url: str, count: int, stack: AsyncExitStack) -> list[Witness]:
    """Return so many clients that are in their rooms."""
    herd: list[Witness] = []
    while len(herd) < count:
        numbers = range(len(herd), min(len(herd) + AT_A_TIME, count))
        few = [await stack.enter_async_context(Witness(url, str(number % ROOMS))) for number in numbers]
        await asyncio.gather(*(each.is_here.wait() for each in few))
        herd += few
    return herd


async def standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def run(url: str, count: int) -> None:
    """Live with this many clients, and do as told."""
    lines, is_quiet = await standard_input(), asyncio.Event()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        herd = await enter(url, count, stack)
        listening = [tasks.create_task(each.listen()) for each in herd]
        chatter = [tasks.create_task(each.chatter(is_quiet)) for each in herd[-ROOMS:]]
        # To look for cycles in so many clients takes half a second each time, in which nobody comes back.
        gc.disable()
        tell("here")
        while (told := (await lines.readline()).decode().strip()) != "end":
            match told.split(" ", 1):
                case ["say", text]:
                    speakers = herd[:ROOMS]
                    offsets = await asyncio.gather(*(each.say(text) for each in speakers))
                    tell("said", offsets={each.room: at for each, at in zip(speakers, offsets, strict=True)})
                case ["quiet"]:
                    is_quiet.set()
                    await asyncio.gather(*chatter)
                    tell("quiet")
        await asyncio.gather(*(each.has_heard_all.wait() for each in herd))
        tell("lives", lives=[each.story() for each in herd])
        for task in listening:
            task.cancel()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
