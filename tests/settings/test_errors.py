"""What a person reads who got the configuration wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from roomcast.settings import Settings
from roomcast.settings.errors import PROBLEMS_MAX, problems

ROOM = {"name": "rooms", "path": "/rooms/{room}"}


def told(values: dict[str, Any], *, is_secret: bool = False) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    return list(problems(caught.value, lambda key: f"<{key}>", lambda _: is_secret))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            {"server": {"port": 70_000}},
            "<server.port>: server.port = 70000: should be less than or equal to 65535",
        ),
        (
            {"server": {"prot": 80}},
            "<server.prot>: server.prot: there is no such key; did you mean server.port?",
        ),
        (
            {"limits": {"lag_max_bytes": 1}},
            "<limits.lag_max_bytes>: limits.lag_max_bytes: there is no such key; did you mean [[rooms]].lag_max_bytes?",
        ),
        (
            {"limit": {}},
            "<limit>: limit: there is no such section; did you mean limits?",
        ),
        (
            {"server": 1},
            "<server>: server = 1: should be a section: write [server] on a line of its own, and its keys below",
        ),
        (
            {"server": {"host": ""}},
            '<server.host>: server.host = "": is neither an address ("127.0.0.1", "::", without brackets and without '
            'a port), nor a host name, nor "unix:/absolute/path"',
        ),
        (
            {"origins": {"allow": 1}},
            "<origins.allow>: origins.allow = 1: should be a list",
        ),
        (
            {"origins": {"allow": ["a", 1]}},
            "<origins.allow>: origins.allow = 1: should be a valid string",
        ),
        (
            {"rooms": ROOM},
            '<rooms>: rooms = {"name": "rooms", "path": "/rooms/{room}"}: should be a list of tables: '
            "write [[rooms]], with two brackets, above each",
        ),
        (
            {"rooms": [ROOM, {"name": "b"}]},
            "<rooms[1].path>: rooms[1].path: is required",
        ),
        (
            {"rooms": [{**ROOM, "ecko": True}]},
            "<rooms[0].ecko>: rooms[0].ecko: there is no such key; did you mean rooms[0].echo?",
        ),
        (
            {"rooms": [{**ROOM, "origins": {"allow": [], "alow": []}}]},
            "<rooms[0].origins.alow>: rooms[0].origins.alow: there is no such key; "
            "did you mean rooms[0].origins.allow?",
        ),
    ],
)
def test_problem_names_place_key_value_and_rule(values: dict[str, Any], problem: str) -> None:
    assert told(values) == [problem]


def test_value_that_fits_neither_of_two_kinds_is_one_problem() -> None:
    [problem] = told({"limits": {"connections_max": "many"}})

    assert "should be 'auto' or should be a valid integer" in problem


def test_every_wrong_key_is_told() -> None:
    assert len(told({"server": {"port": -1, "host": ""}, "admin": {"port": -1}})) == 3


def test_keys_that_disagree_are_named_by_the_rule() -> None:
    assert told({"admin": {"port": 8080}}) == ["server.port and admin.port are both 8080: each door needs its own"]


def test_secret_is_not_shown_when_it_is_wrong() -> None:
    [problem] = told({"server": {"port": "confidential"}}, is_secret=True)

    assert problem.startswith("<server.port>: server.port = (hidden): should be a valid integer")
    assert "confidential" not in problem


def test_password_in_a_url_is_not_shown() -> None:
    [problem] = told({"tokens": {"jwks_url": "https://me:confidential@id.example.com/keys"}})

    assert 'tokens.jwks_url = "https://(hidden)@id.example.com/keys": is no URL' in problem


def test_long_value_is_cut() -> None:
    [problem] = told({"server": {"port": "9" * 81}})

    assert f'"{"9" * 79}…:' in problem


def test_value_that_json_does_not_know_is_shown_all_the_same() -> None:
    [problem] = told({"server": {"port": 1j}})

    assert '= "1j":' in problem


def test_control_characters_of_a_value_reach_no_terminal() -> None:
    [problem] = told({"server": {"port": "\x1b[31m\n"}})

    assert problem.isprintable()


@pytest.mark.parametrize(("wrong", "last"), [(100, "key_99"), (103, "and 3 keys more are wrong")])
def test_as_many_problems_are_told_as_anybody_reads(wrong: int, last: str) -> None:
    lines = told({"limits": {f"key_{number}": 1 for number in range(wrong)}})

    assert len(lines) == min(wrong, PROBLEMS_MAX + 1)
    assert last in lines[-1]
