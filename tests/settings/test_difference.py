"""What changes between two configurations: nothing is left out, nothing is made up, and no secret is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.settings import Loaded, Settings
from roomcast.settings.difference import (
    AT_START,
    CHANGES_SHOWN,
    VALUE_MAX_CHARS,
    Change,
    difference,
    in_words,
    restart_keys,
)
from roomcast.settings.keys import KEYS

KEY = "0123456789abcdef0123456789abcdef"

ROOMS = st.lists(
    st.builds(
        lambda name, echo: {"name": name, "path": f"/{name}/{{x}}", "echo": echo},
        st.sampled_from("abcd"),
        st.booleans(),
    ),
    unique_by=lambda room: room["name"],
)
CONFIGURATIONS = st.builds(
    lambda demo, drain_s, allow, rooms: Settings(
        server={"demo": demo, "drain_s": drain_s}, origins={"allow": allow}, rooms=rooms
    ),
    st.booleans(),
    st.integers(0, 60),
    st.lists(st.sampled_from(["https://a.example", "https://b.example"]), unique=True),
    ROOMS,
)


def loaded(secrets: frozenset[str] = frozenset(), **values: Any) -> Loaded:
    return Loaded(Settings(**values), secrets=secrets)


@given(CONFIGURATIONS)
def test_nothing_differs_from_itself(settings: Settings) -> None:
    assert difference(Loaded(settings), Loaded(settings)) == []


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_the_way_back_changes_the_same_keys_with_the_values_exchanged(one: Settings, other: Settings) -> None:
    forth, back = difference(Loaded(one), Loaded(other)), difference(Loaded(other), Loaded(one))

    assert [change.key for change in forth] == [change.key for change in back]
    valued = [(change.old, change.new) for change in forth if None not in (change.old, change.new)]
    assert valued == [(change.new, change.old) for change in back if None not in (change.old, change.new)]


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_settings_that_differ_in_more_than_order_differ_in_a_key(one: Settings, other: Settings) -> None:
    def unordered(settings: Settings) -> Any:
        return settings.server, settings.origins, {room.name: room for room in settings.rooms}

    assert bool(difference(Loaded(one), Loaded(other))) == (unordered(one) != unordered(other))


def test_values_are_told_as_the_file_writes_them() -> None:
    [change] = difference(loaded(), loaded(server={"drain_s": 60}))

    assert change == Change("server.drain_s", "8", "60")
    assert str(change) == "server.drain_s: 8 -> 60"


@pytest.mark.parametrize("section", [{"admin": {"api_key": KEY}}, {"tokens": {"secret": KEY}}])
def test_secret_is_only_said_to_have_changed(section: dict[str, Any]) -> None:
    [change] = difference(loaded(), loaded(**section))

    assert str(change).endswith(": changed")
    assert KEY not in str(change)


def test_what_came_from_a_secret_or_goes_into_one_is_not_told_either() -> None:
    before = loaded(frozenset({"origins.allow", "rooms[0].echo"}), origins={"allow": ["https://hidden.example"]})
    after = loaded(rooms=[{"name": "rooms", "path": "/hidden/{x}"}])

    assert [str(change) for change in difference(before, after)] == [
        "origins.allow: changed",
        "rooms.rooms.path: changed",
    ]


def test_template_is_known_by_its_name() -> None:
    one, other = {"name": "a", "path": "/a/{x}"}, {"name": "b", "path": "/b/{x}"}

    changes = difference(
        loaded(rooms=[one, other]), loaded(rooms=[other | {"message_max_bytes": 9}, one | {"name": "c"}])
    )

    assert in_words(changes) == [
        "rooms.a: removed",
        "rooms.b.message_max_bytes: as limits.message_max_bytes -> 9",
        "rooms.c: added",
    ]


def test_keys_that_only_a_start_can_take_are_known() -> None:
    assert set(KEYS) >= AT_START
    after = loaded(server={"port": 1, "demo": True}, log={"format": "json"})

    assert restart_keys(difference(loaded(), after)) == ["log.format", "server.port"]


def test_path_of_a_certificate_may_change_and_that_there_is_one_may_not() -> None:
    one, other = ({"certificate": name, "key": name} for name in ("one", "other"))

    assert restart_keys(difference(loaded(tls=one), loaded(tls=other))) == []
    assert restart_keys(difference(loaded(), loaded(tls=one))) == ["tls.certificate", "tls.key"]
    assert restart_keys(difference(loaded(tls=one), loaded())) == ["tls.certificate", "tls.key"]


@pytest.mark.parametrize(("more", "shown"), [(0, CHANGES_SHOWN), (1, CHANGES_SHOWN + 1)])
def test_line_of_the_log_is_bounded(more: int, shown: int) -> None:
    words = in_words([Change(str(number), "a", "b") for number in range(CHANGES_SHOWN + more)])

    assert len(words) == shown
    assert (words[-1] == "and 1 more") is bool(more)


def test_long_value_is_cut() -> None:
    [change] = difference(loaded(), loaded(server={"hosts": [f"h{number}.example" for number in range(99)]}))

    assert len(change.new or "") == VALUE_MAX_CHARS + 1
