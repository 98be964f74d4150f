"""What members share, and what is left when one has gone: nothing but a count and a line."""

from __future__ import annotations

import pytest

from roomcast.transport.answers import Page
from tests.running import Serve
from tests.transport.entrance import Entrance, FailingClock, entrance
from tests.transport.rooms import LOBBY, rooms
from tests.transport.test_json_member import JSON, JsonClient
from tests.wire import BINARY, CLOSE, Rfc6455Client, frame, get, shake_hands_hixie76, shake_hands_rfc6455


def check_turned_away(door: Entrance, address: str, count: int) -> None:
    with door.visit(address) as wire:
        wire.send(get())
        answer = wire.read_answer()
    assert (answer.status, answer.body) == (429, b"connections_per_address is reached\n")
    assert answer.headers["retry-after"] == "5"
    assert door.counters.handshakes["none", "address_limit"] == count
    assert door.counters.limit_hits["connections_per_address", "refused"] == count
    assert door.diary.wait_for("refused", status=429, address=address)["outcome"] == "address_limit"


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [
        ("198.51.100.7", "198.51.100.7", "198.51.100.8"),
        ("198.51.100.7", "::ffff:198.51.100.7", "::ffff:198.51.100.8"),
        ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"),
    ],
)
def test_too_many_connections_of_one_address_are_told_to_come_later(
    serve: Serve, first: str, same: str, other: str
) -> None:
    relay = serve()
    with entrance(relay, connections_per_address=2) as door:
        ada = shake_hands_rfc6455(door.visit(first), LOBBY)
        bob = shake_hands_hixie76(door.visit(same), LOBBY)

        check_turned_away(door, same, 1)
        check_turned_away(door, first, 2)

        # Another's limit is its own, and a place that is given back is free.
        cai = shake_hands_rfc6455(door.visit(other), LOBBY)
        bob.close()
        relay.until(lambda: door.places.connections == 2)
        dan = shake_hands_rfc6455(door.visit(first), LOBBY)
        dan.say("hello")
        assert ada.hear() == cai.hear() == "hello"


def test_address_with_slow_heads_keeps_no_other_out(serve: Serve) -> None:
    relay = serve()
    with entrance(relay, handshakes_per_address=2) as door:
        members = [shake_hands_rfc6455(door.visit("198.51.100.7"), LOBBY) for _ in range(3)]
        slow = [door.visit("198.51.100.7") for _ in range(2)]
        slow[0].send(b"GET / HT")

        with door.visit("198.51.100.7") as wire:
            answer = wire.read_answer()
        assert (answer.status, answer.body) == (429, b"handshakes_per_address is reached\n")
        assert answer.headers["retry-after"] == "5"
        assert door.counters.limit_hits["handshakes_per_address", "refused"] == 1

        # Neither another address nor its own members notice; and what ends gives its place back.
        assert shake_hands_rfc6455(door.visit("198.51.100.8"), LOBBY)
        members[0].say("hello")
        assert members[1].hear() == "hello"
        slow[1].close()
        relay.until(lambda: door.places.handshakes == 1)
        assert shake_hands_rfc6455(door.visit("198.51.100.7"), LOBBY)


def test_visitor_who_does_not_become_a_member_gives_its_place_back(serve: Serve) -> None:
    relay = serve()
    with entrance(relay, connections_per_address=1) as door:
        for _ in range(3):
            with door.visit("198.51.100.7") as wire:
                wire.send(get())
                assert wire.read_answer().status == 200
            relay.until(lambda: door.places.connections == 0)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "100.64.0.1", ""])
def test_peers_that_are_proxies_are_not_counted(serve: Serve, address: str) -> None:
    with entrance(serve(), connections_per_address=1) as door:
        assert [shake_hands_rfc6455(door.visit(address), LOBBY) for _ in range(3)]


# --- which connection it is


def test_close_frame_names_the_connection_as_the_welcome_and_the_log_do(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1))
    raw, talker = relay.join(), relay.join(LOBBY, JSON)
    welcome = JsonClient(talker).welcome

    for client in (raw, talker):
        for _ in range(3):
            client.say('{"type":"publish","text":"a"}')
        reason = last_words(client)
        assert reason.startswith("rate limit=messages_per_s id=")
        joined, left = (relay.diary.wait_for(event, id=reason.rpartition("id=")[2]) for event in ("joined", "left"))
        assert (joined["room"], left["reason"]) == (LOBBY, "rate")
    assert reason.endswith(f" id={welcome['id']}")


def last_words(client: Rfc6455Client) -> str:
    while (got := client.read_frame()).opcode != CLOSE:
        pass
    client.close()
    return got.payload[2:].decode()


# --- faults of ours


def test_fault_of_ours_in_a_handshake_is_500_and_says_where_but_not_what(serve: Serve) -> None:
    page = Page(b"", (("X-Broken", "two\r\nlines s3cr3t"),))
    with entrance(serve(), page=page) as door:
        with door.visit("") as wire:
            wire.send(get())
            answer = wire.read_answer()

        assert (answer.status, answer.body) == (500, b"a fault of the relay's own\n")
        assert door.counters.handshakes["none", "internal"] == 1
        record = door.diary.wait_for("internal fault", error="ValueError")
        assert "entry.py" in record["where"]
        door.diary.wait_for("refused", status=500)
        assert "s3cr3t" not in str(door.diary.read())


def test_fault_of_ours_in_a_member_is_1011_for_that_member_alone(serve: Serve) -> None:
    relay, clock = serve(), FailingClock()
    with entrance(relay, clock=clock) as door:
        ada, bob = (shake_hands_rfc6455(door.visit(""), LOBBY) for _ in range(2))

        # Behind the handshakes, which look at the clock too.
        relay.call(clock.fail_next)
        ada.say("what time is it?")

        assert ada.read_goodbye() == (1011, "internal")
        assert ada.wire.read_to_end() == b""
        record = door.diary.wait_for("internal fault", error="RuntimeError", dialect="rfc6455")
        assert "reading.py" in record["where"]
        assert "s3cr3t" not in str(door.diary.read())
        cai = shake_hands_rfc6455(door.visit(""), LOBBY)
        bob.say("still here")
        assert cai.hear() == "still here"


def test_fault_of_ours_in_a_member_that_cannot_be_told_ends_it_all_the_same(serve: Serve) -> None:
    relay, clock = serve(rooms()), FailingClock()
    with entrance(relay, clock=clock) as door:
        publisher = relay.join()
        stalled = shake_hands_rfc6455(door.visit(""), LOBBY)
        relay.until(lambda: relay.server.hub.templates["rooms"].members == 2)
        while relay.template().laggards == 0:
            publisher.wire.send(frame(BINARY, bytes(60_000)))

        relay.call(clock.fail_next)
        stalled.say("what time is it?")

        door.diary.wait_for("left", reason="internal")
        assert relay.template().members == 1


def test_visitor_who_is_turned_away_and_does_not_wait_for_it_is_counted_once(serve: Serve) -> None:
    with entrance(serve(), connections_per_address=1) as door:
        shake_hands_rfc6455(door.visit("198.51.100.7"), LOBBY)

        door.visit("198.51.100.7", is_gone=True)

        door.diary.wait_for("refused", status=429)
        assert {key: count for key, count in door.counters.handshakes.items() if count} == {
            ("rfc6455", "accepted"): 1,
            ("none", "address_limit"): 1,
        }
