from __future__ import annotations

import pytest

from tests.api.calls import TAKES_TOKENS, WITH_KEY, Caller, shown
from tests.running import Relay, Serve
from tests.transport.rooms import rooms, stall

LOBBY = "/rooms/lobby"


@pytest.fixture
def relay(serve: Serve) -> Relay:
    return serve(WITH_KEY + rooms())


@pytest.fixture
def caller(relay: Relay) -> Caller:
    return Caller(relay)


def epoch(relay: Relay) -> str:
    return relay.call(lambda: relay.server.hub.epoch)


def test_members_are_told_as_they_are(relay: Relay, caller: Caller) -> None:
    relay.join()
    relay.join_hixie76()
    relay.join("/rooms/other")

    told = caller.get("members", room=LOBBY).json

    assert all(0 <= member.pop("age_s") < 60 for member in told["members"])
    assert told == {
        "members": [
            {"id": f"{epoch(relay)}.1", "subject": None, "dialect": "rfc6455", "laggard": False},
            {"id": f"{epoch(relay)}.2", "subject": None, "dialect": "hixie76", "laggard": False},
        ],
        "next": None,
    }


def test_laggard_is_told_to_be_one(relay: Relay, caller: Caller) -> None:
    stall(relay, relay.join())

    assert [member["laggard"] for member in caller.get("members", room=LOBBY).json["members"]] == [False, True]


def test_members_come_page_by_page_the_oldest_first(relay: Relay, caller: Caller) -> None:
    for _ in range(12):
        relay.join()

    ids: list[str] = []
    after: dict[str, object] = {}
    while True:
        page = caller.get("members", room=LOBBY, limit=5, **after).json
        ids += [member["id"] for member in page["members"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert ids == [f"{epoch(relay)}.{number}" for number in range(1, 13)]


def test_place_in_another_life_of_the_relay_is_before_all_of_this(relay: Relay, caller: Caller) -> None:
    relay.join()

    assert len(caller.get("members", room=LOBBY, after="elsewhere.7").json["members"]) == 1


def test_members_are_found_by_whom_their_tokens_name(serve: Serve) -> None:
    relay = serve(WITH_KEY + TAKES_TOKENS + rooms(access="token"))
    caller = Caller(relay)
    for subject in ("bob", "alice", "bob"):
        relay.join(LOBBY, shown(sub=subject))

    [member] = caller.get("members", room=LOBBY, subject="alice").json["members"]
    assert (member["id"], member["subject"]) == (f"{epoch(relay)}.2", "alice")
    assert caller.get("members", room=LOBBY, subject="carol").json["members"] == []


def test_room_that_is_not_open_has_no_members(caller: Caller) -> None:
    assert caller.get("members", room=LOBBY).json == {"members": [], "next": None}


@pytest.mark.parametrize(("room", "status"), [("/nowhere", 404), ("lobby", 400)])
def test_room_that_cannot_be_has_none_either(caller: Caller, room: str, status: int) -> None:
    assert caller.get("members", room=room).status == status


def test_member_is_sent_away_and_nobody_else(relay: Relay, caller: Caller) -> None:
    ada, bob = relay.join(), relay.join("/rooms/other")

    told = caller.delete(f"members/{epoch(relay)}.1")

    assert (told.status, told.json) == (200, {"members": 1})
    assert ada.read_goodbye() == (4403, "kicked")
    caller.say("still there?", "/rooms/other")
    assert bob.hear() == "still there?"


@pytest.mark.parametrize(
    "member_id", ["{epoch}.2", "elsewhere.1", "1", "%00", "{epoch}.1x", "{epoch}.01", "{epoch}." + "9" * 5_000]
)
def test_member_that_is_not_there_is_not_found(relay: Relay, caller: Caller, member_id: str) -> None:
    relay.join()

    assert caller.delete(f"members/{member_id.format(epoch=epoch(relay))}").status == 404


def test_member_that_was_sent_away_is_gone(relay: Relay, caller: Caller) -> None:
    ada = relay.join()
    caller.delete(f"members/{epoch(relay)}.1")
    ada.read_goodbye()

    assert caller.delete(f"members/{epoch(relay)}.1").status == 404
    assert caller.get("members", room=LOBBY).json["members"] == []


@pytest.mark.parametrize(("method", "path"), [("GET", "members"), ("DELETE", "members/a.1")])
def test_key_is_asked_for_before_anything_is_told(relay: Relay, method: str, path: str) -> None:
    assert Caller(relay, key="").call(method, path, "nonsense").status == 401
