"""A client of a Roomcast relay that comes back when it is cut off: it hears each message once, in order.

Copy this file into your program; it needs Python 3.11 and ``pip install websockets``.

    async with Room("wss://relay.example/rooms/lobby", history=20) as room:
        offset = await room.publish("hello")
        async for event in room:
            match event:
                case Message(data=text):
                    print(text)
                case Gap(reason=reason):
                    print("something was missed:", reason)

It speaks the subprotocol ``roomcast.json``, which PROTOCOL.md describes. What it promises: where
something was missed there is a ``Gap``, and what ``publish`` has returned an offset for does not come
as a ``Message``. What it cannot promise: when a connection breaks between a message and its
acknowledgement, and the relay does not replay it, nobody knows whether it was taken; then
``publish`` raises ``UnknownError``, and the caller decides whether to say it again.
"""

import asyncio
import base64
import json
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("roomcast.json")
# Drawn between nothing and a longest wait that doubles: thousands who were cut off at once come back spread out.
# What a relay asks for comes first, up to the third: a wrong number must not keep anybody away for days.
FIRST_WAIT_S, WAIT_MAX_S, WAIT_TOLD_MAX_S = 1.0, 30.0, 3600.0
# Who is dismissed is told its own place in a stream of those who come back, and is at most so much late.
PLACE_S = 0.1
# Only a connection that lasted so long is a success: a relay may accept, and close at once.
STEADY_S = 5.0
# Beyond, nothing is kept until somebody iterates: the relay is read for answers only, or takes us for a slow reader.
EVENTS_MAX = 1_000
# As JSON, which may be six times as long as what was sent; more than any relay takes by default.
FRAME_MAX_BYTES, TOO_BIG = 16 << 20, 1009
# Of refusals before the connection, those that may be other ones next time.
COME_AGAIN = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was said in the room."""

    offset: int
    sender: str | None
    """The member's id; None: it came in by the API."""
    subject: str | None
    time_ms: int
    data: str | bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """What was said before the next message is lost to us, and why: see PROTOCOL.md."""

    reason: str


class EndedError(Exception):
    """The room is closed to us, and coming back unchanged would not help."""


class PublishError(Exception):
    """The relay did not take the message. Its text begins with the reason."""


class UnknownError(Exception):
    """The connection broke before the message was acknowledged: it may have been taken."""


@dataclass(slots=True)
class _Pending:
    """What is being published."""

    said: dict[str, str]
    answer: asyncio.Future[int]
    sent_on: ClientConnection | None = None


class Room:
    """One room, over as many connections as it takes. To be entered, then iterated over.

    Args:
        url: ``ws://host/path`` or ``wss://host/path``.
        history: How many of the newest messages to begin with.
        token: Asked for a token before each connection, and when one ends, where the room wants one.
        roll: Returns a number between its two arguments.
        clock, sleep: Return seconds that only grow; wait for some.
    """

    def __init__(
        self,
        url: str,
        *,
        history: int = 0,
        token: Callable[[], str] | None = None,
        roll: Callable[[float, float], float] = random.uniform,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url, self._history, self._token = url, history, token
        self._roll, self._clock, self._sleep = roll, clock, sleep
        self._events: asyncio.Queue[Message | Gap | EndedError] = asyncio.Queue()
        # Somebody iterates or publishes: whether there is place must be seen anew.
        self._stirred = asyncio.Event()
        # There was no place for what came before an answer: the next connection is asked for it again.
        self._is_behind = False
        # Why there is a gap behind the newest event, which has no place yet.
        self._gap = ""
        self._connection: ClientConnection | None = None
        self._shown_token = ""
        self._failures, self._steady_at = 0, math.inf
        self._told_s, self._is_our_time = 0.0, False
        # All up to this offset was heard, or is our own and acknowledged; up to head, the relay replays.
        self._epoch, self._offset, self._head = "", 0, 0
        # Who we have been: each connection makes us another member.
        self._ids: set[str] = set()
        # Offsets of our own that lie ahead of what we have heard.
        self._acknowledged: set[int] = set()
        self._pending: dict[int, _Pending] = {}
        self._refs = count(1)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message | Gap:
        if self._is_behind and self._events.empty() and self._connection:
            self._failures = 0  # It is not the relay's.
            await self._connection.close()
        event = await self._events.get()
        self._stirred.set()
        if isinstance(event, EndedError):
            self._events.put_nowait(event)  # For whoever asks again.
            raise event
        return event

    async def publish(self, data: str | bytes) -> int:
        """Say this in the room, as soon as there is a connection, and return its offset.

        Raises:
            PublishError: If the relay does not take it.
            UnknownError: If nobody knows whether it did.
            EndedError: If the room is closed to us.
        """
        if self._task.done():
            raise EndedError("the room was left, or is closed to us")
        said = {"text": data} if isinstance(data, str) else {"base64": base64.b64encode(data).decode()}
        ref, pending = next(self._refs), _Pending(said, asyncio.get_running_loop().create_future())
        self._pending[ref] = pending
        self._stirred.set()
        try:
            if self._connection is not None:
                await self._send(self._connection, ref, pending)
            return await pending.answer
        finally:
            self._pending.pop(ref, None)

    async def _send(self, connection: ClientConnection, ref: int, pending: _Pending) -> None:
        pending.sent_on = connection
        # Where it is closed, whoever reads it finds out as well, and comes back.
        with suppress(ConnectionClosed):
            await connection.send(json.dumps({"type": "publish", "ref": ref, **pending.said}))

    async def _run(self) -> None:
        ended = EndedError("the room was left")
        try:
            while True:
                self._told_s, self._is_our_time, self._steady_at = 0.0, False, math.inf
                await self._visit()
                if self._clock() >= self._steady_at:
                    self._failures = 0
                await self._sleep(self._wait_s())
        except Exception as error:
            # Whatever it is, whoever iterates must not wait for ever.
            ended = error if isinstance(error, EndedError) else EndedError(f"{type(error).__name__}: {error}")
            self._events.put_nowait(ended)
        finally:
            self._fail(list(self._pending), ended)

    def _wait_s(self) -> float:
        longest_s = min(WAIT_MAX_S, FIRST_WAIT_S * 2 ** min(self._failures, 16))
        self._failures += 1
        told_s = min(self._told_s, WAIT_TOLD_MAX_S)
        # A relay that lets in and dismisses over and over gives places that are not worth much.
        return told_s + self._roll(0.0, PLACE_S if self._is_our_time and told_s >= longest_s else longest_s)

    async def _visit(self) -> None:
        """Be in the room until the connection ends, or raise EndedError if there is no point in coming back."""
        self._shown_token = self._token() if self._token else ""
        headers = {"Authorization": f"Bearer {self._shown_token}"} if self._token else None
        wish = f"since={self._epoch}:{self._offset}" if self._epoch else f"history={self._history}"
        url = f"{self._url}{'&' if '?' in self._url else '?'}{wish}"
        offer = connect(url, subprotocols=[PROTOCOL], additional_headers=headers, max_size=FRAME_MAX_BYTES)
        try:
            async with offer as connection:
                if connection.subprotocol != PROTOCOL:
                    raise EndedError(f"whoever answers does not speak {PROTOCOL}")
                async for frame in connection:
                    await self._hear(json.loads(frame), connection)
        except InvalidStatus as refused:
            self._refused(refused.response)
        except ConnectionClosed as closed:
            # It was closed by us, and would be again: the same message comes next.
            if closed.sent and closed.sent.code == TOO_BIG and not closed.rcvd:
                raise EndedError(f"a message is longer than {FRAME_MAX_BYTES} bytes") from None
        except (OSError, InvalidHandshake):
            pass  # A timeout is an OSError, too.
        finally:
            self._connection = None

    def _refused(self, response: Response) -> None:
        if response.status_code not in COME_AGAIN:
            line = (response.body or b"").decode("utf-8", "replace").strip()
            raise EndedError(f"{response.status_code} {line}")
        # It may be a date, too: no relay sends one, but who knows what stands before it.
        told = response.headers.get("Retry-After", "")
        self._told_s = float(told) if told.isdecimal() else 0.0

    async def _hear(self, said: dict[str, Any], connection: ClientConnection) -> None:
        match said["type"]:
            case "welcome":
                await self._welcomed(said, connection)
            case "message":
                await self._received(said)
            case "ack":
                self._accepted(said["ref"], said["offset"])
            case "error":
                self._fail([said["ref"]], PublishError(f"{said['reason']}: {said['detail']}"))
            case "gap" if not self._is_behind:
                self._offset, self._gap = max(self._offset, said["offset"]), said["reason"]
                await self._has_place()
            case "expiring" if self._token and self._token() != self._shown_token:
                await connection.close()  # And back, with that one.
            case "goodbye":
                self._dismissed(said)
        # A relay of tomorrow may say more; that is skipped.
        if said["type"] in {"welcome", "message", "gap"}:
            self._settle(said["offset"], connection)

    async def _welcomed(self, said: dict[str, Any], connection: ClientConnection) -> None:
        if said["epoch"] != self._epoch:
            self._epoch, self._offset = said["epoch"], 0
            self._acknowledged.clear()
        # Never back: what was heard is not heard again.
        self._offset, self._head = max(self._offset, said["offset"]), said["head"]
        self._ids.add(said["id"])
        self._steady_at = self._clock() + STEADY_S
        self._is_behind = False
        self._connection = connection
        for ref, pending in list(self._pending.items()):
            if pending.sent_on is None:
                await self._send(connection, ref, pending)

    async def _received(self, said: dict[str, Any]) -> None:
        offset = said["offset"]
        if offset <= self._offset:
            return
        if said["from"] in self._ids and offset not in self._acknowledged and self._recognise(said):
            self._acknowledged.add(offset)
        if not await self._has_place():
            return
        if offset not in self._acknowledged:
            data = said["text"] if "text" in said else base64.b64decode(said["base64"])
            self._events.put_nowait(Message(offset, said["from"], said.get("subject"), said["time_ms"], data))
        self._move_to(offset)

    async def _has_place(self) -> bool:
        """Wait for place for events; False where an answer is awaited, which may lie behind them."""
        while self._events.qsize() >= EVENTS_MAX and not self._pending and not self._is_behind:
            self._stirred.clear()
            await self._stirred.wait()
        self._is_behind |= self._events.qsize() >= EVENTS_MAX
        if self._gap and not self._is_behind:
            self._events.put_nowait(Gap(self._gap))
            self._gap = ""
        return not self._is_behind

    def _recognise(self, said: dict[str, Any]) -> bool:
        """Answer the oldest publication of ours that says the same: its acknowledgement was lost, or comes later."""
        for ref, pending in self._pending.items():
            if pending.sent_on and all(said.get(key) == value for key, value in pending.said.items()):
                self._answer(ref, said["offset"])
                return True
        return False

    def _accepted(self, ref: int, offset: int) -> None:
        self._answer(ref, offset)
        if offset > self._offset:
            self._acknowledged.add(offset)
        # Only up to where nothing lies between: an acknowledgement may overtake messages.
        if self._offset + 1 in self._acknowledged:
            self._move_to(self._offset + 1)
        if self._is_behind and len(self._acknowledged) > 10 * EVENTS_MAX:
            self._gap = "lagging"  # Nobody iterates, and even these are too many.
            self._move_to(min(self._acknowledged))

    def _move_to(self, offset: int) -> None:
        while offset + 1 in self._acknowledged:
            offset += 1
        self._offset = offset
        self._acknowledged = {ahead for ahead in self._acknowledged if ahead > offset}

    def _dismissed(self, said: dict[str, Any]) -> None:
        wait_ms = said["reconnect_after_ms"]
        # A token that has expired is a reason to come back, for whoever can get another.
        if wait_ms is None and not (said["reason"] == "token_expired" and self._token):
            raise EndedError(f"{said['reason']} {said['code']} id={said['id']}")
        self._told_s, self._is_our_time = (wait_ms or 0) / 1000, True

    def _settle(self, replayed: int, connection: ClientConnection) -> None:
        """Give up what was sent before this connection, once all is replayed and it was not among it."""
        if replayed >= self._head:
            lost = [ref for ref, each in self._pending.items() if each.sent_on not in (None, connection)]
            self._fail(lost, UnknownError("the connection broke before it was acknowledged"))

    def _answer(self, ref: int, offset: int) -> None:
        if (pending := self._pending.pop(ref, None)) and not pending.answer.done():
            pending.answer.set_result(offset)

    def _fail(self, refs: list[int], error: Exception) -> None:
        for ref in refs:
            if (pending := self._pending.pop(ref, None)) and not pending.answer.done():
                pending.answer.set_exception(error)
