"""The names of settings, and what to say of a name that is none."""

import pytest

from roomcast.settings.keys import HIDDEN_KEYS, KEYS, NAMES, around, did_you_mean, dotted, table_of


def test_key_has_one_name_in_the_environment() -> None:
    assert NAMES["ROOMCAST_LIMITS__MESSAGE_MAX_BYTES"] == "limits.message_max_bytes"
    assert NAMES["ROOMCAST_ROOMS"] == "rooms"


def test_every_key_has_a_name() -> None:
    assert sorted(NAMES.values()) == sorted(KEYS)


def test_everything_in_a_nested_mapping_has_a_key() -> None:
    values = {"server": {"port": 1}, "rooms": [{"name": "a", "origins": {"allow": ["x"]}}]}

    assert list(dotted(values)) == [
        "server",
        "server.port",
        "rooms",
        "rooms[0]",
        "rooms[0].name",
        "rooms[0].origins",
        "rooms[0].origins.allow",
    ]


def test_templates_in_one_string_are_one_key() -> None:
    assert list(dotted({"rooms": "[]"})) == ["rooms"]


def test_key_stands_in_its_section_and_template() -> None:
    assert list(around("rooms[12].origins.allow")) == ["rooms[12].origins", "rooms[12]", "rooms", ""]
    assert list(around("server")) == [""]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("server.prot", "server.port"),
        ("server.allow", "origins.allow"),
        ("limits.conections_max", "limits.connections_max"),
        ("origin.allow", "origins.allow"),
    ],
)
def test_misspelt_or_misplaced_key_is_recognised(name: str, meant: str) -> None:
    assert did_you_mean(name, KEYS) == f"; did you mean {meant}?"


def test_nothing_is_suggested_for_what_resembles_nothing() -> None:
    assert did_you_mean("xyzzy", KEYS) == ""


@pytest.mark.parametrize(
    ("key", "table"), [("api_keys[0].name", "api_keys"), ("rooms[1].origins.allow", "rooms"), ("rooms", None)]
)
def test_key_of_a_row_names_its_list(key: str, table: str | None) -> None:
    assert table_of(key) == table


def test_key_that_is_shown_nowhere_is_known() -> None:
    assert "admin.api_key" in HIDDEN_KEYS
