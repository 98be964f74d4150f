"""``/api/v1/why``: what is told of those who were refused or closed, and of those who were not."""

from __future__ import annotations

import pytest

from tests.api.calls import WITH_KEY, Caller
from tests.running import Relay, Serve, settings
from tests.transport.rooms import LOBBY, rooms, stall
from tests.wire import get

PAGE = "Origin: https://evil.example"


@pytest.fixture
def relay(serve: Serve) -> Relay:
    return serve(WITH_KEY + rooms(lag_max_bytes=131_072, pending_max_bytes=65_536))


@pytest.fixture
def caller(relay: Relay) -> Caller:
    return Caller(relay)


def id_of(relay: Relay, number: int) -> str:
    return f"{relay.call(lambda: relay.server.hub.epoch)}.{number}"


def test_refusal_is_told_with_what_to_change(relay: Relay, caller: Caller) -> None:
    relay.ask(get(LOBBY, PAGE))

    [told] = caller.get("why", of="https://evil.example").json["endings"]

    assert (told["kind"], told["reason"], told["code"], told["room"]) == ("refused", "origin", 403, LOBBY)
    assert told["message"] == "origin https://evil.example may not enter: not same_origin, not in allow"
    assert told["hint"] == 'add "https://evil.example" to [origins] allow'
    assert (told["id"], told["address"]) == (id_of(relay, 1), "127.0.0.1")
    # As the log says when.
    logged_s = relay.diary.wait_for("refused")["timestamp"]
    assert abs(told["time_ms"] / 1000 - logged_s) < 1


def test_close_is_told_with_age_and_bytes(relay: Relay, caller: Caller) -> None:
    client = relay.join()
    client.say("hello")
    client.close()
    relay.until(relay.is_empty)

    [told] = caller.get("why", of=id_of(relay, 1)).json["endings"]

    assert (told["kind"], told["reason"], told["code"], told["room"]) == ("closed", "gone", None, LOBBY)
    assert (told["template"], told["dialect"], told["behind_messages"]) == ("rooms", "rfc6455", None)
    assert told["sent_bytes"] > 100
    assert told["received_bytes"] > 100
    assert 0 <= told["age_s"] < 60
    assert "hello" not in str(told)


def test_laggard_is_told_how_far_it_was_behind(relay: Relay, caller: Caller) -> None:
    publisher = relay.join()
    stalled, sent = stall(relay, publisher)
    assert caller.get("why", of=id_of(relay, 2)).json["connected"][0]["behind_messages"] >= 1
    while not relay.server.counters.disconnects["rfc6455", "lagging"]:
        publisher.say("x" * 16_384)

    [told] = caller.get("why", of=id_of(relay, 2)).json["endings"]

    assert (told["reason"], told["limit"]) == ("lagging", "lag_max_bytes")
    assert told["behind_messages"] > 4
    assert told["behind_bytes"] > 65_536
    assert sent
    stalled.close()


def test_connection_that_has_not_ended_is_told_to_be_there(relay: Relay, caller: Caller) -> None:
    relay.join()

    told = caller.get("why", of=id_of(relay, 1)).json

    [here] = told["connected"]
    assert (told["endings"], told["connected_count"]) == ([], 1)
    assert (here["id"], here["room"], here["behind_messages"]) == (id_of(relay, 1), LOBBY, None)


def test_those_of_an_address_are_told_who_are_still_there(relay: Relay, caller: Caller) -> None:
    relay.join(), relay.join("/rooms/kitchen"), relay.stream()

    told = caller.get("why", of="127.0.0.1", limit=2).json

    assert [one["room"] for one in told["connected"]] == [LOBBY, LOBBY]
    assert {one["address"] for one in told["connected"]} == {"127.0.0.1"}
    assert told["connected_count"] == 3
    assert caller.get("why", of="127.0.0.2").json["connected_count"] == 0


def test_those_of_a_network_are_told_where_no_more_than_that_is_to_be_known(serve: Serve) -> None:
    relay = serve(WITH_KEY + '[log]\naddresses = "truncated"\n')
    relay.join()

    for asked in ("127.0.0.9", "127.0.0.0/24"):
        [here] = Caller(relay).get("why", of=asked).json["connected"]
        assert here["address"] == "127.0.0.0/24"


def test_of_a_page_nobody_is_told_who_is_still_there(relay: Relay, caller: Caller) -> None:
    relay.join()

    assert caller.get("why", of="http://127.0.0.1").json["connected_count"] == 0


def test_endings_of_an_address_come_the_newest_first(relay: Relay, caller: Caller) -> None:
    for path in ("/a", "/b", "/c"):
        relay.ask(get(path))

    told = caller.get("why", of="127.0.0.1", limit=2).json

    assert [one["room"] for one in told["endings"]] == ["/c", "/b"]
    assert told["max_age_s"] == 3600


@pytest.mark.parametrize("asked", ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1"])
def test_address_is_found_however_it_is_written(relay: Relay, caller: Caller, asked: str) -> None:
    relay.ask(get("/a"))

    assert [one["room"] for one in caller.get("why", of=asked).json["endings"]] == ["/a"]


@pytest.mark.parametrize("asked", ["https://evil.example/", "HTTPS://Evil.Example", "https://evil.example:443"])
def test_origin_is_found_however_it_was_copied(relay: Relay, caller: Caller, asked: str) -> None:
    relay.ask(get(LOBBY, PAGE))

    assert len(caller.get("why", of=asked).json["endings"]) == 1


def test_what_is_no_origin_does_not_find_all_that_were_none(relay: Relay, caller: Caller) -> None:
    relay.ask(get(LOBBY, "Origin: https://a b"))

    assert caller.get("why", of="evil").json["endings"] == []
    assert len(caller.get("why", of="malformed").json["endings"]) == 1


def test_full_address_finds_what_was_truncated(serve: Serve) -> None:
    relay = serve(WITH_KEY + '[log]\naddresses = "truncated"\n')
    relay.ask(get("/nothing"))

    [told] = Caller(relay).get("why", of="127.0.0.9").json["endings"]

    assert told["address"] == "127.0.0.0/24"
    assert Caller(relay).get("why", of=told["address"]).json["endings"][0]["id"] == told["id"]


def test_no_address_is_found_where_none_is_kept(serve: Serve) -> None:
    caller = Caller(serve(WITH_KEY + '[log]\naddresses = "none"\n'))

    assert "[log] addresses" in caller.get("why", of="127.0.0.1").detail


def test_record_may_be_switched_off_and_on_by_a_reload(serve: Serve) -> None:
    relay = serve(WITH_KEY + "record_entries = 0\n")
    caller = Caller(relay)
    relay.ask(get("/a"))
    assert caller.get("why", of="127.0.0.1").json["endings"] == []

    relay.reload(settings(WITH_KEY + "record_entries = 10\n"))
    relay.ask(get("/b"))

    assert [one["room"] for one in caller.get("why", of="127.0.0.1").json["endings"]] == ["/b"]
