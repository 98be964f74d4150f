from __future__ import annotations

import base64
import socket
from typing import Any

import pytest
from gevent.hub import get_hub

from tests.api.calls import BINARY, JSON, KEY, TEXT, WITH_KEY, Caller
from tests.running import Relay, Serve
from tests.transport.rooms import rooms
from tests.wire import BINARY as BINARY_FRAME
from tests.wire import Frame, connect

LOBBY = "/rooms/lobby"


@pytest.fixture
def relay(serve: Serve) -> Relay:
    return serve(WITH_KEY + rooms(history_messages=3, message_max_bytes=64))


@pytest.fixture
def caller(relay: Relay) -> Caller:
    return Caller(relay)


def test_text_reaches_every_member_and_the_answer_says_where_it_stands(relay: Relay, caller: Caller) -> None:
    ada, bob = relay.join(), relay.join_hixie76()

    told = caller.say("hello ☺")

    assert (told.status, told.headers["content-type"]) == (200, "application/json")
    epoch = relay.call(lambda: relay.server.hub.epoch)
    assert told.json == {"epoch": epoch, "offset": 1, "local_members": 2}
    assert ada.hear() == bob.hear() == "hello ☺"


def test_bytes_reach_every_member_as_a_binary_message(relay: Relay, caller: Caller) -> None:
    ada = relay.join()

    assert caller.say(b"\x00\xff", kind=BINARY).status == 200

    assert ada.read_frame() == Frame(BINARY_FRAME, b"\x00\xff")


@pytest.mark.parametrize(
    ("body", "frame"),
    [('{"text": "h\\u00e9"}', Frame(1, "hé".encode())), ('{"base64": "AP8="}', Frame(2, b"\x00\xff"))],
)
def test_json_carries_either(relay: Relay, caller: Caller, body: str, frame: Frame) -> None:
    ada = relay.join()

    assert caller.say(body, kind=JSON).status == 200

    assert ada.read_frame() == frame


@pytest.mark.parametrize(("body", "kind"), [("", TEXT), ("", BINARY), ('{"text": ""}', JSON), ('{"base64": ""}', JSON)])
def test_message_may_be_empty_as_a_member_s_may(relay: Relay, caller: Caller, body: str, kind: dict[str, str]) -> None:
    ada = relay.join()

    assert caller.say(body, kind=kind).status == 200

    assert ada.read_frame().payload == b""


def test_room_without_members_takes_messages_too(caller: Caller) -> None:
    assert [caller.say("hello", "/rooms/empty").json["offset"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    "kind", ["text/plain; charset=utf-8", 'TEXT/PLAIN;charset="UTF-8"', "text/plain;charset=us-ascii"]
)
def test_charset_may_say_what_is_so_anyway(caller: Caller, kind: str) -> None:
    assert caller.say("hello", kind={"Content-Type": kind}).status == 200


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "text/html",
        "text/plain; charset=latin-1",
        "multipart/form-data",
        "nonsense",
        "",
    ],
)
def test_any_other_type_is_415_with_the_right_words_for_curl(relay: Relay, caller: Caller, kind: str) -> None:
    told = caller.say("hello", kind={"Content-Type": kind})

    assert told.status == 415
    assert "curl -H 'Content-Type: text/plain'" in told.detail
    assert told.headers["accept"] == "text/plain, application/octet-stream, application/json"
    assert not relay.call(lambda: relay.server.hub.rooms)


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        (b"\xff", TEXT, "the text is not UTF-8"),
        (b"", JSON, "the body is no JSON"),
        (b"{", JSON, "the body is no JSON"),
        (b"\xff", JSON, "the body is no JSON"),
        (b"[]", JSON, "the body: Input should be an object"),
        (b"{}", JSON, 'the body: a message has either "text" or "base64"'),
        (b'{"text": "a", "base64": "QQ=="}', JSON, 'the body: a message has either "text" or "base64"'),
        (b'{"text": 7}', JSON, "text: Input should be a valid string"),
        (b'{"text": null}', JSON, "text: Input should be a valid string"),
        (b'{"text": "\\ud800"}', JSON, "the body is no JSON"),
        (b'{"base64": "QQ"}', JSON, "base64: String should match pattern"),
        (b'{"base64": "Q-=="}', JSON, "base64: String should match pattern"),
        (b'{"text": "a", "secret": 1}', JSON, "the body has a member that is not known; there are text, base64"),
    ],
)
def test_body_that_is_no_message_is_400_and_not_quoted(
    relay: Relay, caller: Caller, body: bytes, kind: dict[str, str], detail: str
) -> None:
    told = caller.say(body, kind=kind)

    assert told.status == 400
    assert told.detail.startswith(detail)
    assert "secret" not in told.detail
    assert not relay.call(lambda: relay.server.hub.rooms)


def test_body_that_breaks_off_is_400_and_nothing_is_sent(relay: Relay) -> None:
    head = f"POST /api/v1/messages?room={LOBBY} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    with connect(relay.server.private_address) as wire:
        wire.send(f"{head}Content-Type: text/plain\r\nContent-Length: 10\r\n\r\nfive".encode())
        wire.socket.shutdown(socket.SHUT_WR)

        answer = wire.read_answer()

    assert answer.status == 400
    assert b"the body breaks off" in answer.body
    assert not relay.call(lambda: relay.server.hub.rooms)


@pytest.mark.parametrize(
    ("room", "status"),
    [
        ("/nowhere", 404),
        ("/rooms/a/b", 404),
        ("lobby", 400),
        ("/rooms/..", 400),
        ("/rooms/", 400),
        ("", 400),
        ("/", 400),
    ],
)
def test_room_that_cannot_be_is_refused(caller: Caller, room: str, status: int) -> None:
    told = caller.say("hello", room)

    assert told.status == status
    assert "room" in told.detail
    assert "nowhere" not in told.detail


@pytest.mark.parametrize(
    "query",
    [
        "",
        "room=%2Frooms%2Fa&room=%2Frooms%2Fb",
        "room=%2Frooms%2Fa&rom=1",
        "room=/rooms/%ff",
        "room=/rooms/%zz",
        "room=/rooms/%",
    ],
)
def test_query_that_leaves_a_doubt_is_400(relay: Relay, caller: Caller, query: str) -> None:
    assert caller.call("POST", "messages", query, b"hello", TEXT).status == 400
    assert not relay.call(lambda: relay.server.hub.rooms)


@pytest.mark.parametrize("room", ["/rooms/a b", "/rooms/100%", "/rooms/%41", "/rooms/a+b", "/rooms/é&="])
def test_room_is_named_as_it_is_and_decoded_once(relay: Relay, caller: Caller, room: str) -> None:
    assert caller.say("hello", room).status == 200

    assert list(relay.call(lambda: relay.server.hub.rooms)) == [room]


def test_message_at_the_limit_of_its_template_is_sent_and_one_byte_more_is_413(caller: Caller) -> None:
    assert caller.say("x" * 64).status == 200

    told = caller.say("x" * 65)

    assert told.status == 413
    assert told.detail == "the message is longer than message_max_bytes = 64 of this room's template"


def test_body_longer_than_any_may_be_is_413_before_it_is_read(serve: Serve) -> None:
    caller = Caller(serve(f"{WITH_KEY}body_max_bytes = 65536\n"))

    assert caller.say("x" * 65_536).status == 200
    assert caller.say("x" * 65_537).status == 413


def test_rate_is_that_of_a_member_and_holds_for_each_holder_and_room(serve: Serve) -> None:
    caller = Caller(serve(WITH_KEY + rooms(messages_per_s=2)))

    statuses = [caller.say("hello").status for _ in range(5)]
    told = caller.say("hello")

    assert statuses == [200] * 4 + [429]
    assert told.headers["retry-after"] == "2"
    assert told.detail == "messages_per_s = 2 of this room's template, 4 at once: sent too fast"
    assert caller.say("hello", "/rooms/other").status == 200


def test_rate_that_is_only_reported_refuses_nobody(serve: Serve) -> None:
    caller = Caller(serve(WITH_KEY + '[limits]\nreport_only = ["messages_per_s"]\n' + rooms(messages_per_s=1)))

    assert [caller.say("hello").status for _ in range(5)] == [200] * 5


def test_room_that_owes_too_much_is_503_and_says_when_to_come_back(relay: Relay, caller: Caller) -> None:
    ada = relay.join()

    def burden() -> None:
        relay.server.hub.rooms[LOBBY].pending_bytes = 1 << 30

    relay.call(burden)
    told = caller.say("hello")

    assert (told.status, told.headers["retry-after"]) == (503, "1")
    assert "pending_max_bytes" in told.detail

    def relieve() -> None:
        relay.server.hub.rooms[LOBBY].pending_bytes = 0

    relay.call(relieve)
    assert caller.say("hello").status == 200
    assert ada.hear() == "hello"


def test_relay_that_drains_takes_nothing_and_still_tells(relay: Relay, caller: Caller) -> None:
    relay.join()

    def drain() -> None:
        relay.server.counters.is_draining = True

    relay.call(drain)

    told = caller.say("hello")
    assert (told.status, told.headers["retry-after"]) == (503, "5")
    assert caller.get("rooms").status == 200


def test_no_more_rooms_than_may_be_is_503(serve: Serve) -> None:
    relay = serve(WITH_KEY + "[limits]\nrooms_max = 1\n" + rooms(history_messages=3))
    caller = Caller(relay)
    relay.join("/rooms/one")

    told = caller.say("hello", "/rooms/two")

    assert (told.status, told.headers["retry-after"], told.detail) == (503, "5", "rooms_max is reached")
    assert caller.say("hello", "/rooms/one").status == 200


def test_repeated_request_has_the_same_answer_and_sends_nothing(relay: Relay, caller: Caller) -> None:
    ada = relay.join()

    first = caller.say("once", Idempotency_Key='"a-1"')
    again = caller.say("once", Idempotency_Key='"a-1"')
    caller.say("last")

    assert first == again
    assert [ada.hear(), ada.hear()] == ["once", "last"]


@pytest.mark.parametrize(
    ("body", "room", "kind"), [("other", LOBBY, TEXT), ("once", "/rooms/other", TEXT), ("once", LOBBY, BINARY)]
)
def test_key_of_another_request_is_422(caller: Caller, body: str, room: str, kind: dict[str, str]) -> None:
    caller.say("once", Idempotency_Key="a-1")

    assert caller.say(body, room, kind, Idempotency_Key="a-1").status == 422


def test_request_that_was_refused_may_be_repeated(serve: Serve) -> None:
    caller = Caller(serve(WITH_KEY + rooms(messages_per_s=1)))
    for _ in range(2):
        caller.say("hello")

    assert [caller.say("hello", Idempotency_Key="a-1").status for _ in range(2)] == [429, 429]


# --- batches


def messages(*given: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(given)}


def test_batch_reaches_many_rooms_in_its_order(relay: Relay, caller: Caller) -> None:
    ada, bob = relay.join("/rooms/a"), relay.join("/rooms/b")

    told = caller.post(
        "batch",
        messages(
            {"room": "/rooms/a", "text": "one"},
            {"room": "/rooms/b", "text": "two"},
            {"room": "/rooms/a", "base64": base64.b64encode(b"three").decode()},
        ),
    )

    assert told.status == 200
    assert told.json == {"epoch": relay.call(lambda: relay.server.hub.epoch), "offsets": [1, 1, 2]}
    assert ada.hear() == "one"
    assert ada.read_frame() == Frame(BINARY_FRAME, b"three")
    assert bob.hear() == "two"


GOOD = {"room": "/rooms/a", "text": "good"}


@pytest.mark.parametrize(
    ("bad", "status", "detail"),
    [
        ({"room": "/nowhere", "text": "a"}, 404, "room: no template matches"),
        ({"room": "rooms", "text": "a"}, 400, "room: a room name begins with /"),
        ({"room": "/rooms/a", "text": "x" * 65}, 413, "messages[1] is longer than message_max_bytes = 64"),
        ({"room": "/rooms/a"}, 400, 'messages[1]: a message has either "text" or "base64"'),
        ({"room": "/rooms/a", "base64": "?"}, 400, "messages[1].base64: String should match"),
        ({"text": "a"}, 400, "messages[1].room: Field required"),
        ({"room": "/rooms/a", "text": "a", "secret": 1}, 400, "messages[1] has a member that is not known"),
        ("secret", 400, "messages[1]: Input should be an object"),
    ],
)
def test_one_message_that_cannot_be_sent_keeps_all_from_being_sent(
    relay: Relay, caller: Caller, bad: Any, status: int, detail: str
) -> None:
    told = caller.post("batch", messages(GOOD, bad))

    assert told.status == status
    assert told.detail.startswith(detail)
    assert "secret" not in told.detail
    assert not relay.call(lambda: relay.server.hub.rooms)


@pytest.mark.parametrize(
    "body", [{"messages": []}, {}, [], {"messages": [GOOD], "secret": 1}, {"messages": [GOOD] * 10_001}]
)
def test_batch_has_at_least_one_message_and_no_more_than_may_be(relay: Relay, caller: Caller, body: Any) -> None:
    assert caller.post("batch", body).status == 400
    assert not relay.call(lambda: relay.server.hub.rooms)


def test_batch_is_json(caller: Caller) -> None:
    told = caller.call("POST", "batch", "", b"{}", TEXT)

    assert (told.status, told.headers["accept"]) == (415, "application/json")


def test_batch_beyond_a_rate_counts_for_no_room(serve: Serve) -> None:
    caller = Caller(serve(WITH_KEY + rooms(messages_per_s=2)))
    slow, other = {"room": "/rooms/a", "text": "a"}, {"room": "/rooms/b", "text": "b"}
    for _ in range(3):
        caller.say("hello", "/rooms/b")

    assert caller.post("batch", messages(slow, slow, slow, other, other)).status == 429
    assert caller.post("batch", messages(slow, slow, slow, slow, other)).status == 200


def test_batch_that_can_never_pass_is_413(serve: Serve) -> None:
    caller = Caller(serve(WITH_KEY + rooms(messages_per_s=2)))

    told = caller.post("batch", messages(*[GOOD] * 5))

    assert told.status == 413
    assert "4 at once" in told.detail


def test_repeated_batch_sends_nothing(relay: Relay, caller: Caller) -> None:
    ada = relay.join("/rooms/a")

    told = [caller.post("batch", messages(GOOD, GOOD), Idempotency_Key="b-1").json for _ in range(2)]
    caller.say("last", "/rooms/a")

    assert told[0] == told[1]
    assert [ada.hear() for _ in range(3)] == ["good", "good", "last"]


def test_long_batch_leaves_the_loop_to_others(relay: Relay, caller: Caller) -> None:
    ada = relay.join("/rooms/a")

    def turns() -> int:
        return relay.call(lambda: int(get_hub().loop.iteration))

    before = turns()
    told = caller.post("batch", messages(*[GOOD] * 10_000))

    assert told.json["offsets"] == list(range(1, 10_001))
    assert turns() - before > 10
    assert [ada.hear() for _ in range(10_000)] == ["good"] * 10_000


# --- who may


@pytest.mark.parametrize(("method", "path"), [("POST", "messages"), ("POST", "batch"), ("GET", "messages")])
def test_key_is_asked_for_before_anything_is_read(relay: Relay, method: str, path: str) -> None:
    stranger = Caller(relay, key="")

    assert stranger.call(method, path, "nonsense").status == 401
    assert Caller(relay, key=KEY[1:]).call(method, path, "nonsense").status == 401
