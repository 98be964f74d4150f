from __future__ import annotations

import base64
import json
from itertools import count
from typing import Any

import pytest

from roomcast.api.history import PIECE_BYTES, read_history
from roomcast.api.models import MessagesQuery
from roomcast.api.turns import Slices
from roomcast.relay.message import Kind
from tests.api.calls import BINARY, TAKES_TOKENS, WITH_KEY, Caller, shown
from tests.running import Relay, Serve
from tests.transport.rooms import rooms

LOBBY = "/rooms/lobby"


@pytest.fixture
def relay(serve: Serve) -> Relay:
    return serve(WITH_KEY + rooms(history_messages=3))


@pytest.fixture
def caller(relay: Relay) -> Caller:
    return Caller(relay)


def texts(told: Any) -> list[str]:
    return [message["text"] for message in told["messages"]]


def test_message_is_told_with_its_author_and_its_time(relay: Relay, caller: Caller) -> None:
    ada, bob = relay.join(), relay.join()
    ada.say("from a member")
    assert bob.hear() == "from a member"
    caller.say(b"\xff", kind=BINARY)

    told = caller.get("messages", room=LOBBY).json

    epoch = relay.call(lambda: relay.server.hub.epoch)
    first, second = told["messages"]
    assert (told["epoch"], told["head"], told["gap"], told["next"]) == (epoch, 2, None, f"{epoch}:2")
    assert first.pop("time_ms") <= second.pop("time_ms")
    assert first == {"offset": 1, "from": f"{epoch}.1", "text": "from a member"}
    assert second == {"offset": 2, "from": None, "base64": base64.b64encode(b"\xff").decode()}


def test_author_is_told_by_whom_its_token_names(serve: Serve) -> None:
    relay = serve(WITH_KEY + TAKES_TOKENS + rooms(history_messages=1, access="token"))
    alice, bob = (relay.join(LOBBY, shown(sub=subject)) for subject in ("alice", "bob"))
    alice.say("hello")
    assert bob.hear() == "hello"

    [message] = Caller(relay).get("messages", room=LOBBY).json["messages"]

    assert (message["subject"], message["text"]) == ("alice", "hello")


def test_pages_follow_each_other_and_then_what_is_new(caller: Caller) -> None:
    for text in ("one", "two", "three"):
        caller.say(text)

    first = caller.get("messages", room=LOBBY, limit=2).json
    second = caller.get("messages", room=LOBBY, limit=2, after=first["next"]).json
    nothing = caller.get("messages", room=LOBBY, after=second["next"]).json
    caller.say("four")
    news = caller.get("messages", room=LOBBY, after=nothing["next"]).json

    assert [texts(page) for page in (first, second, nothing, news)] == [["one", "two"], ["three"], [], ["four"]]
    assert [page["gap"] for page in (first, second, nothing, news)] == [None] * 4


def test_what_is_not_kept_any_more_is_a_gap(caller: Caller) -> None:
    position = f"{caller.say('one').json['epoch']}:1"
    for text in ("two", "three", "four", "five"):
        caller.say(text)

    told = caller.get("messages", room=LOBBY, after=position).json

    assert (told["gap"], texts(told)) == ("offset", ["three", "four", "five"])
    # Without a position nobody has missed anything.
    assert caller.get("messages", room=LOBBY).json["gap"] is None


@pytest.mark.parametrize(("position", "gap"), [("elsewhere:1", "epoch"), ("{epoch}:9", "offset")])
def test_position_that_was_never_handed_out_here_is_a_gap(caller: Caller, position: str, gap: str) -> None:
    epoch = caller.say("one").json["epoch"]

    told = caller.get("messages", room=LOBBY, after=position.format(epoch=epoch)).json

    assert (told["gap"], texts(told)) == (gap, ["one"])


def test_room_that_is_not_open_keeps_nothing_and_nobody_is_told_that_nothing_was_said(caller: Caller) -> None:
    epoch = caller.say("elsewhere", "/rooms/other").json["epoch"]

    told = caller.get("messages", room=LOBBY).json
    later = caller.get("messages", room=LOBBY, after=f"{epoch}:1").json

    assert told == {"epoch": epoch, "head": None, "gap": None, "messages": [], "next": None}
    assert later == told | {"gap": "offset"}


def test_template_without_history_keeps_nothing(serve: Serve) -> None:
    relay = serve(WITH_KEY + rooms())
    caller, ada = Caller(relay), relay.join()
    epoch = caller.say("one").json["epoch"]
    assert ada.hear() == "one"

    told = caller.get("messages", room=LOBBY, after=f"{epoch}:0").json

    assert (told["head"], told["gap"], told["messages"], told["next"]) == (1, "offset", [], f"{epoch}:1")
    assert caller.get("messages", room=LOBBY, after=f"{epoch}:1").json["gap"] is None


def test_page_ends_before_it_grows_too_large(serve: Serve) -> None:
    limits = {"message_max_bytes": 600_000, "history_max_bytes": 4_194_304}
    room = {"pending_max_bytes": 4_194_304, "lag_max_bytes": 8_388_608}
    caller = Caller(serve(WITH_KEY + rooms(history_messages=5, **limits, **room)))
    for _ in range(4):
        assert caller.say("x" * 600_000).status == 200

    first = caller.get("messages", room=LOBBY).json
    second = caller.get("messages", room=LOBBY, after=first["next"]).json

    assert [message["offset"] for message in first["messages"] + second["messages"]] == [1, 2, 3, 4]
    assert len(first["messages"]) == 2


def test_page_ends_by_what_it_takes_to_write_it(serve: Serve) -> None:
    limits = {"message_max_bytes": 300_000, "history_max_bytes": 1_048_576}
    caller = Caller(serve(WITH_KEY + rooms(history_messages=5, **limits)))
    for _ in range(3):
        # JSON makes six bytes of each.
        assert caller.say(b"\x00" * 100_000).status == 200

    assert len(caller.get("messages", room=LOBBY).json["messages"]) == 2


@pytest.mark.parametrize("size_bytes", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 2])
def test_message_of_many_pieces_is_told_as_it_was_said(serve: Serve, size_bytes: int) -> None:
    limits = {"message_max_bytes": 300_000, "history_max_bytes": 1_048_576}
    caller = Caller(serve(WITH_KEY + rooms(history_messages=2, **limits)))
    text = ('a"\\\x00é€😀' * size_bytes)[: size_bytes // 3]
    caller.say(text)
    caller.say(text.encode()[:size_bytes].ljust(size_bytes, b"\xff"), kind=BINARY)

    first, second = caller.get("messages", room=LOBBY).json["messages"]

    assert first["text"] == text
    assert base64.b64decode(second["base64"]) == text.encode()[:size_bytes].ljust(size_bytes, b"\xff")


def test_others_have_their_turn_between_pieces_and_the_page_is_of_its_beginning(relay: Relay, caller: Caller) -> None:
    caller.say("one")
    caller.say("two")
    pauses: list[None] = []

    def read() -> bytes:
        hub = relay.server.hub

        def pause() -> None:
            pauses.append(None)
            room = hub.rooms[LOBBY]
            hub.publish_to(LOBBY, room.rules, room.counters, Kind.TEXT, b"meanwhile")

        slices = Slices(clock=count().__next__, pause=pause)
        return read_history(hub, MessagesQuery(room=LOBBY), slices)

    told = json.loads(relay.call(read))

    assert len(pauses) >= 2
    assert (told["head"], texts(told), told["next"]) == (2, ["one", "two"], f"{told['epoch']}:2")


@pytest.mark.parametrize(
    "query", [{"after": "1"}, {"after": "a:-1"}, {"limit": 0}, {"limit": 1001}, {"limit": "many"}, {"since": "1s"}]
)
def test_query_that_is_none_is_400_and_not_quoted(caller: Caller, query: dict[str, object]) -> None:
    told = caller.get("messages", room=LOBBY, **query)

    assert told.status == 400
    assert "many" not in told.detail
