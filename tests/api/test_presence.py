"""Who comes and goes, told to a backend: at the door of a whole relay, and what waits for one reader."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from falcon import Request, Response
from falcon.testing import create_environ

from roomcast.api.presence import WAITING_MAX, Inbox, PresenceEvents
from roomcast.api.wsgi import KEEP_OPEN
from roomcast.relay.presence import Announcer, News
from roomcast.relay.slices import Slices
from tests.api.calls import KEY, WITH_KEY, Caller
from tests.relay.fake_loop import HandDrivenLoop
from tests.relay.fake_wire import BracketFormat, FakeMember
from tests.running import Relay, Serve, ask
from tests.wire import Wire, connect, get

PRESENCE = "/api/v1/presence"
TELLING = (
    '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\npresence = true\npresence_interval_s = 0.1\n'
    '[[rooms]]\nname = "quiet"\npath = "/quiet/{room}"\n'
)


@contextmanager
def stream(relay: Relay, query: str = "", *lines: str) -> Iterator[Wire]:
    """Open the stream, and read until the relay tells it everything from now on."""
    with connect(relay.server.private_address) as wire:
        wire.send(get(PRESENCE + query, *lines, host="localhost"))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        wire.read_until(b"retry: 2000\n\n")
        yield wire


def next_news(wire: Wire) -> tuple[str, dict[str, Any]]:
    wire.read_until(b"event: ")
    kind = wire.read_until(b"\n").strip().decode()
    wire.read_until(b"data: ")
    return kind, json.loads(wire.read_until(b"\n"))


def test_backend_hears_who_comes_and_who_goes_and_where(serve: Serve) -> None:
    relay = serve(TELLING)
    epoch = relay.call(lambda: relay.server.hub.epoch)

    with stream(relay) as wire:
        member = relay.join("/rooms/a")
        came = next_news(wire)
        member.close()
        went = next_news(wire)

    ada = {"id": f"{epoch}.1"}
    assert came == ("joined", {"room": "/rooms/a", "members": [ada], "count": 1})
    assert went == ("left", {"room": "/rooms/a", "members": [ada], "count": 0})


def test_one_that_asks_for_a_room_hears_of_no_other(serve: Serve) -> None:
    relay = serve(TELLING)

    with stream(relay, "?room=/rooms/b") as wire:
        relay.join("/rooms/a")
        relay.join("/rooms/b")
        news = next_news(wire)

    assert news[1]["room"] == "/rooms/b"


def test_room_whose_template_does_not_say_so_is_not_spoken_of(serve: Serve) -> None:
    relay = serve(TELLING)

    with stream(relay) as wire:
        relay.join("/quiet/a")
        relay.join("/rooms/a")

        assert next_news(wire)[1]["room"] == "/rooms/a"


def test_where_there_is_a_key_the_news_want_it(serve: Serve) -> None:
    relay = serve(WITH_KEY + TELLING)

    assert Caller(relay, key="").get("presence").status == 401
    with stream(relay, "", f"Authorization: Bearer {KEY}") as wire:
        relay.join("/rooms/a")
        assert next_news(wire)[0] == "joined"


@pytest.mark.parametrize("query", ["rooms=/rooms/a", "room=a", "room=/rooms/a&room=/rooms/b"])
def test_misspelt_query_is_refused_and_no_stream_of_everything(serve: Serve, query: str) -> None:
    assert Caller(serve(WITH_KEY + TELLING)).call("GET", "presence", query).status == 400


def test_strange_name_is_told_nothing(serve: Serve) -> None:
    answer = ask(serve(TELLING).server.private_address, get(PRESENCE, "Connection: close", host="rebound.example"))

    assert answer.status == 421


def test_quiet_stream_shows_that_it_lives_and_one_that_ends_is_told_no_more() -> None:
    loop = HandDrivenLoop()
    announcer = Announcer(loop, Slices(loop, loop.clock, lambda error: pytest.fail(str(error))), loop.clock)
    request, response = Request(create_environ("/presence")), Response()
    request.env[KEEP_OPEN] = lambda: True
    PresenceEvents(announcer, lambda _: None, quiet_s=0.001).on_get(request, response)
    stream = response.stream

    assert isinstance(stream, Generator)
    assert [next(stream), next(stream)] == [b"retry: 2000\n\n", b":\n\n"]
    assert len(announcer.observers) == 1
    stream.close()
    assert not announcer.observers


# --- what waits for one reader


def news(room: str = "/rooms/a", come: int = 1) -> News:
    return News(room, [FakeMember(BracketFormat()) for _ in range(come)], [], come)


def test_reader_gets_at_once_what_has_come() -> None:
    inbox = Inbox(None)
    for room in ("/rooms/a", "/rooms/b"):
        inbox.take(news(room))

    assert inbox.read(0.0).count(b"event: joined") == 2
    assert inbox.read(0.0) == b""


def test_those_who_come_in_a_crowd_are_counted() -> None:
    inbox = Inbox(None)
    inbox.take(news(come=250))

    said = json.loads(inbox.read(0.0).partition(b"data: ")[2])

    assert (len(said["members"]), said["more"], said["count"]) == (100, 150, 250)


@pytest.mark.parametrize("too_many", [0, 1, 7])
def test_reader_that_is_too_slow_is_told_how_much_it_has_lost(too_many: int) -> None:
    inbox = Inbox(None)
    for _ in range(WAITING_MAX + too_many):
        inbox.take(news())

    events = inbox.read(0.0)

    assert events.count(b"event: joined") == WAITING_MAX
    assert events.endswith(b'event: lost\ndata: {"news":%d}\n\n' % too_many) is (too_many > 0)
    assert inbox.read(0.0) == b""
