"""Where the canary comes in: for one with the key a room like any other, for all others nothing at all."""

from __future__ import annotations

import pytest

from roomcast.transport.canary_door import KEY_HEADER, PATH
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.wire import KEY3, Answer, get, hixie76_head, rfc6455_head


def key_line(relay: Relay) -> str:
    return f"{KEY_HEADER}: {relay.server.canary.door.key}"


@OVER_TLS_TOO
def test_who_has_the_key_hears_what_it_says_and_nobody_counts_it(serve: Serve) -> None:
    relay = serve()

    client = relay.join(PATH, key_line(relay))
    client.say("hello")

    assert client.hear() == "hello"
    counters, hub = relay.counters, relay.server.hub
    assert (sum(counters.connections.values()), sum(counters.handshakes.values())) == (0, 0)
    assert relay.call(lambda: (dict(hub.rooms), sum(of.members for of in hub.templates.values()))) == ({}, 0)
    client.say_goodbye()
    assert client.read_goodbye() == (1000, "peer")
    relay.until(lambda: not relay.server.keep_alive)
    assert sum(relay.counters.disconnects.values()) == 0
    assert [record["event"] for record in relay.diary.read()] == []


def test_place_is_taken_and_given_back_as_any_client_s(serve: Serve) -> None:
    relay = serve("[limits]\nconnections_max = 1")

    client = relay.join(PATH, key_line(relay))
    turned_away = relay.ask()
    client.close()

    assert turned_away.status == 503
    relay.until(lambda: relay.server.canary.door.is_empty)
    assert relay.ask().status == 200


def without_id(answer: Answer) -> Answer:
    """Return an answer less the one thing in it that is each connection's own."""
    return answer._replace(headers={name: value for name, value in answer.headers.items() if name != "roomcast-id"})


def not_found(relay: Relay) -> Answer:
    return without_id(relay.ask(rfc6455_head("/-/nothing")))


@pytest.mark.parametrize("line", ["X: y", f"{KEY_HEADER}: wrong", f"{KEY_HEADER}: \xe9"])
def test_stranger_is_told_what_anybody_is_told_of_a_path_that_is_no_room_s(serve: Serve, line: str) -> None:
    relay = serve()

    assert without_id(relay.ask(rfc6455_head(PATH, line))) == not_found(relay)
    assert not_found(relay).status == 404


def test_key_opens_nothing_else_and_to_nobody_who_speaks_something_else(serve: Serve) -> None:
    relay = serve()
    line = key_line(relay)

    assert without_id(relay.ask(rfc6455_head(f"{PATH}/x", line))) == not_found(relay)
    assert relay.ask(get(PATH, line)).status == 404
    assert relay.ask(hixie76_head(PATH, line) + KEY3).status == 404


def test_room_of_its_own_is_out_of_reach_of_the_api(serve: Serve) -> None:
    relay = serve()
    relay.join(PATH, key_line(relay))

    listed = relay.ask_admin("/api/v1/rooms")
    members = relay.ask_admin(f"/api/v1/members?room={PATH}")

    assert (listed.status, listed.body.count(b"canary")) == (200, 0)
    assert members.status == 404


def test_key_is_in_no_line_of_the_log(serve: Serve) -> None:
    relay = serve()
    key = relay.server.canary.door.key

    relay.ask(get(PATH, key_line(relay)))

    assert len(key) >= 32
    assert relay.diary.wait_for("refused")["path"] == PATH
    assert key not in str(relay.diary.read())


def test_what_is_left_at_the_end_of_a_relay_is_cut(serve: Serve) -> None:
    relay = serve()
    client = relay.join(PATH, key_line(relay))

    relay.ask_to_stop()
    relay.wait_for_end()

    assert client.wire.read_to_end() == b""
