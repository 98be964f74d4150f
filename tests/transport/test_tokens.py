"""Rooms that ask for tokens: who enters, who is told what instead, and what ends with a token."""

from __future__ import annotations

import json
import time

import pytest

from roomcast.relay.reasons import Reason
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.tokens import SECRET, fresh_token, make_signer, signer
from tests.wire import KEY3, Answer, Rfc6455Client, get, hixie76_head, rfc6455_head, shake_hands_rfc6455

ROOMS = """
[[rooms]]
name = "open"
path = "/open/{room}"
[[rooms]]
name = "closed"
path = "/closed/{room}"
access = "token"
echo = true
"""
TOKENS = f'[tokens]\nsecret = "{SECRET}"\n'


def token(**claims: object) -> str:
    """Return a good token for all closed rooms, to do anything in them; or what the claims make of it."""
    return fresh_token(**{"rooms": ["/closed/{room}"], "sub": "alice", "exp": 2**33} | claims)


def bearer(**claims: object) -> str:
    return f"Authorization: Bearer {token(**claims)}"


def ask(relay: Relay, path: str, *lines: str) -> Answer:
    """Try to enter; return the answer that is no 101."""
    return relay.ask(rfc6455_head(path, *lines))


@pytest.fixture
def relay(serve: Serve) -> Relay:
    return serve(TOKENS + ROOMS)


@OVER_TLS_TOO
def test_bearer_enters_and_says_and_hears(serve: Serve) -> None:
    relay = serve(TOKENS + ROOMS)
    member = relay.join("/closed/a", bearer())

    member.say("hello")

    assert member.hear() == "hello"
    assert relay.metric('roomcast_tokens_total{outcome="accepted"}') == 1


def test_page_enters_with_a_subprotocol_and_is_answered_with_the_other_one(relay: Relay) -> None:
    wire = relay.connect()
    wire.send(rfc6455_head("/closed/a", f"Sec-WebSocket-Protocol: roomcast.raw, bearer.{token()}"))

    head = wire.read_until(b"\r\n\r\n").decode()

    assert head.startswith("HTTP/1.1 101 ")
    assert "Sec-WebSocket-Protocol: roomcast.raw\r\n" in head
    assert "bearer" not in head


def test_page_that_offers_nothing_but_its_token_is_told_what_to_offer(relay: Relay) -> None:
    answer = ask(relay, "/closed/a", f"Sec-WebSocket-Protocol: bearer.{token()}")

    assert answer.status == 400
    assert b'offer "roomcast.raw", too' in answer.body


def test_hixie76_enters_with_a_subprotocol(relay: Relay) -> None:
    member = relay.join_hixie76("/closed/a", f"Sec-WebSocket-Protocol: roomcast.raw bearer.{token()}")

    member.say("hello")

    assert member.hear() == "hello"


def test_cookie_and_query_are_read_where_the_operator_says_so(serve: Serve) -> None:
    relay = serve(f'{TOKENS}cookie = "session"\nquery = true\n{ROOMS}')

    for path, lines in [("/closed/a", [f"Cookie: a=b; session={token()}"]), (f"/closed/a?token={token()}", [])]:
        assert relay.join(path, *lines)


@pytest.mark.parametrize(("path", "lines"), [("/closed/a?token={}", []), ("/closed/a", ["Cookie: token={}"])])
def test_cookie_and_query_are_not_read_by_default(relay: Relay, path: str, lines: list[str]) -> None:
    answer = ask(relay, path.format(token()), *(line.format(token()) for line in lines))

    assert answer.status == 401


def test_who_has_no_token_is_told_how_to_show_one(relay: Relay) -> None:
    answer = ask(relay, "/closed/a")

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.body.decode() == (
        'this room asks for a token: send "Authorization: Bearer <token>", '
        'or offer the subprotocols "roomcast.raw" and "bearer.<token>"\n'
    )
    refused = relay.diary.wait_for("refused", status=401)
    assert (refused["outcome"], refused["path"]) == ("token", "/closed/a")
    assert relay.counters.handshakes["rfc6455", "token"] == 1
    assert relay.counters.tokens["missing"] == 1


@pytest.mark.parametrize(
    ("shown", "fault", "rule"),
    [
        ("abc", "malformed", "it is no JWT"),
        (make_signer("HS256", "another secret of at least 32 bytes").token({"exp": 2**33}), "signature", "signature"),
        (signer("RS256").token({"exp": 2**33}), "key", "no key for it is known"),
        (signer("HS256").token({"exp": 1, "rooms": ["/closed/a"]}), "expired", "it has expired"),
        (signer("HS256").token({"exp": 2**33, "nbf": 2**33}), "early", "it is not valid yet"),
        (signer("HS256").token({"exp": 2**33}, alg="none"), "algorithm", "its alg is none of"),
        (signer("HS256").token({}), "claims", "it has no exp"),
    ],
)
@pytest.mark.parametrize("path", ["/closed/a", "/open/a"])
def test_token_that_is_not_good_is_401_in_an_open_room_too(
    relay: Relay, path: str, shown: str, fault: str, rule: str
) -> None:
    answer = ask(relay, path, f"Authorization: Bearer {shown}")

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert rule in answer.body.decode()
    assert shown not in answer.body.decode()
    assert relay.counters.tokens[fault] == 1


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"rooms": ["/closed/b", "/open/{room}"]}, "it is for other rooms"),
        ({"rooms": None}, "it is for other rooms"),
        ({"actions": []}, "it lets nobody do anything"),
    ],
)
def test_good_token_that_does_not_open_this_room_is_403(relay: Relay, claims: dict[str, object], rule: str) -> None:
    answer = ask(relay, "/closed/a", bearer(**claims))

    assert answer.status == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    assert rule in answer.body.decode()
    assert relay.counters.handshakes["rfc6455", "forbidden"] == 1


def test_two_different_tokens_are_400(relay: Relay) -> None:
    answer = ask(relay, "/closed/a", bearer(), f"Sec-WebSocket-Protocol: roomcast.raw, bearer.{token(sub='bob')}")

    assert (answer.status, answer.body) == (400, b"the request has 2 different tokens, not one\n")


def test_origin_is_asked_before_the_token_and_the_path_before_both(relay: Relay) -> None:
    evil = "Origin: https://evil.example"

    assert ask(relay, "/closed/a", evil).status == 403
    assert ask(relay, "/closed/a", evil, bearer()).status == 403
    assert ask(relay, "/nothing", bearer()).status == 404


@pytest.mark.parametrize(("lines", "status"), [((), 401), ((bearer(rooms=[]),), 403), ((bearer(),), 426)])
def test_plain_get_is_told_what_a_browser_would_be(relay: Relay, lines: tuple[str, ...], status: int) -> None:
    assert relay.ask(get("/closed/a", *lines)).status == status


def test_open_room_asks_nobody_and_takes_who_is_somebody(relay: Relay) -> None:
    ada = relay.join("/open/a")
    # What its token does not grant, the room grants to everybody.
    bob = relay.join("/open/a", bearer(rooms=None, actions=[]))

    bob.say("hello")

    assert ada.hear() == "hello"


def test_where_no_key_is_configured_nobody_looks_at_tokens(serve: Serve) -> None:
    relay = serve()

    assert relay.join("/rooms/lobby", "Authorization: Bearer whatever")
    assert relay.counters.tokens["accepted"] == 0


def test_member_that_may_not_publish_is_closed_when_it_does(relay: Relay) -> None:
    ada = relay.join("/closed/a", bearer())
    bob = relay.join("/closed/a", bearer(actions=None))
    ada.say("hello")
    assert (ada.hear(), bob.hear()) == ("hello", "hello")

    bob.say("not for you to say")

    assert bob.read_goodbye() == (4403, "forbidden action=publish")
    ada.say("bye")
    assert ada.hear() == "bye"
    assert relay.template("closed").dropped[Reason.FORBIDDEN] == 1


def test_member_that_may_not_hear_hears_nothing_and_is_heard(relay: Relay) -> None:
    ada = relay.join("/closed/a", bearer())
    sensor = relay.join("/closed/a?history=5", bearer(actions=["publish"]))

    sensor.say("21 °C")
    assert ada.hear() == "21 °C"
    ada.say("not for you to hear")
    assert ada.hear() == "not for you to hear"
    sensor.say_goodbye()

    # The first that it hears at all.
    assert sensor.read_goodbye() == (1000, "peer")


def hear_json(member: Rfc6455Client) -> dict[str, object]:
    heard: dict[str, object] = json.loads(member.hear())
    return heard


def join_json(relay: Relay, path: str, **claims: object) -> Rfc6455Client:
    member = shake_hands_rfc6455(
        relay.connect(), path, f"Sec-WebSocket-Protocol: roomcast.json, bearer.{token(**claims)}"
    )
    assert hear_json(member)["type"] == "welcome"
    return member


def test_who_speaks_json_is_told_that_it_may_not_publish_and_stays(relay: Relay) -> None:
    member = join_json(relay, "/closed/a", actions=None)

    member.say('{"type": "publish", "ref": 7, "text": "hello"}')

    assert hear_json(member) == {
        "type": "error",
        "ref": 7,
        "reason": "forbidden",
        "detail": "its token does not let it publish",
    }
    assert relay.template("closed").dropped[Reason.FORBIDDEN] == 1
    member.say_goodbye()
    assert member.read_goodbye().code == 1000


def test_others_are_told_whose_a_message_is(relay: Relay) -> None:
    ada = join_json(relay, "/closed/a")
    bob = relay.join("/closed/a", bearer(sub="bob"))

    bob.say("hello")

    assert hear_json(ada)["subject"] == "bob"


def test_member_is_closed_when_its_token_ends(relay: Relay) -> None:
    member = relay.join("/closed/a", bearer(exp=time.time() + 1))
    open_too = relay.join("/open/a", bearer(exp=time.time() + 1))

    assert member.read_goodbye() == (4401, "token_expired")
    assert open_too.read_goodbye() == (4401, "token_expired")


def test_who_speaks_json_is_told_in_time_that_its_token_ends(relay: Relay) -> None:
    member = join_json(relay, "/closed/a", exp=time.time() + 2)

    told = hear_json(member)
    assert told["type"] == "expiring"
    assert isinstance(told["expires_in_ms"], int)
    assert 0 < told["expires_in_ms"] <= 2000
    goodbye = hear_json(member)
    assert (goodbye["type"], goodbye["reason"], goodbye["code"]) == ("goodbye", "token_expired", 4401)
    assert member.read_goodbye().code == 4401


def test_revoked_subject_is_closed_and_does_not_come_back_with_an_old_token(relay: Relay) -> None:
    old = bearer(iat=time.time() - 1)
    ada, bob = relay.join("/closed/a", old), relay.join("/closed/a", bearer(sub="bob"))

    assert relay.call(lambda: relay.server.token_holders.revoke("alice")) == 1

    assert ada.read_goodbye() == (4403, "revoked")
    answer = ask(relay, "/closed/a", old)
    assert (answer.status, answer.body) == (401, b"the token does not do: it was revoked\n")
    assert relay.counters.tokens["revoked"] == 1
    bob.say("still here")
    assert bob.hear() == "still here"


def test_token_that_is_revoked_in_the_middle_of_a_handshake_opens_nothing(relay: Relay) -> None:
    wire = relay.connect()
    wire.send(hixie76_head("/closed/a", bearer()))
    # Its eight bytes come late, so the head of the 101 is out by now.
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")

    relay.call(lambda: relay.server.token_holders.revoke("alice"))
    wire.send(KEY3)

    assert wire.read_to_end() == b""
    assert relay.diary.wait_for("refused", status=401)["outcome"] == "token"


def test_member_with_a_token_that_leaves_is_forgotten(relay: Relay) -> None:
    member = relay.join("/closed/a", bearer())
    assert relay.call(lambda: len(relay.server.token_holders)) == 1

    member.close()

    relay.until(lambda: len(relay.server.token_holders) == 0)


PRESENCE = ROOMS.replace('access = "token"', 'access = "token"\npresence = true\npresence_interval_s = 0.1')


def test_member_that_may_not_hear_is_not_told_who_is_there(serve: Serve) -> None:
    relay = serve(TOKENS + PRESENCE)
    ada = join_json(relay, "/closed/a")
    wire = relay.connect()
    offer = f"Sec-WebSocket-Protocol: roomcast.json, bearer.{token(sub='sensor', actions=['publish'])}"
    sensor = shake_hands_rfc6455(wire, "/closed/a", offer)

    welcome = hear_json(sensor)
    assert "present" not in welcome
    # Others are told of it; when that is out, it has heard nothing but the answer to what it says.
    while "sensor" not in str(hear_json(ada)):
        pass
    sensor.say('{"type": "publish", "ref": 1, "text": "21 °C"}')
    assert hear_json(sensor) == {"type": "ack", "ref": 1, "offset": 1}


STREAM = "Accept: text/event-stream"


def test_event_stream_is_read_with_a_token(relay: Relay) -> None:
    wire = relay.connect()
    wire.send(get("/closed/a", STREAM, bearer()))
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")

    relay.join("/closed/a", bearer()).say("hello")

    assert b"data: hello\n\n" in wire.read_until(b"hello\n\n")


def test_event_stream_ends_with_its_token(relay: Relay) -> None:
    wire = relay.connect()
    wire.send(get("/closed/a", STREAM, bearer(exp=time.time() + 1)))

    said = wire.read_to_end().decode()

    assert 'event: goodbye\ndata: {"reason":"token_expired","code":4401' in said


@pytest.mark.parametrize(
    ("lines", "status"), [((), 401), ((bearer(rooms=[]),), 403), ((bearer(actions=["publish"]),), 403)]
)
def test_event_stream_is_refused_to_whom_a_room_would_be(relay: Relay, lines: tuple[str, ...], status: int) -> None:
    assert relay.ask(get("/closed/a", STREAM, *lines)).status == status


def test_cookie_opens_an_event_stream_for_a_page_whose_origin_is_listed(serve: Serve) -> None:
    page = "https://app.example"
    relay = serve(f'[origins]\nallow = ["{page}"]\n{TOKENS}cookie = "session"\n{ROOMS}')
    wire = relay.connect()

    wire.send(get("/closed/a", STREAM, f"Origin: {page}", f"Cookie: session={token()}"))

    head = wire.read_until(b"\r\n\r\n").decode()
    assert head.startswith("HTTP/1.1 200 ")
    assert f"Access-Control-Allow-Origin: {page}\r\n" in head
    assert "Access-Control-Allow-Credentials: true\r\n" in head
