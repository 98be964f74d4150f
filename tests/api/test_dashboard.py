"""The dashboard's routes, at the door of a whole relay and by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from falcon import App, HTTPForbidden, Request, Response
from falcon.testing import TestClient

from roomcast.api.dashboard import Client, Events, Index
from roomcast.api.feed import Feed
from roomcast.api.wsgi import KEEP_OPEN
from roomcast.pages import CLIENT, DASHBOARD
from tests.api.calls import KEY, WITH_KEY, Caller
from tests.running import Relay, Serve, ask
from tests.wire import Wire, connect, get, rfc6455_head

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
EVENTS = "/api/v1/events"
MADE_UP = "https://evil.example"


def let_pass(_: Request) -> None:
    """Refuse nobody."""


def refuse(_: Request) -> None:
    raise HTTPForbidden(description="this key does not open it")


def app(route: str, resource: object) -> TestClient:
    application: App[Request, Response] = App()
    application.add_route(route, resource)
    return TestClient(application)


def still() -> Feed:
    """Return a feed that nobody should read."""
    return Feed(dict, clock=lambda: 0.0, sleep=lambda _: pytest.fail("it was read"))


@contextmanager
def stream(relay: Relay, *lines: str) -> Iterator[Wire]:
    """Open the stream, and read its head."""
    with connect(relay.server.private_address) as wire:
        wire.send(get(EVENTS, *lines, host="localhost"))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        yield wire


def next_stats(wire: Wire) -> dict[str, Any]:
    """Read on to the end of the next event."""
    wire.read_until(b"event: stats\ndata: ")
    stats: dict[str, Any] = json.loads(wire.read_until(b"\n\n"))
    return stats


# --- who may look


def test_where_there_is_a_key_the_numbers_want_it_and_the_page_does_not(serve: Serve) -> None:
    relay = serve(WITH_KEY)
    page = ask(relay.server.private_address, get("/", "Accept: text/html", "Connection: close", host="localhost"))
    without = Caller(relay, key="").get("events")
    wrong = Caller(relay, key="f" * 32).get("events")

    assert (page.status, page.body) == (200, DASHBOARD.body)
    assert (without.status, wrong.status) == (401, 401)
    assert "Authorization: Bearer" in without.detail
    with stream(relay, f"Authorization: Bearer {KEY}") as wire:
        assert next_stats(wire)["is_ready"] is True


def test_stream_takes_no_parameters_and_is_counted_by_its_own_name(serve: Serve) -> None:
    relay = serve()

    assert Caller(relay, key="").get("events", period_s=60).status == 400
    with stream(relay):
        pass

    for status in (200, 400):
        assert relay.metric(f'roomcast_api_requests_total{{method="GET",route="{EVENTS}",status="{status}"}}') == 1


def test_strange_name_is_shown_neither_page_nor_numbers(serve: Serve) -> None:
    address = serve().server.private_address
    lines = ("Accept: text/html", "Connection: close")

    assert ask(address, get("/", *lines, host="rebound.example")).status == 421
    assert ask(address, get(EVENTS, *lines, host="rebound.example")).status == 421


# --- the page


@pytest.mark.parametrize("accept", [CHROMIUM, "text/html"])
def test_browsers_are_shown_the_dashboard(accept: str) -> None:
    answer = app("/", Index("one line\n", let_pass)).simulate_get("/", headers={"Accept": accept})

    assert (answer.status_code, answer.content) == (200, DASHBOARD.body)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "text/plain"}])
def test_everybody_else_reads_one_line(headers: dict[str, str]) -> None:
    answer = app("/", Index("one line\n", refuse)).simulate_get("/", headers=headers)

    assert (answer.status_code, answer.text) == (200, "one line\n")
    assert answer.headers["vary"] == "Accept"


def test_client_is_served_as_at_the_public_door() -> None:
    answer = app("/-/roomcast.js", Client()).simulate_get("/-/roomcast.js")

    assert (answer.status_code, answer.content) == (200, CLIENT.body)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_who_may_not_see_the_numbers_gets_neither_them_nor_the_page() -> None:
    page = app("/", Index("one line\n", refuse)).simulate_get("/", headers={"Accept": "text/html"})
    numbers = app("/events", Events(still(), refuse)).simulate_get("/events")

    assert page.status_code == numbers.status_code == 403


def test_stream_for_which_there_is_no_place_is_refused_for_now() -> None:
    answer = app("/events", Events(still(), let_pass)).simulate_get("/events", extras={KEEP_OPEN: lambda: False})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


# --- the numbers


def test_numbers_are_those_of_the_metrics(serve: Serve) -> None:
    relay = serve()
    ada, bob = relay.join(), relay.join()
    ada.say("hello")
    bob.hear()
    relay.ask(rfc6455_head("/rooms/lobby", f"Origin: {MADE_UP}"))

    with stream(relay) as wire:
        stats = next_stats(wire)

    [template] = stats["templates"]
    assert template["members"] == relay.metric('roomcast_members{template="rooms"}') == 2
    assert template["rooms"] == relay.metric('roomcast_rooms{template="rooms"}') == 1
    assert template["laggards"] == relay.metric('roomcast_laggards{template="rooms"}') == 0
    assert template["received"] == relay.metric('roomcast_messages_received_total{kind="text",template="rooms"}') == 1
    assert template["delivered"] == relay.metric('roomcast_messages_delivered_total{template="rooms"}') == 1
    assert stats["connections"]["rfc6455"] == relay.metric('roomcast_connections{dialect="rfc6455"}') == 2
    assert stats["handshakes"]["origin"] == relay.metric(
        'roomcast_handshakes_total{dialect="rfc6455",outcome="origin"}'
    )
    assert stats["received_bytes"] == relay.metric("roomcast_received_bytes_total")
    assert stats["sent_bytes"] == relay.metric("roomcast_sent_bytes_total")
    assert stats["refused_origins"] == [{"origin": MADE_UP, "refused": 1}]
    assert [room["name"] for room in stats["rooms"]] == ["/rooms/lobby"]


def test_numbers_follow_what_happens(serve: Serve) -> None:
    relay = serve()

    with stream(relay) as wire:
        assert next_stats(wire)["templates"][0]["members"] == 0
        relay.join()
        assert next_stats(wire)["templates"][0]["members"] == 1


def test_stream_shows_the_draining_and_ends_with_the_door(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 2")
    relay.join()

    with stream(relay) as wire:
        next_stats(wire)
        relay.ask_to_stop()
        assert next_stats(wire)["is_draining"] is True
        wire.read_to_end()
    relay.wait_for_end()
