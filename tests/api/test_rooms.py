from __future__ import annotations

import pytest

from tests.api.calls import WITH_KEY, Caller
from tests.running import Relay, Serve
from tests.transport.rooms import rooms, stall

LOBBY = "/rooms/lobby"


@pytest.fixture
def relay(serve: Serve) -> Relay:
    return serve(WITH_KEY + rooms(history_messages=2))


@pytest.fixture
def caller(relay: Relay) -> Caller:
    return Caller(relay)


def names(caller: Caller, **query: object) -> list[str]:
    return [room["name"] for room in caller.get("rooms", **query).json["rooms"]]


def test_room_says_how_it_is(relay: Relay, caller: Caller) -> None:
    relay.join()
    for text in ("one", "two", "three"):
        caller.say(text)

    told = caller.get("room", room=LOBBY).json

    assert told == {
        "name": LOBBY,
        "template": "rooms",
        "members": 1,
        "laggards": 0,
        "head": 3,
        "history_messages": 2,
        "history_bytes": 2 * 256 + len("twothree"),
    }


def test_laggards_of_a_room_are_counted(serve: Serve) -> None:
    relay = serve(WITH_KEY + rooms())
    stall(relay, relay.join())

    told = Caller(relay).get("room", room=LOBBY).json

    assert (told["members"], told["laggards"], told["history_messages"]) == (2, 1, 0)


def test_rooms_are_listed_by_name_page_by_page(caller: Caller) -> None:
    for name in ("b", "c", "a", "Z", "é"):
        caller.say("hello", f"/rooms/{name}")

    first = caller.get("rooms", limit=3).json
    second = caller.get("rooms", limit=3, after=first["next"]).json

    assert [room["name"] for room in first["rooms"]] == ["/rooms/Z", "/rooms/a", "/rooms/b"]
    assert [room["name"] for room in second["rooms"]] == ["/rooms/c", "/rooms/é"]
    assert (first["next"], second["next"]) == ("/rooms/b", None)


def test_rooms_are_found_by_how_their_names_begin(caller: Caller) -> None:
    for name in ("ab", "ac", "b"):
        caller.say("hello", f"/rooms/{name}")

    assert names(caller, prefix="/rooms/a") == ["/rooms/ab", "/rooms/ac"]
    assert names(caller, prefix="/rooms/a", after="/rooms/ab") == ["/rooms/ac"]
    assert names(caller, prefix="/x") == []


def test_empty_relay_has_no_rooms(caller: Caller) -> None:
    told = caller.get("rooms").json

    assert (told["rooms"], told["next"]) == ([], None)


def test_room_is_closed_with_its_members_and_what_it_keeps(relay: Relay, caller: Caller) -> None:
    ada, bob = relay.join(), relay.join_hixie76()
    caller.say("hello")
    assert ada.hear() == bob.hear() == "hello"

    told = caller.delete("room", room=LOBBY)

    assert (told.status, told.json) == (200, {"members": 2})
    assert ada.read_goodbye() == (4404, "room_closed")
    bob.read_goodbye()
    assert relay.join("/rooms/lobby?history=1").wire is not None
    assert caller.get("messages", room=LOBBY).json["messages"] == []


@pytest.mark.parametrize(("room", "status"), [(LOBBY, 404), ("/nowhere", 404), ("lobby", 400)])
def test_room_that_is_not_open_is_not_found(caller: Caller, room: str, status: int) -> None:
    assert caller.get("room", room=room).status == status
    assert caller.delete("room", room=room).status == status


@pytest.mark.parametrize(
    ("method", "path", "query"), [("GET", "rooms", "limit=0"), ("GET", "rooms", "offset=1"), ("DELETE", "room", "")]
)
def test_query_that_is_none_is_400(caller: Caller, method: str, path: str, query: str) -> None:
    assert caller.call(method, path, query).status == 400


@pytest.mark.parametrize(("method", "path"), [("GET", "rooms"), ("GET", "room"), ("DELETE", "room")])
def test_key_is_asked_for_before_anything_is_told(relay: Relay, method: str, path: str) -> None:
    assert Caller(relay, key="").call(method, path, "nonsense").status == 401
