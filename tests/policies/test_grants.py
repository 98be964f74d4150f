"""What a grant opens, and which claims make none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from roomcast.policies.grants import ROOMS_MAX, Action, Grant, TokenError, TokenFault, actions_of, room_patterns


def grant(*rooms: str, actions: Sequence[str] = ("subscribe",)) -> Grant:
    return Grant("alice", room_patterns(rooms), actions_of(actions), 2.0, 1.0)


@pytest.mark.parametrize(
    ("rooms", "room", "is_opened"),
    [
        (["/rooms/lobby"], "/rooms/lobby", True),
        (["/rooms/lobby"], "/rooms/lobb", False),
        (["/rooms/{room}"], "/rooms/lobby", True),
        (["/rooms/{room}"], "/rooms/lobby/a", False),
        (["/rooms/{rest...}"], "/rooms/lobby/a", True),
        (["/a/{x}/b", "/a/b/{x}"], "/a/b/b", True),
        (["/desks/7", "/rooms/{room}"], "/rooms/lobby", True),
        ([], "/rooms/lobby", False),
    ],
)
def test_grant_opens_the_rooms_that_one_of_its_patterns_matches(rooms: list[str], room: str, is_opened: bool) -> None:
    assert grant(*rooms).opens(room) is is_opened


@pytest.mark.parametrize("path", [7, None, "", "rooms/lobby", "/", "/-/ready", "/{all...}", "/rooms/room-{x}", "/a//b"])
def test_path_that_no_room_can_have_makes_the_token_useless(path: object) -> None:
    with pytest.raises(TokenError, match=r"^number 2 in its claim rooms is no path or pattern of rooms$") as raised:
        room_patterns(["/rooms/lobby", path])

    assert raised.value.fault is TokenFault.CLAIMS


def test_as_many_rooms_as_there_may_be_are_read_and_one_more_is_refused() -> None:
    assert len(room_patterns([f"/rooms/{number}" for number in range(ROOMS_MAX)])) == ROOMS_MAX

    with pytest.raises(TokenError, match="101 entries, and 100 are allowed"):
        room_patterns(["/rooms/lobby"] * (ROOMS_MAX + 1))


@pytest.mark.parametrize(
    ("actions", "may_subscribe", "may_publish"),
    [
        ([], False, False),
        (["subscribe"], True, False),
        (["publish"], False, True),
        (["publish", "subscribe", "publish"], True, True),
    ],
)
def test_actions_are_what_may_be_done(actions: list[str], may_subscribe: bool, may_publish: bool) -> None:
    given = grant("/rooms/lobby", actions=actions)

    assert (given.may_subscribe, given.may_publish) == (may_subscribe, may_publish)


@pytest.mark.parametrize("word", ["Publish", "", "admin", 1, None, ["publish"]])
def test_word_that_is_no_action_makes_the_token_useless(word: object) -> None:
    with pytest.raises(TokenError, match=r"^number 2 in its claim actions is neither subscribe nor publish$"):
        actions_of(["publish", word])


@pytest.mark.parametrize("is_open", [False, True])
def test_inside_a_bearer_may_do_what_it_could_and_in_an_open_room_what_anybody_may(is_open: bool) -> None:
    given = grant("/rooms/lobby", actions=["publish"]).inside(may_do_all=is_open)

    assert given.actions == (frozenset(Action) if is_open else {Action.PUBLISH})
    assert (given.subject, given.rooms, given.expires_s, given.issued_s) == ("alice", (), 2.0, 1.0)
