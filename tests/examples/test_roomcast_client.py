"""The client for Python programs, against real relays, over a connection that is cut and a relay that goes away."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from examples.roomcast_client import (
    EVENTS_MAX,
    FIRST_WAIT_S,
    PLACE_S,
    STEADY_S,
    WAIT_TOLD_MAX_S,
    EndedError,
    Gap,
    Message,
    PublishError,
    Room,
    UnknownError,
)
from roomcast.relay.reasons import Reason
from tests.cli.scripted import refusal, scripted
from tests.cutting import CuttingProxy
from tests.running import Relay, Serve
from tests.tokens import SECRET, fresh_token
from tests.wire import HANG_S

PATH = "/rooms/a"
KEEPING = """
[server]
drain_s = 1
[[rooms]]
name = "rooms"
path = "/rooms/{room}"
history_messages = 10_000
messages_per_s = 0
"""
CLOSED = f'[tokens]\nsecret = "{SECRET}"\n{KEEPING}access = "token"\n'


class Waits:
    """Draws the longest wait there may be, writes it down, and is not waited for."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []
        self.options: dict[str, Any] = {"roll": lambda _, longest_s: longest_s, "sleep": self._sleep}

    async def _sleep(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)
        await asyncio.sleep(0)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(HANG_S):
            await scenario

    asyncio.run(bounded())


@asynccontextmanager
async def joined(address: str, **options: Any) -> AsyncIterator[Room]:
    """Be in the room, and come back without waiting."""
    async with Room(f"ws://{address}{PATH}", roll=lambda low, high: low, **options) as room:
        await room.publish("ready")
        yield room


def address_of(relay: Relay) -> str:
    assert isinstance(relay.address, tuple)
    return "{}:{}".format(*relay.address)


async def hear(room: Room, count: int) -> list[str | bytes]:
    """Return the next messages; a gap among them is an error."""
    events = [await anext(room) for _ in range(count)]
    assert not [event for event in events if isinstance(event, Gap)]
    return [event.data for event in events if isinstance(event, Message)]


@pytest.mark.parametrize("seed", range(3))
def test_cut_connection_loses_nothing_and_repeats_nothing(serve: Serve, seed: int) -> None:
    relay, dice = serve(KEEPING), random.Random(seed)
    writer = relay.join(PATH)

    async def scenario() -> None:
        async with CuttingProxy(relay.address) as proxy, joined(proxy.address) as room:
            numbers = [str(number) for number in range(500)]
            said = heard = 0
            while heard < len(numbers):
                upto = min(said + dice.randrange(1, 30), len(numbers))
                for number in numbers[said:upto]:
                    writer.say(number)
                said = upto
                if dice.random() < 0.5:
                    proxy.cut()
                count = dice.randint(0 if said < len(numbers) else said - heard, said - heard)
                assert await hear(room, count) == numbers[heard : heard + count]
                heard += count
            assert proxy.cuts

    run(scenario())


async def publish(room: Room, text: str) -> int | None:
    try:
        return await room.publish(text)
    except UnknownError:
        return None


@pytest.mark.parametrize("seed", range(3))
def test_what_is_published_while_connections_are_cut_is_in_the_room_once_if_it_is_said_to_be(
    serve: Serve, seed: int
) -> None:
    relay, dice = serve(KEEPING), random.Random(seed)

    async def scenario() -> None:
        texts = [str(number) for number in range(200)]
        offsets: dict[str, int | None] = {}
        async with CuttingProxy(relay.address) as proxy, joined(proxy.address) as room:
            for text in texts:
                task = asyncio.create_task(publish(room, text))
                # It may be under way, or not even sent, or taken and not acknowledged.
                for _ in range(dice.randrange(6)):
                    await asyncio.sleep(0)
                if dice.random() < 0.2:
                    proxy.cut()
                offsets[text] = await task
            assert proxy.cuts
        async with joined(address_of(relay), history=10_000) as late:
            await late.publish("end")
            said = await said_up_to(late, texts[-1], offsets)
        for text, offset in offsets.items():
            assert offset is None or said[offset] == text
            assert list(said.values()).count(text) <= 1
        assert list(offsets.values()).count(None) < len(texts) / 2

    run(scenario())


async def said_up_to(room: Room, last: str, offsets: dict[str, int | None]) -> dict[int, str]:
    """Return what was said in the room, by offset, up to the last that is known to have been said."""
    known = max(offset for offset in offsets.values() if offset is not None)
    said: dict[int, str] = {}
    while max(said, default=0) < known:
        event = await anext(room)
        assert isinstance(event, Message)
        assert event.offset not in said
        said[event.offset] = str(event.data)
    return said


def test_relay_that_is_started_anew_is_a_gap_behind_all_that_the_first_had_accepted(serve: Serve) -> None:
    first, second = serve(KEEPING), serve(KEEPING)
    writer, other = first.join(PATH), second.join(PATH)

    async def scenario() -> None:
        async with CuttingProxy(first.address) as proxy, joined(proxy.address) as room:
            proxy.target = second.address
            for number in range(50):
                writer.say(str(number))
            accepted = await room.publish("mine")
            # With "ready" before them. That ours is accepted says nothing of another connection's.
            first.until(lambda: first.server.hub.rooms[PATH].log.head == 52)
            writer.close()
            first.ask_to_stop()
            assert await hear(room, 50) == [str(number) for number in range(50)]
            assert accepted > 0
            assert await anext(room) == Gap("epoch")
            other.say("hello")
            assert await hear(room, 1) == ["hello"]

    run(scenario())


def test_history_that_is_gone_is_a_gap(serve: Serve) -> None:
    relay = serve(KEEPING.replace("10_000", "3"))
    writer = relay.join(PATH)

    async def scenario() -> None:
        async with CuttingProxy(relay.address) as proxy, joined(proxy.address) as room:
            proxy.cut()
            for number in range(10):
                writer.say(str(number))
            relay.until(lambda: relay.server.hub.rooms[PATH].log.head == 11)
            assert await anext(room) == Gap("offset")
            assert await hear(room, 3) == ["7", "8", "9"]

    run(scenario())


def test_message_has_what_the_relay_says_of_it(serve: Serve) -> None:
    relay = serve()

    async def scenario() -> None:
        async with joined(address_of(relay)) as room, joined(address_of(relay)) as other:
            ready = await anext(room)
            assert isinstance(ready, Message)
            offset = await other.publish(b"\x00\xff")
            event = await anext(room)

            assert isinstance(event, Message)
            assert (event.offset, event.data, event.sender) == (offset, b"\x00\xff", ready.sender)
            assert event.subject is None
            assert event.time_ms >= ready.time_ms > 1_700_000_000_000

    run(scenario())


def test_what_was_published_is_not_heard_where_the_room_echoes(serve: Serve) -> None:
    relay = serve(KEEPING + "echo = true\n")
    writer = relay.join(PATH)

    async def scenario() -> None:
        async with joined(address_of(relay)) as room:
            await room.publish("mine")
            writer.say("other")
            assert await hear(room, 1) == ["other"]

    run(scenario())


def test_message_that_the_relay_does_not_take_is_an_error_of_its_own(serve: Serve) -> None:
    relay = serve(KEEPING.replace("messages_per_s = 0", 'messages_per_s = 1\nover_rate = "drop"'))

    async def scenario() -> None:
        async with joined(address_of(relay)) as room:
            answers = await asyncio.gather(*(room.publish("a") for _ in range(9)), return_exceptions=True)
            refused = [str(answer) for answer in answers if isinstance(answer, PublishError)]
            assert len(refused) >= 7
            assert {text.partition(":")[0] for text in refused} == {"rate"}

    run(scenario())


def test_refusal_ends_it_with_the_relay_s_line(serve: Serve) -> None:
    relay = serve()

    async def scenario() -> None:
        async with Room(f"ws://{address_of(relay)}/nothing") as room:
            publication = asyncio.create_task(room.publish("a"))
            for _ in range(2):
                with pytest.raises(EndedError, match="404 no room has this path"):
                    await anext(room)
            with pytest.raises(EndedError, match="404 no room has this path"):
                await publication

    run(scenario())


def test_goodbye_that_says_not_to_come_back_ends_it(serve: Serve) -> None:
    relay = serve()

    async def scenario() -> None:
        async with joined(address_of(relay)) as room:
            [member] = relay.call(lambda: list(relay.server.hub.rooms[PATH].members()))
            relay.call(lambda: member.dismiss(Reason.KICKED))
            with pytest.raises(EndedError, match="kicked 4403"):
                await anext(room)
            with pytest.raises(EndedError):
                await room.publish("a")

    run(scenario())


def test_token_that_ends_is_replaced_and_nothing_is_missed(serve: Serve) -> None:
    relay = serve(CLOSED)
    tokens: list[str] = []

    def token() -> str:
        # The first is warned of at once: it has as much time left as warn_s is.
        tokens.append(fresh_token(exp=time.time() + (600 if tokens else 30)))
        return tokens[-1]

    async def scenario() -> None:
        async with (
            joined(address_of(relay), token=token) as room,
            joined(address_of(relay), token=token) as other,
        ):
            assert await hear(room, 1) == ["ready"]
            for number in count():
                await other.publish(str(number))
                assert await hear(room, 1) == [str(number)]
                if len(tokens) > 2:
                    break

    run(scenario())


def test_token_that_ends_is_shown_to_its_end_where_there_is_no_newer_one(serve: Serve) -> None:
    relay, waits = serve(CLOSED), Waits()
    # It is warned of at once, on each connection: it has as much time left as warn_s is.
    token = fresh_token(exp=time.time() + 30)
    shown: list[str] = []

    def same() -> str:
        shown.append(token)
        return token

    async def scenario() -> None:
        async with Room(f"ws://{address_of(relay)}{PATH}", token=same, **waits.options) as room:
            while len(shown) < 2:
                await room.publish("a")
            await room.publish("b")
            # It was asked for on joining, and when the warning came.
            assert len(shown) == 2
            assert waits.waits_s == []

    run(scenario())


def test_room_that_asks_for_a_token_ends_it_for_whoever_has_none(serve: Serve) -> None:
    relay = serve(CLOSED)

    async def scenario() -> None:
        async with Room(f"ws://{address_of(relay)}{PATH}") as room:
            with pytest.raises(EndedError, match="401 this room asks for a token"):
                await anext(room)

    run(scenario())


def test_relay_that_is_not_there_yet_is_waited_for(serve: Serve) -> None:
    relay, waits = serve(), Waits()

    async def scenario() -> None:
        async with (
            CuttingProxy(("127.0.0.1", 1)) as proxy,
            Room(f"ws://{proxy.address}{PATH}", **waits.options) as room,
        ):
            while len(waits.waits_s) < 3:
                await asyncio.sleep(0)
            proxy.target = relay.address
            assert await room.publish("a") == 1
            assert waits.waits_s[:3] == [1, 2, 4]

    run(scenario())


@pytest.mark.parametrize(("lasts_s", "longest_s"), [(STEADY_S - 0.1, [1, 2, 4, 8]), (STEADY_S, [1, 1, 1, 1])])
def test_relay_that_lets_in_and_closes_at_once_is_waited_for_longer_each_time(
    serve: Serve, lasts_s: float, longest_s: list[float]
) -> None:
    relay, waits, now_s = serve(KEEPING), Waits(), [0.0]

    async def scenario() -> None:
        async with (
            CuttingProxy(relay.address) as proxy,
            Room(f"ws://{proxy.address}{PATH}", **waits.options, clock=lambda: now_s[0]) as room,
        ):
            for turn in count(1):
                await room.publish("a")
                now_s[0] += lasts_s
                proxy.cut()
                while len(waits.waits_s) < turn:
                    await asyncio.sleep(0)
                if turn == len(longest_s):
                    break
        assert waits.waits_s == longest_s

    run(scenario())


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        ("3", 3 + FIRST_WAIT_S),
        ("99999", WAIT_TOLD_MAX_S + FIRST_WAIT_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", FIRST_WAIT_S),
        ("-1", FIRST_WAIT_S),
        ("nan", FIRST_WAIT_S),
    ],
)
def test_refusal_says_how_long_to_wait_at_least(serve: Serve, told: str, wait_s: float) -> None:
    relay, waits = serve(KEEPING), Waits()

    async def scenario() -> None:
        with scripted(refusal("503 Service Unavailable", "busy", f"Retry-After: {told}")) as door:
            target = "127.0.0.1", int(door.url.rpartition(":")[2])
            async with (
                CuttingProxy(target) as proxy,
                Room(f"ws://{proxy.address}{PATH}", **waits.options) as room,
            ):
                while not waits.waits_s:
                    await asyncio.sleep(0)
                proxy.target = relay.address
                assert await room.publish("a") == 1
        assert waits.waits_s[0] == wait_s

    run(scenario())


@asynccontextmanager
async def dismissed(relay: Relay, told_ms: int | None, **options: Any) -> AsyncIterator[Room]:
    """Be in the room, and be sent away with this time to come back."""
    async with Room(f"ws://{address_of(relay)}{PATH}", **options) as room:
        await room.publish("ready")
        [member] = relay.call(lambda: list(relay.server.keep_alive))
        relay.call(lambda: member.dismiss(Reason.RESTART, retry_after_ms=told_ms))
        yield room


@pytest.mark.parametrize(
    ("told_ms", "wait_s"),
    [
        # A place of our own: no sooner, and hardly later.
        (12_000, 12 + PLACE_S),
        (1000, 1 + PLACE_S),
        (10**9, WAIT_TOLD_MAX_S + PLACE_S),
        # None that is worth anything: the wait that is drawn is longer, and comes on top.
        (999, 0.999 + FIRST_WAIT_S),
        (0, FIRST_WAIT_S),
        (None, FIRST_WAIT_S),
    ],
)
def test_who_is_dismissed_comes_back_when_it_is_told(serve: Serve, told_ms: int | None, wait_s: float) -> None:
    relay, waits = serve(KEEPING), Waits()

    async def scenario() -> None:
        async with dismissed(relay, told_ms, **waits.options) as room:
            while not waits.waits_s:
                await asyncio.sleep(0)
            await room.publish("here again")

    run(scenario())
    assert waits.waits_s == [wait_s]


def test_relay_that_is_not_there_at_the_time_that_it_told_is_waited_for_longer_each_time(serve: Serve) -> None:
    first, second, waits = serve(KEEPING), serve(KEEPING), Waits()

    async def scenario() -> None:
        async with (
            CuttingProxy(first.address) as proxy,
            Room(f"ws://{proxy.address}{PATH}", **waits.options) as room,
        ):
            await room.publish("ready")
            proxy.target = "127.0.0.1", 1
            first.ask_to_stop()
            while len(waits.waits_s) < 3:
                await asyncio.sleep(0)
            proxy.target = second.address
            await room.publish("here again")

    run(scenario())
    told_s, *drawn_s = waits.waits_s
    # drain_s, the end of the process, and one place.
    assert 1 < told_s <= 1 + 1.5 + 1 / 500 + PLACE_S + 0.001
    assert drawn_s[:2] == [2, 4]


def fill(relay: Relay, messages: int) -> list[str]:
    """Say these many messages in the room, and return them when they are kept."""
    writer, texts = relay.join(PATH), [str(number) for number in range(messages)]
    for text in texts:
        writer.say(text)
    relay.until(lambda: relay.server.hub.rooms[PATH].log.head == messages)
    return texts


async def filled(room: Room) -> None:
    """Wait until there is no place for another event."""
    while room._events.qsize() < EVENTS_MAX:
        await asyncio.sleep(0)


@pytest.mark.parametrize(("messages", "is_kept"), [(EVENTS_MAX, True), (3 * EVENTS_MAX, False)])
def test_who_publishes_while_iterating_hears_all_of_a_long_history(serve: Serve, messages: int, is_kept: bool) -> None:
    relay, waits = serve(KEEPING), Waits()
    texts = fill(relay, messages)

    async def scenario() -> None:
        async with Room(f"ws://{address_of(relay)}{PATH}", history=10_000, **waits.options) as room:
            offsets, heard = [], []
            async for event in room:
                assert isinstance(event, Message)
                heard.append(event.data)
                if len(heard) == messages:
                    break
                if len(heard) % 10 == 1:
                    offsets.append(await room.publish("mine"))
            assert heard == texts
            assert offsets == [messages + 1 + number for number in range(len(offsets))]
            # What there is no place for is asked for again; and that is no failure.
            assert set(waits.waits_s) == (set() if is_kept else {FIRST_WAIT_S})

    run(scenario())


@pytest.mark.parametrize("seed", range(3))
def test_who_publishes_without_iterating_is_answered_and_hears_all_later(serve: Serve, seed: int) -> None:
    relay, waits, dice = serve(KEEPING), Waits(), random.Random(seed)
    texts = fill(relay, 2 * EVENTS_MAX)

    async def scenario() -> None:
        async with (
            CuttingProxy(relay.address) as proxy,
            Room(f"ws://{proxy.address}{PATH}", history=10_000, **waits.options) as room,
        ):
            offsets: list[int | None] = []
            for _ in range(50):
                task = asyncio.create_task(publish(room, "mine"))
                for _ in range(dice.randrange(6)):
                    await asyncio.sleep(0)
                if dice.random() < 0.2:
                    proxy.cut()
                offsets.append(await task)
            assert offsets.count(None) < len(offsets) / 2
            assert await hear(room, len(texts)) == texts

    run(scenario())


def test_who_publishes_for_long_without_iterating_is_told_of_the_gap(serve: Serve) -> None:
    relay, waits = serve(KEEPING), Waits()
    texts = fill(relay, 2 * EVENTS_MAX)

    async def scenario() -> None:
        async with Room(f"ws://{address_of(relay)}{PATH}", history=10_000, **waits.options) as room:
            await filled(room)
            # So many that not even their offsets are kept.
            for _ in range(11):
                await asyncio.gather(*(room.publish("mine") for _ in range(EVENTS_MAX)))
            assert await hear(room, EVENTS_MAX) == texts[:EVENTS_MAX]
            following = asyncio.ensure_future(anext(room))
            while not waits.waits_s:
                await asyncio.sleep(0)
            async with joined(address_of(relay)):
                assert await following == Gap("lagging")
                assert await hear(room, 1) == ["ready"]

    run(scenario())


def test_gap_that_finds_no_place_comes_behind_what_was_heard_before(serve: Serve) -> None:
    first, second = serve(KEEPING), serve(KEEPING)
    texts = fill(first, EVENTS_MAX)

    async def scenario() -> None:
        async with (
            CuttingProxy(first.address) as proxy,
            Room(f"ws://{proxy.address}{PATH}", history=10_000, **Waits().options) as room,
        ):
            await filled(room)
            proxy.target = second.address
            proxy.cut()
            await publish(room, "mine")
            await room.publish("mine, behind the gap")
            assert await hear(room, EVENTS_MAX) == texts
            following = asyncio.ensure_future(anext(room))
            async with joined(address_of(second)):
                assert await following == Gap("epoch")

    run(scenario())


def test_end_reaches_who_publishes_where_there_is_no_place_for_it(serve: Serve) -> None:
    relay = serve(KEEPING)
    texts = fill(relay, EVENTS_MAX)

    def kick() -> None:
        for member in list(relay.server.hub.rooms[PATH].members()):
            member.dismiss(Reason.KICKED)

    async def scenario() -> None:
        async with Room(f"ws://{address_of(relay)}{PATH}", history=10_000) as room:
            await filled(room)
            relay.call(kick)
            with pytest.raises(EndedError, match="kicked 4403"):
                await asyncio.gather(*(room.publish("mine") for _ in range(99)))
            with pytest.raises(EndedError):
                await room.publish("mine")
            assert await hear(room, EVENTS_MAX) == texts
            with pytest.raises(EndedError, match="kicked 4403"):
                await anext(room)

    run(scenario())
