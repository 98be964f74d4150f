"""The keys in agreement with one another, and every disagreement told at once."""

from typing import Any

import pytest
from pydantic import ValidationError

from roomcast.settings import LimitSettings, ServerSettings, Settings

ROOM = {"name": "rooms", "path": "/rooms/{room}"}


def disagreement(**sections: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(**sections)
    [error] = caught.value.errors()
    assert error["loc"] == ()
    return str(error["msg"])


@pytest.mark.parametrize(
    ("server", "admin"),
    [
        ({"host": "127.0.0.1", "port": 1}, {"host": "127.0.0.1", "port": 1}),
        ({"host": "0.0.0.0", "port": 1}, {"host": "127.0.0.1", "port": 1}),
        ({"host": "localhost", "port": 1}, {"host": "::", "port": 1}),
    ],
)
def test_doors_do_not_share_a_port(server: dict[str, Any], admin: dict[str, Any]) -> None:
    assert "server.port and admin.port are both 1" in disagreement(server=server, admin=admin)


def test_doors_do_not_share_a_unix_socket() -> None:
    door = {"host": "unix:/run/a"}

    assert 'server.host and admin.host are both "unix:/run/a"' in disagreement(server=door, admin=door)


@pytest.mark.parametrize(
    ("server", "admin"),
    [
        ({"port": 0}, {"port": 0}),
        ({"host": "127.0.0.1", "port": 1}, {"host": "127.0.0.2", "port": 1}),
        ({"host": "localhost", "port": 1}, {"host": "127.0.0.2", "port": 1}),
        ({"host": "unix:/run/a", "port": 1}, {"host": "127.0.0.1", "port": 1}),
        ({"host": "unix:/run/a"}, {"host": "unix:/run/b"}),
    ],
)
def test_doors_that_are_apart_are_accepted(server: dict[str, Any], admin: dict[str, Any]) -> None:
    assert Settings(server=server, admin=admin)


def test_proxy_headers_need_somebody_who_may_send_them() -> None:
    assert "server.proxy_protocol = true needs server.trusted_proxies" in disagreement(server={"proxy_protocol": True})
    assert Settings(server=ServerSettings(proxy_protocol=True, trusted_proxies=("unix:",)))


def test_templates_have_different_names() -> None:
    assert 'two templates are named "rooms"' in disagreement(rooms=[ROOM, {**ROOM, "path": "/x"}])


@pytest.mark.parametrize(
    ("room", "rule"),
    [
        ({"lag_max_bytes": 131_071}, "lag_max_bytes = 131071 must be at least twice message_max_bytes = 65536"),
        ({"pending_max_bytes": 65_535}, "pending_max_bytes = 65535 must be at least message_max_bytes = 65536"),
        ({"bytes_per_s": 32_767}, "bytes_per_s = 32767 lets no message of message_max_bytes = 65536 pass"),
        (
            {"history_messages": 1, "history_max_bytes": 65_535},
            "history_max_bytes = 65535 must be at least message_max_bytes = 65536",
        ),
        (
            {"history_messages": 1, "lag_max_bytes": 2_097_151},
            "lag_max_bytes = 2097151 must be at least twice history_max_bytes = 1048576",
        ),
        ({"message_max_bytes": 2, "greeting": "é!"}, "greeting is longer than message_max_bytes = 2"),
    ],
)
def test_template_that_could_not_carry_its_largest_message_is_refused(room: dict[str, Any], rule: str) -> None:
    assert f'template "rooms": {rule}' in disagreement(rooms=[{**ROOM, **room}])


@pytest.mark.parametrize(
    "room",
    [
        {"lag_max_bytes": 131_072},
        {"pending_max_bytes": 65_536},
        {"history_messages": 1, "history_max_bytes": 65_536},
        {"history_messages": 0, "history_max_bytes": 65_535},
        {"history_messages": 1, "lag_max_bytes": 2_097_152},
        {"history_messages": 0, "lag_max_bytes": 2_097_151},
        {"bytes_per_s": 32_768},
        {"bytes_per_s": 0},
        {"message_max_bytes": 2, "greeting": "é"},
        {"message_max_bytes": 0, "greeting": "hello"},
    ],
)
def test_template_that_just_carries_its_largest_message_is_accepted(room: dict[str, Any]) -> None:
    assert Settings(rooms=[{**ROOM, **room}])


def test_pong_is_not_awaited_beyond_the_next_ping() -> None:
    limits = {"ping_interval_s": 10, "pong_timeout_s": 10.5}

    assert "limits.pong_timeout_s = 10.5 must not be longer than limits.ping_interval_s = 10" in disagreement(
        limits=limits
    )


@pytest.mark.parametrize("ping_interval_s", [0, 10])
def test_pong_is_awaited_until_the_next_ping_at_most(ping_interval_s: int) -> None:
    assert Settings(limits=LimitSettings(ping_interval_s=ping_interval_s, pong_timeout_s=10))


def test_fragments_of_one_message_fit_into_the_burst() -> None:
    limits = {"fragments_max": 201, "fragments_per_s": 100}

    assert "limits.fragments_per_s = 100 lets no message of fragments_max = 201 frames pass" in disagreement(
        limits=limits
    )


@pytest.mark.parametrize(("fragments_max", "fragments_per_s"), [(200, 100), (0, 100), (201, 0)])
def test_message_of_all_its_fragments_passes(fragments_max: int, fragments_per_s: int) -> None:
    assert Settings(limits=LimitSettings(fragments_max=fragments_max, fragments_per_s=fragments_per_s))


def test_disagreement_counts_for_limits_that_a_template_inherits() -> None:
    assert "message_max_bytes = 4000000" in disagreement(limits={"message_max_bytes": 4_000_000})


def test_all_disagreements_are_told_at_once() -> None:
    told = disagreement(admin={"port": 8080}, rooms=[ROOM, ROOM]).splitlines()

    assert len(told) == 2


@pytest.mark.parametrize(("given", "missing"), [("certificate", "key"), ("key", "certificate")])
def test_half_of_a_certificate_and_key_is_refused(given: str, missing: str) -> None:
    message = disagreement(tls={given: "/etc/tls.pem"})

    assert f"tls.{given} is set, and tls.{missing} is not" in message


def test_certificate_and_key_may_be_one_file() -> None:
    tls = Settings.model_validate({"tls": {"certificate": "/etc/tls.pem", "key": "/etc/tls.pem"}}).tls

    assert tls.certificate == tls.key


BY_TOKEN = {**ROOM, "access": "token"}
SECRET = "x" * 32


def test_room_that_asks_for_tokens_needs_a_key_to_check_them_by() -> None:
    message = disagreement(rooms=[BY_TOKEN])

    assert 'template "rooms": access = "token" needs a key to check tokens by' in message


@pytest.mark.parametrize("tokens", [{"secret": SECRET}, {"keys": ["a.pem"]}, {"jwks_url": "https://a.example/"}])
def test_any_key_will_do(tokens: dict[str, Any]) -> None:
    assert Settings(rooms=[BY_TOKEN], tokens=tokens)


@pytest.mark.parametrize(
    ("sections", "because"),
    [
        ({"origins": {"enforce": False}}, "origins.enforce = false"),
        ({"origins": {"allow": ["https://a.example", "*"]}}, 'origins.allow holds "*"'),
        ({"rooms": [{**ROOM, "origins": {"allow": ["*"]}}]}, 'origins of template "rooms" holds "*"'),
    ],
)
def test_cookie_is_refused_where_any_page_could_enter_with_it(sections: dict[str, Any], because: str) -> None:
    message = disagreement(tokens={"cookie": "session", "secret": SECRET}, **sections)

    assert "any page could enter as the user who visits it" in message
    assert because in message
    assert Settings.model_validate({"tokens": {"secret": SECRET}, **sections})


def test_cookie_is_read_where_origins_are_enforced() -> None:
    rooms = [{**ROOM, "origins": {"allow": ["https://a.example"]}}]

    assert Settings.model_validate({"tokens": {"cookie": "session", "secret": SECRET}, "rooms": rooms})


@pytest.mark.parametrize("names", [("backend", "backend"), ("api_key",)])
def test_holders_of_api_keys_have_different_names(names: tuple[str, ...]) -> None:
    holders = [{"name": name, "file": "keys", "scopes": ["read"]} for name in names]

    assert f'api_keys: two holders are named "{names[0]}"' in disagreement(api_keys=holders)
