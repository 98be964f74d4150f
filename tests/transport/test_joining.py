"""From a "yes" to a member: where it begins, what it hears first, and what it is told that it missed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import LOBBY, ended, rooms
from tests.wire import TEXT, Client, Goodbye, frame, rfc6455_head

KEEPING = rooms(history_messages=100)


def publish(relay: Relay, *texts: str) -> None:
    """Let somebody say these in the lobby, and leave it when all of them are served."""
    hub = relay.server.hub
    heads = relay.call(lambda: [room.log.head for room in hub.rooms.values()])
    publisher = relay.join()
    for text in texts:
        publisher.say(text)
    relay.until(lambda: hub.rooms[LOBBY].at == sum(heads) + len(texts))
    publisher.close()


def position(relay: Relay, offset: int) -> str:
    return f"{relay.server.hub.epoch}:{offset}"


@OVER_TLS_TOO
def test_newcomer_hears_the_greeting_then_what_it_asked_for_then_what_comes(serve: Serve) -> None:
    relay = serve(rooms(history_messages=100, greeting="welcome"))
    publish(relay, "one", "two", "three")

    ada = relay.join(f"{LOBBY}?history=2")
    early = [ada.hear() for _ in range(3)]
    relay.join().say("four")

    assert (early, ada.hear()) == (["welcome", "two", "three"], "four")


@pytest.mark.parametrize("join", [Relay.join, Relay.join_hixie76])
def test_either_dialect_goes_on_where_it_had_been(serve: Serve, join: Callable[[Relay, str], Client]) -> None:
    relay = serve(KEEPING)
    publish(relay, "one", "two", "three")

    ada = join(relay, f"{LOBBY}?since={position(relay, 1)}")

    assert [ada.hear(), ada.hear()] == ["two", "three"]
    assert relay.metric('roomcast_resumes_total{outcome="resumed",template="rooms"}') == 1


def test_newcomer_goes_back_by_time(serve: Serve) -> None:
    relay = serve(KEEPING)
    relay.call(lambda: setattr(relay.server.hub.rooms, "_forgotten_s", 0.0))
    publish(relay, "one")

    ada = relay.join(f"{LOBBY}?since=3600s")

    assert ada.hear() == "one"


def test_gap_is_4410_behind_the_101_and_no_message_comes_before_it(serve: Serve) -> None:
    relay = serve(rooms(history_messages=100, greeting="welcome"))
    publish(relay, "one")

    ada = relay.join(f"{LOBBY}?since=another7:1")

    assert ada.hear() == "welcome"
    assert ada.read_goodbye() == Goodbye(4410, "gap since=epoch")
    ada.close()
    ended(relay, "gap")
    assert relay.metric('roomcast_resumes_total{outcome="epoch",template="rooms"}') == 1


def test_gap_is_a_bare_goodbye_where_there_are_no_codes(serve: Serve) -> None:
    relay = serve(KEEPING)
    publish(relay, "one")

    old = relay.join_hixie76(f"{LOBBY}?since={position(relay, 2)}")

    old.read_goodbye()
    old.close()
    ended(relay, "gap", "hixie76")


def test_who_may_miss_something_goes_on_with_all_that_there_is(serve: Serve) -> None:
    relay = serve(rooms(history_messages=2))
    publish(relay, "one", "two", "three")

    ada = relay.join(f"{LOBBY}?since={position(relay, 0)}&gap=ok")

    assert [ada.hear(), ada.hear()] == ["two", "three"]
    assert relay.metric('roomcast_resumes_total{outcome="offset",template="rooms"}') == 1


def test_room_that_keeps_nothing_tells_who_comes_back_that_there_is_a_gap(serve: Serve) -> None:
    relay = serve(rooms())

    ada = relay.join(f"{LOBBY}?since=30s")

    assert ada.read_goodbye() == Goodbye(4410, "gap since=time")


def test_wish_that_cannot_be_read_is_400_with_the_rule(serve: Serve) -> None:
    relay = serve(KEEPING)

    answer = relay.ask(rfc6455_head(f"{LOBBY}?since=yesterday"))

    assert answer.status == 400
    assert b"since is epoch:offset" in answer.body
    assert relay.counters.handshakes["rfc6455", "malformed"] == 1


def test_first_words_that_came_with_the_request_are_said_behind_what_is_asked_for(serve: Serve) -> None:
    relay = serve(rooms(history_messages=100, echo=True))
    publish(relay, "one")

    with relay.connect() as wire:
        wire.send(rfc6455_head(f"{LOBBY}?history=5") + frame(TEXT, b"two"))
        wire.read_until(b"\r\n\r\n")
        assert wire.read(10) == b"\x81\x03one\x81\x03two"


def test_member_that_ended_is_remembered_as_an_author_and_holds_nothing_else(serve: Serve) -> None:
    relay = serve(KEEPING)
    publish(relay, "one")
    relay.until(lambda: not relay.server.hub.rooms[LOBBY].member_count)

    [said] = relay.call(lambda: relay.server.hub.rooms[LOBBY].log.after(0, 5))

    assert said.sender is not None
    assert said.sender.id == f"{relay.server.hub.epoch}.1"
    assert said.sender.subject is None
