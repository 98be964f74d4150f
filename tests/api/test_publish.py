from __future__ import annotations

import pytest
from falcon import HTTPBadRequest, HTTPContentTooLarge, HTTPError, HTTPServiceUnavailable, HTTPTooManyRequests

from roomcast.api.directory import Directory, Terms
from roomcast.api.keys import ROOT
from roomcast.api.models import Payload
from roomcast.api.publish import Draft, Publishing, json_draft, text_draft
from roomcast.api.rates import HolderRates
from roomcast.api.turns import Slices
from roomcast.relay.hub import Hub
from roomcast.relay.message import Kind
from roomcast.relay.rules import RoomRules
from tests.idle import idle_hub


def publishing(hub: Hub, *, is_ready: bool = True, message_max_bytes: int = 8, messages_per_s: int = 0) -> Publishing:
    counters = hub.add_template("rooms")
    terms = Terms("rooms", RoomRules(), counters, message_max_bytes, messages_per_s, 0)
    rates = HolderRates(clock=lambda: 0.0)
    return Publishing(hub, Directory(lambda room: terms), rates, is_ready=lambda: is_ready)


def text(room: str, payload: bytes = b"x") -> Draft:
    return Draft(room, Kind.TEXT, payload)


def test_message_gets_its_place_and_is_counted_by_its_template() -> None:
    hub = idle_hub()
    door = publishing(hub)

    told = door.publish(text("/a"), ROOT)
    door.publish(Draft("/a", Kind.BINARY, b""), ROOT)

    assert (door.epoch, told) == (hub.epoch, (1, 0))
    counters = hub.templates["rooms"]
    assert (counters.published_text, counters.published_binary, counters.received_text) == (1, 1, 0)


def test_what_is_wrong_with_a_message_is_said_before_what_is_so_now() -> None:
    door = publishing(idle_hub(), is_ready=False, message_max_bytes=1)

    with pytest.raises(HTTPContentTooLarge):
        door.publish(text("/a", b"xx"), ROOT)
    with pytest.raises(HTTPServiceUnavailable) as caught:
        door.publish(text("/a"), ROOT)

    assert caught.value.description == "the relay is starting or stopping"


def test_message_of_any_size_passes_where_there_is_no_limit() -> None:
    assert publishing(idle_hub(), message_max_bytes=0).publish(text("/a", b"x" * 100_000), ROOT).offset == 1


def test_room_that_cannot_be_opened_is_503_with_the_limit_that_says_so() -> None:
    hub = idle_hub(rooms_max=1)
    door = publishing(hub)
    keeping = Terms("rooms", RoomRules(history_messages=1), hub.add_template("rooms"), 0, 0, 0)
    hub.rooms.open("/full", RoomRules(), keeping.counters)

    with pytest.raises(HTTPServiceUnavailable) as caught:
        door.send(text("/a"), keeping)

    assert caught.value.description == "rooms_max is reached"
    # What nobody keeps needs no room.
    assert door.publish(text("/a"), ROOT).members == 0


def test_messages_are_counted_together_and_given_back_together() -> None:
    door = publishing(idle_hub(), messages_per_s=2)
    three, four, five = ([text("/a")] * count for count in (3, 4, 5))

    with pytest.raises(HTTPError, match="413"):
        door.check([*three, *(text("/b") for _ in range(5))], ROOT, Slices())
    assert door.check(four, ROOT, Slices()).keys() == {"/a"}
    with pytest.raises(HTTPTooManyRequests):
        door.check(three, ROOT, Slices())
    with pytest.raises(HTTPError, match="413"):
        door.check(five, ROOT, Slices())


def test_draft_of_a_text_is_utf_8() -> None:
    assert text_draft("/a", "é".encode()) == Draft("/a", Kind.TEXT, "é".encode())
    with pytest.raises(HTTPBadRequest, match="400"):
        text_draft("/a", b"\xff")


def test_draft_of_json_says_which_it_was_where_it_is_none() -> None:
    assert json_draft("/a", Payload(base64="QQ=="), "it") == Draft("/a", Kind.BINARY, b"A")
    with pytest.raises(HTTPBadRequest) as caught:
        json_draft("/a", Payload(), "messages[7]")

    assert caught.value.description == 'messages[7]: a message has either "text" or "base64"'
