"""Rules that change under a room: what was made with it stays."""

from __future__ import annotations

from roomcast.relay.rules import RoomRules


def test_what_can_change_changes() -> None:
    new = RoomRules(echo=True, members_max=5, history_messages=7)

    assert new.after(RoomRules(history_messages=3)) == new


def test_presence_stays_as_it_was_when_the_room_was_opened() -> None:
    rules = RoomRules(presence=True, presence_interval_s=5).after(RoomRules())

    assert (rules.presence, rules.presence_interval_s) == (False, 1.0)


def test_history_is_neither_begun_nor_given_up_in_a_room_that_is_open() -> None:
    kept = RoomRules(history_messages=5, history_max_bytes=1 << 21)

    assert RoomRules(lag_max_bytes=8192).after(kept) == kept
    assert kept.after(RoomRules()).history_messages == 0
