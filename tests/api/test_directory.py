from __future__ import annotations

import pytest
from falcon import HTTPBadRequest, HTTPNotFound

from roomcast.api.directory import Directory, Terms
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.rules import RoomRules

TERMS = Terms("rooms", RoomRules(), TemplateCounters("rooms"), 0, 0, 0)


def test_terms_are_found_by_the_name_of_a_room() -> None:
    directory = Directory(lambda room: TERMS if room == "/rooms/a b" else None)

    assert directory.find("/rooms/a b") is TERMS
    with pytest.raises(HTTPNotFound):
        directory.find("/rooms/a%20b")


def test_name_that_is_none_is_never_looked_up() -> None:
    def fail(_: str) -> Terms:
        raise AssertionError("it was looked up")

    with pytest.raises(HTTPBadRequest) as caught:
        Directory(fail).find("/rooms//a")

    assert caught.value.description == 'room: a room name has no segment ""'
