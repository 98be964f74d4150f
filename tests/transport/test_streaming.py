"""Who gets an event stream, and which pages may read it."""

from __future__ import annotations

import pytest

from tests.event_source import stream_head
from tests.running import OVER_TLS_TOO, Serve
from tests.transport.answers import check_answer
from tests.transport.rooms import LOBBY, rooms
from tests.wire import get, rfc6455_head

APP, EVIL = "https://app.example", "https://evil.example"
ONE_ORIGIN = f'[origins]\nallow = ["{APP}"]\n'
NO_STRANGERS = '[origins]\nmissing = "refuse"\n'

pytestmark = OVER_TLS_TOO


# --- who gets one


@pytest.mark.parametrize("accepted", ["text/html, text/event-stream;q=0.1", "TEXT/EVENT-STREAM"])
def test_whoever_accepts_an_event_stream_by_name_gets_one(serve: Serve, accepted: str) -> None:
    relay = serve()
    wire = relay.connect()

    wire.send(get(LOBBY, f"Accept: {accepted}"))

    assert wire.read_head()[0] == 200


@pytest.mark.parametrize("lines", [(), ("Accept: */*",), ("Accept: text/event-stream;q=0",)])
def test_whoever_does_not_is_told_how_to_ask(serve: Serve, lines: tuple[str, ...]) -> None:
    answer = serve().ask(get(LOBBY, *lines))

    check_answer(answer, 426, "this is a room: open it as a WebSocket, or as an event stream")


def test_upgrade_to_a_websocket_is_one_whatever_is_accepted(serve: Serve) -> None:
    wire = serve().connect()

    wire.send(rfc6455_head(LOBBY, "Accept: text/event-stream"))

    assert wire.read_head()[0] == 101


@pytest.mark.parametrize("path", ["/", "/-/ready"])
def test_what_is_no_room_answers_as_ever(serve: Serve, path: str) -> None:
    relay = serve()

    assert relay.ask(stream_head(path)) == relay.ask(get(path))


def test_there_may_be_event_streams_alone(serve: Serve) -> None:
    relay = serve('[server]\nprotocols = ["sse"]')

    relay.stream()

    check_answer(relay.ask(rfc6455_head(LOBBY)), 426, "rfc6455 is not spoken here")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/lobby", 404, "no room has this path"),
        ("/rooms/a%2fb", 400, "a room name has no encoded /"),
        ("/rooms/lobby?history=all", 400, "history is a number"),
        ("/rooms/lobby?gap=yes", 400, "gap is ok"),
    ],
)
def test_request_that_names_no_room_or_no_place_in_it_is_refused(
    serve: Serve, path: str, status: int, text: str
) -> None:
    relay = serve()

    check_answer(relay.ask(stream_head(path)), status, text)

    assert sum(relay.counters.handshakes["sse", outcome] for outcome in ("not_found", "malformed")) == 1


def test_host_that_is_not_served_has_no_event_streams(serve: Serve) -> None:
    answer = serve('[server]\nhosts = ["chat.example"]').ask(stream_head())

    check_answer(answer, 421, "relay.example is not served here")


def test_room_that_is_full_is_full_for_event_streams_too(serve: Serve) -> None:
    relay = serve(rooms(members_max=1))
    relay.stream()

    answer = relay.ask(stream_head())

    check_answer(answer, 503, "members_max is reached")
    assert answer.headers["retry-after"] == "5"


def test_relay_that_drains_begins_no_event_stream(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 60")
    ada = relay.join()
    relay.ask_to_stop()
    ada.read_goodbye()

    check_answer(relay.ask(stream_head()), 503, "draining")

    ada.close()


# --- which pages may read it


def test_page_that_is_allowed_may_read_it(serve: Serve) -> None:
    stream = serve(ONE_ORIGIN).stream(LOBBY, f"Origin: {APP}", "Sec-Fetch-Site: cross-site")

    assert stream.headers["access-control-allow-origin"] == APP
    assert stream.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in stream.headers


def test_page_that_is_not_allowed_is_refused_and_cannot_even_read_that(serve: Serve) -> None:
    relay = serve(ONE_ORIGIN)

    answer = relay.ask(stream_head(LOBBY, f"Origin: {EVIL}"))

    check_answer(answer, 403, f"origin {EVIL} may not enter")
    assert "access-control-allow-origin" not in answer.headers
    assert relay.counters.handshakes["sse", "origin"] == 1
    assert relay.diary.wait_for("refused")["hint"] == f'add "{EVIL}" to [origins] allow'


def test_page_of_this_host_says_so_in_another_header_and_is_let_in(serve: Serve) -> None:
    relay = serve(NO_STRANGERS)

    stream = relay.stream(LOBBY, "Sec-Fetch-Site: same-origin")

    assert "access-control-allow-origin" not in stream.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_page_of_another_host_that_hides_its_name_is_refused(serve: Serve, site: str) -> None:
    relay = serve('[origins]\nallow = ["*"]')

    answer = relay.ask(stream_head(LOBBY, f"Sec-Fetch-Site: {site}"))

    check_answer(answer, 403, "a page of another origin asks, and does not say of which")


@pytest.mark.parametrize("lines", [(), ("Sec-Fetch-Site: none",)])
def test_client_without_an_origin_is_refused_where_those_are(serve: Serve, lines: tuple[str, ...]) -> None:
    answer = serve(NO_STRANGERS).ask(stream_head(LOBBY, *lines))

    check_answer(answer, 403, 'a client without Origin may not enter: missing = "refuse"')


def test_websocket_is_not_asked_for_its_site(serve: Serve) -> None:
    serve().join(LOBBY, "Sec-Fetch-Site: cross-site")


def test_page_that_is_only_reported_may_read_it(serve: Serve) -> None:
    relay = serve(ONE_ORIGIN + "enforce = false\n")

    stream = relay.stream(LOBBY, f"Origin: {EVIL}")

    assert stream.headers["access-control-allow-origin"] == EVIL
    assert relay.counters.origin_report_only == 1


# --- what a browser asks before


def preflight(*lines: str, path: str = LOBBY, origin: str = APP, method: str = "GET") -> bytes:
    asked = (f"Origin: {origin}", f"Access-Control-Request-Method: {method}", *lines)
    return get(path, *asked).replace(b"GET", b"OPTIONS", 1)


def test_browser_that_asks_for_an_allowed_page_hears_what_it_may(serve: Serve) -> None:
    relay = serve(ONE_ORIGIN)

    answer = relay.ask(preflight("Access-Control-Request-Headers: authorization"))

    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-methods"] == "GET"
    assert "authorization" in answer.headers["access-control-allow-headers"].split(", ")
    assert answer.headers["vary"] == "Origin"
    assert relay.counters.handshakes["sse", "preflight"] == 1


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        (preflight(origin=EVIL), 403, f"origin {EVIL} may not enter"),
        (preflight(path="/lobby"), 404, "no room has this path"),
        (preflight("Content-Length: 3") + b"abc", 400, "the head announces a body"),
        (preflight(path="/"), 405, "the method is OPTIONS"),
        (preflight(path="/-/ready"), 405, "the method is OPTIONS"),
        (preflight(path="*"), 405, "the method is OPTIONS"),
        (preflight(method="POST"), 405, "the method is OPTIONS"),
        (preflight("Upgrade: websocket", "Connection: Upgrade"), 405, "the method is OPTIONS"),
    ],
)
def test_browser_that_asks_for_anything_else_hears_why_not(serve: Serve, asked: bytes, status: int, text: str) -> None:
    answer = serve(ONE_ORIGIN).ask(asked)

    check_answer(answer, status, text)
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers.get("allow") == ("GET" if status == 405 else None)


def test_browser_hears_nothing_about_event_streams_where_there_are_none(serve: Serve) -> None:
    check_answer(serve('[server]\nprotocols = ["rfc6455"]').ask(preflight()), 405, "the method is OPTIONS")


def test_browser_hears_nothing_about_a_host_that_is_not_served(serve: Serve) -> None:
    check_answer(serve('[server]\nhosts = ["chat.example"]').ask(preflight()), 421, "relay.example is not served here")


def test_room_that_is_full_may_be_asked_about(serve: Serve) -> None:
    relay = serve(ONE_ORIGIN + rooms(members_max=1))
    relay.join()

    assert relay.ask(preflight()).status == 204
