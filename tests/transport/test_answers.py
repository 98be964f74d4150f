"""What the public door answers to whom: every row of the table that is promised to users."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.event_source import stream_head
from tests.running import Relay, Serve, open_descriptors
from tests.tokens import SECRET
from tests.transport.answers import check_answer
from tests.transport.rooms import LOBBY
from tests.wire import (
    KEY1,
    KEY2,
    KEY3,
    RFC6455_KEY,
    Answer,
    get,
    hixie76_head,
    rfc6455_head,
)

EVIL = "Origin: https://evil.example"
IN_VERSION_13 = (("upgrade", "websocket"), ("sec-websocket-version", "13"), ("connection", "close, Upgrade"))
GET_ONLY = (("allow", "GET"),)
# Of RFC 6455's five headers, all but the one that a case brings itself.
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
KEY, VERSION = f"Sec-WebSocket-Key: {RFC6455_KEY}", "Sec-WebSocket-Version: 13"
KEYS = (f"Sec-WebSocket-Key1: {KEY1}", f"Sec-WebSocket-Key2: {KEY2}")
ORIGIN = "Origin: http://relay.example"


ADD_SSE = 'add "sse" to [server] protocols'
OPTIONS = get(LOBBY).replace(b"GET", b"OPTIONS")


class Refused(NamedTuple):
    """A request, and all that becomes of it."""

    request: bytes
    status: int
    outcome: str
    body: str
    dialect: str = "none"
    headers: tuple[tuple[str, str], ...] = ()
    hint: str | None = None
    settings: str = ""


ONE_ORIGIN = '[origins]\nallow = ["https://app.example"]'
RFC6455_ONLY = '[server]\nprotocols = ["rfc6455"]'
HIXIE76_ONLY = '[server]\nprotocols = ["hixie76"]'
TWO_HOSTS = '[server]\nhosts = ["chat.example", "::1"]'
NO_ORIGIN_NO_ENTRY = '[origins]\nmissing = "refuse"'
NOT_SAME, NO_ROOM = "origin https://evil.example may not enter: not same_origin, not in allow", "no room has this path"
ADD_EVIL = 'add "https://evil.example" to [origins] allow'
PATHS = "room paths here are /rooms/{room}"

REFUSALS = {
    "origin": Refused(rfc6455_head(LOBBY, EVIL), 403, "origin", NOT_SAME, "rfc6455", hint=ADD_EVIL),
    "origin beside an allowlist": Refused(
        rfc6455_head(LOBBY, EVIL), 403, "origin", NOT_SAME, "rfc6455", hint=ADD_EVIL, settings=ONE_ORIGIN
    ),
    "origin, hixie-76": Refused(
        hixie76_head(LOBBY, origin="https://evil.example") + KEY3, 403, "origin", NOT_SAME, "hixie76", hint=ADD_EVIL
    ),
    "origin, plain": Refused(get(LOBBY, EVIL), 403, "origin", NOT_SAME, hint=ADD_EVIL),
    "null origin": Refused(
        rfc6455_head(LOBBY, "Origin: null"), 403, "origin", "origin null may not enter: null,", "rfc6455"
    ),
    "no origin": Refused(
        rfc6455_head(LOBBY),
        403,
        "origin",
        'a client without Origin may not enter: missing = "refuse"',
        "rfc6455",
        hint='set missing = "allow" in [origins]',
        settings=NO_ORIGIN_NO_ENTRY,
    ),
    "no room": Refused(rfc6455_head("/lobby"), 404, "not_found", NO_ROOM, "rfc6455", hint=PATHS),
    "no room, hixie-76": Refused(hixie76_head("/lobby") + KEY3, 404, "not_found", NO_ROOM, "hixie76", hint=PATHS),
    "no room, plain": Refused(get("/lobby"), 404, "not_found", NO_ROOM, hint=PATHS),
    "upgrade on the page": Refused(rfc6455_head("/"), 404, "not_found", NO_ROOM, "rfc6455", hint=PATHS),
    "upgrade on a reserved path": Refused(rfc6455_head("/-/ready"), 404, "not_found", NO_ROOM, "rfc6455"),
    "encoded slash": Refused(
        rfc6455_head("/rooms/a%2fb"), 400, "malformed", "a room name has no encoded / or \\", "rfc6455"
    ),
    "dot segment": Refused(rfc6455_head("/rooms/.."), 400, "malformed", 'a room name has no segment ".."', "rfc6455"),
    "empty segment": Refused(get("/rooms/"), 400, "malformed", 'a room name has no segment ""'),
    "not UTF-8": Refused(get("/rooms/%ff"), 400, "malformed", "a room name is UTF-8"),
    "long name": Refused(get("/rooms/" + "a" * 249), 400, "malformed", "a room name has at most 255 bytes"),
    "plain GET on a room": Refused(
        get(LOBBY), 426, "not_upgrade", "this is a room: open it as a WebSocket", headers=IN_VERSION_13
    ),
    "another upgrade": Refused(
        get(LOBBY, "Upgrade: h2c", "Connection: Upgrade"), 426, "not_upgrade", "this is a room", headers=IN_VERSION_13
    ),
    "version 8": Refused(
        get(LOBBY, *UPGRADE, KEY, "Sec-WebSocket-Version: 8"),
        426,
        "version",
        "Sec-WebSocket-Version is not 13",
        headers=IN_VERSION_13,
    ),
    "no version": Refused(get(LOBBY, *UPGRADE, KEY), 426, "version", "Sec-WebSocket-Version is", headers=IN_VERSION_13),
    "dialect": Refused(
        hixie76_head(LOBBY) + KEY3,
        426,
        "dialect",
        "hixie76 is not spoken here",
        "hixie76",
        headers=IN_VERSION_13,
        hint='add "hixie76" to [server] protocols',
        settings=RFC6455_ONLY,
    ),
    "the other dialect": Refused(
        rfc6455_head(LOBBY), 426, "dialect", "rfc6455 is not spoken here", "rfc6455", settings=HIXIE76_ONLY
    ),
    "host": Refused(
        rfc6455_head(LOBBY),
        421,
        "host",
        "relay.example is not served here",
        "rfc6455",
        hint='add "relay.example" to [server] hosts, or empty it to serve any',
        settings=TWO_HOSTS,
    ),
    "host, plain": Refused(get(LOBBY), 421, "host", "relay.example is not served here", settings=TWO_HOSTS),
    "POST": Refused(
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method", "the method is POST, not GET", headers=GET_ONLY
    ),
    "HEAD": Refused(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method", "the method is HEAD", headers=GET_ONLY),
    "OPTIONS": Refused(OPTIONS, 405, "method", "the method is OPTIONS, which is for pages", headers=GET_ONLY),
    "OPTIONS of nothing": Refused(
        OPTIONS.replace(b"/rooms/lobby", b"*"), 405, "method", "the method is OPTIONS", headers=GET_ONLY
    ),
    "event stream, where there are none": Refused(
        stream_head(),
        426,
        "not_upgrade",
        "open it as a WebSocket",
        hint=ADD_SSE,
        headers=IN_VERSION_13,
        settings=RFC6455_ONLY,
    ),
    "TLS": Refused(b"\x16\x03\x01\x02\x00\x01", 400, "malformed", "the first byte is 0x16, a TLS handshake"),
    "HTTP/2": Refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed", "the connection begins as HTTP/2"),
    "HTTP/1.0": Refused(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 400, "malformed", "the version is HTTP/1.0"),
    "absolute target": Refused(
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed", "the request line is not GET, a path"
    ),
    "bare LF": Refused(b"GET / HTTP/1.1\nHost: a\n\n", 400, "malformed", "the request line ends with LF, not CRLF"),
    "folded line": Refused(get("/", "A: b", " c"), 400, "malformed", "line 4 begins with a blank"),
    "control character": Refused(get("/", "A: \x01"), 400, "malformed", "line 3 holds the control character 0x01"),
    "no Host": Refused(b"GET / HTTP/1.1\r\n\r\n", 400, "malformed", "the Host header is missing"),
    "two Hosts": Refused(get("/", "Host: b"), 400, "malformed", "there are 2 host headers, not one"),
    "two origins": Refused(rfc6455_head(LOBBY, EVIL, EVIL), 400, "malformed", "there are two origin headers, not one"),
    "two keys": Refused(rfc6455_head(LOBBY, KEY), 400, "malformed", "there are two sec-websocket-key headers, not one"),
    "announced body": Refused(get("/", "Content-Length: 1"), 400, "malformed", "the head announces a body"),
    "chunked body": Refused(get("/", "Transfer-Encoding: chunked"), 400, "malformed", "the head announces a body"),
    "eight bytes announced for RFC 6455": Refused(
        rfc6455_head(LOBBY, "Content-Length: 8"), 400, "malformed", "the head announces a body"
    ),
    "no key": Refused(get(LOBBY, *UPGRADE, VERSION), 400, "malformed", "Sec-WebSocket-Key is missing"),
    "short key": Refused(
        get(LOBBY, *UPGRADE, VERSION, "Sec-WebSocket-Key: AAAA"), 400, "malformed", "Sec-WebSocket-Key is not 16 bytes"
    ),
    "keys of both dialects": Refused(
        get(LOBBY, *UPGRADE, VERSION, KEY, *KEYS, ORIGIN), 400, "malformed", "it speaks two dialects"
    ),
    "hixie-76 without an origin": Refused(get(LOBBY, *UPGRADE, *KEYS) + KEY3, 400, "malformed", "Origin"),
    "hixie-76 with one key": Refused(
        get(LOBBY, *UPGRADE, ORIGIN, KEYS[0]) + KEY3, 400, "malformed", "Sec-WebSocket-Key2"
    ),
    "hixie-76 with a key without spaces": Refused(
        get(LOBBY, *UPGRADE, ORIGIN, KEYS[0], "Sec-WebSocket-Key2: 1") + KEY3, 400, "malformed", "0 spaces and 1 digits"
    ),
    "Upgrade without Connection": Refused(
        get(LOBBY, "Upgrade: websocket", KEY, VERSION), 400, "malformed", "Connection does not say Upgrade"
    ),
    "long head": Refused(
        get("/", "A: " + "a" * 2000),
        431,
        "head_too_large",
        "the head is longer than head_max_bytes = 1024",
        settings="[limits]\nhead_max_bytes = 1024",
    ),
    "many headers": Refused(
        get("/", *["A: a"] * 8),
        431,
        "head_too_large",
        "the head has more lines than headers_max = 8",
        settings="[limits]\nheaders_max = 8",
    ),
}


def check_refused(relay: Relay, answer: Answer, case: Refused) -> None:
    check_answer(answer, case.status, case.body)
    assert set(case.headers) <= answer.headers.items()
    handshakes = relay.counters.handshakes
    assert {key: count for key, count in handshakes.items() if count} == {(case.dialect, case.outcome): 1}
    record = relay.diary.wait_for("refused", status=case.status, outcome=case.outcome)
    assert answer.headers["roomcast-id"] == record["id"]
    assert case.body in record["message"]
    if case.hint is not None:
        assert record["hint"] == case.hint


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
def test_refusal_says_why_to_the_client_the_metrics_and_the_log(serve: Serve, case: Refused) -> None:
    relay = serve(case.settings)

    answer = relay.ask(case.request)

    check_refused(relay, answer, case)


def test_refused_handshakes_and_members_share_one_numbering(serve: Serve) -> None:
    relay = serve()

    ids = [relay.ask(get("/nowhere")).headers["roomcast-id"]]
    relay.join()
    ids += [relay.diary.wait_for("joined")["id"], relay.ask(get("/nowhere")).headers["roomcast-id"]]

    epoch = relay.server.hub.epoch
    assert ids == [f"{epoch}.1", f"{epoch}.2", f"{epoch}.3"]


def test_many_bad_requests_leave_nothing_behind(serve: Serve) -> None:
    relay = serve()
    descriptors = open_descriptors()

    for _ in range(5):
        for case in REFUSALS.values():
            if not case.settings:
                assert relay.ask(case.request).status == case.status

    relay.until(lambda: open_descriptors() == descriptors)
    assert relay.join()


def test_refusal_lists_no_other_origin(serve: Serve) -> None:
    relay = serve('[origins]\nallow = ["https://secret.example"]')

    answer = relay.ask(rfc6455_head(LOBBY, EVIL))

    assert answer.status == 403
    assert b"secret.example" not in answer.body
    assert "secret.example" not in str(relay.records("refused"))


def test_refusal_by_a_template_s_own_origins_names_where_they_stand(serve: Serve) -> None:
    own = '[[rooms]]\nname = "desk"\npath = "/desks/{x}"\norigins = { allow = ["https://app.example"] }\n'
    relay = serve(own)

    assert relay.ask(rfc6455_head("/desks/1", EVIL)).status == 403

    record = relay.diary.wait_for("refused", path="/desks/1", origin="https://evil.example")
    assert record["hint"] == 'add "https://evil.example" to origins of the room template "desk"'
    assert relay.join("/desks/1", "Origin: https://app.example")


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("Origin: http://relay.example", ""),
        ("Origin: https://relay.example", ""),
        ("Origin: https://app.example", ONE_ORIGIN),
        ("Origin: https://APP.example:443", ONE_ORIGIN),
        ("A: no Origin at all", ""),
        ("Origin: https://evil.example", '[origins]\nallow = ["*"]'),
    ],
)
def test_origin_that_a_rule_allows_enters(serve: Serve, line: str, settings: str) -> None:
    assert serve(settings).join("/rooms/lobby", line)


def test_origins_that_are_only_reported_enter_and_are_counted(serve: Serve) -> None:
    relay = serve("[origins]\nenforce = false")

    ada, bob = relay.join(LOBBY, EVIL), relay.join()

    bob.say("hello")
    assert ada.hear() == "hello"
    assert relay.counters.origin_report_only == 1
    record = relay.diary.wait_for("origin would be refused")
    assert (record["path"], record["origin"]) == (LOBBY, "https://evil.example")
    assert record["rule"] == "not same_origin, not in allow"
    assert relay.metric("roomcast_origin_report_only_total") == 1


SHADOW = '[origins]\nallow = ["https://old.example", "https://new.example"]\nshadow = ["https://new.example"]\n'
OLD, NEW = "Origin: https://old.example", "Origin: https://new.example"


def test_whom_a_shadow_would_refuse_enters_and_is_counted_and_one_of_them_is_logged(serve: Serve) -> None:
    relay = serve(SHADOW)

    ada, bob = relay.join(LOBBY, OLD), relay.join(LOBBY, OLD)
    relay.join(LOBBY, NEW)

    bob.say("hello")
    assert ada.hear() == "hello"
    counters = relay.counters
    assert (counters.origin_shadow, counters.origin_report_only) == (2, 0)
    assert counters.shadow_origins.most(10) == [("https://old.example", 2)]
    assert counters.refused_origins.most(10) == []
    assert relay.metric("roomcast_origin_shadow_total") == 2
    record = relay.diary.wait_for("origin would be refused by the shadow")
    assert relay.records("origin would be refused by the shadow") == [record]
    assert (record["template"], record["path"], record["times"]) == ("rooms", LOBBY, 1)
    assert (record["origin"], record["rule"]) == ("https://old.example", "not same_origin, not in shadow")


def test_event_stream_that_a_shadow_would_refuse_is_counted(serve: Serve) -> None:
    relay = serve(SHADOW)

    relay.stream(LOBBY, OLD)

    assert relay.counters.origin_shadow == 1


def test_client_without_origin_that_a_shadow_would_refuse_is_no_such_thing(serve: Serve) -> None:
    relay = serve(SHADOW)

    relay.join(LOBBY)

    assert relay.counters.origin_shadow == 0


PREFLIGHT = get(LOBBY, OLD, "Access-Control-Request-Method: GET").replace(b"GET", b"OPTIONS", 1)


@pytest.mark.parametrize(
    "request_",
    [rfc6455_head("/closed/a", OLD), get(LOBBY, OLD), PREFLIGHT],
    ids=["no token", "plain", "preflight"],
)
def test_who_does_not_enter_anyway_is_nobody_whom_a_shadow_would_cost(serve: Serve, request_: bytes) -> None:
    closed = f'[tokens]\nsecret = "{SECRET}"\n[[rooms]]\nname = "a"\npath = "/closed/{{room}}"\naccess = "token"\n'
    relay = serve(SHADOW + closed + '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\n')

    assert relay.ask(request_).status in (401, 426, 204)
    assert relay.counters.origin_shadow == 0


@pytest.mark.parametrize("host", ["chat.example", "CHAT.example:8080", "[::1]:8080", "[::1]"])
def test_host_that_is_served_is_answered(serve: Serve, host: str) -> None:
    assert serve(TWO_HOSTS).ask(get(LOBBY, host=host)).status == 426


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/-/ready", 200), ("/-/other", 404)])
def test_what_is_no_room_answers_to_probes_by_address(serve: Serve, path: str, status: int) -> None:
    assert serve(TWO_HOSTS).ask(get(path, host="10.1.2.3:8080")).status == status


# --- plain answers


def test_root_says_that_the_relay_is_running(serve: Serve) -> None:
    relay = serve()

    answer = relay.ask(get("/?probe=1"))

    check_answer(answer, 200, "Roomcast is running")
    assert relay.counters.handshakes["none", "page"] == 1
    assert relay.diary.read() == []


def test_root_is_the_chat_page_where_it_is_wanted(serve: Serve) -> None:
    answer = serve("[server]\ndemo = true").ask()

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["connection"] == "close"
    assert answer.body.startswith(b"<!doctype html>")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("is_demo", ["true", "false"])
def test_client_for_pages_is_served_with_and_without_a_page_of_ours(serve: Serve, is_demo: str) -> None:
    relay = serve(f"[server]\ndemo = {is_demo}")

    answer = relay.ask(get("/-/roomcast.js?v=1", "Origin: https://elsewhere.example"))

    assert (answer.status, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert b"globalThis.Roomcast" in answer.body
    assert relay.counters.handshakes["none", "page"] == 1


def test_ready_is_ready(serve: Serve) -> None:
    check_answer(serve().ask(get("/-/ready")), 200, "ready")
