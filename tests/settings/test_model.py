"""The sections as a whole: fixed, closed, and in agreement with one another."""

from typing import Any

import pytest
from pydantic import ValidationError

from roomcast.policies.hits import no_hits
from roomcast.settings import LimitSettings, RoomSettings, ServerSettings, Settings
from roomcast.settings.values import REPORTABLE

ROOM = {"name": "rooms", "path": "/rooms/{room}"}


def disagreement(**sections: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(**sections)
    [error] = caught.value.errors()
    assert error["loc"] == ()
    return str(error["msg"])


def test_settings_read_their_arguments_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMCAST_SERVER__PORT", "1234")

    assert Settings().server.port == 8080
    assert Settings(server=ServerSettings(port=0)).server.port == 0


def test_settings_are_frozen_in_every_section() -> None:
    settings = Settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.server.__setattr__("port", 1)
    with pytest.raises(ValidationError, match="frozen"):
        settings.__setattr__("server", ServerSettings())


@pytest.mark.parametrize("section", ["server", "tls", "admin", "origins", "limits", "deflate", "log"])
def test_every_section_refuses_an_unknown_key(section: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate({section: {"colour": "red"}})


def test_unknown_section_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate({"colour": {}})


@pytest.mark.parametrize("rooms", [[], "[]"])
def test_without_any_template_there_is_the_usual_one(rooms: object) -> None:
    [room] = Settings(rooms=rooms).rooms

    assert (room.name, room.path) == ("rooms", "/rooms/{room}")


def test_templates_may_be_given_as_json() -> None:
    [room] = Settings(rooms='[{"name": "a", "path": "/a", "origins": {"allow": "https://a.example"}}]').rooms

    assert room.origins is not None
    assert room.origins.allow == ("https://a.example",)


def test_template_takes_the_limits_that_it_leaves_open() -> None:
    room = RoomSettings(name="a", path="/a", messages_per_s=7)

    inherited = room.inherit(LimitSettings(message_max_bytes=5, messages_per_s=6, bytes_per_s=8))

    assert (inherited.message_max_bytes, inherited.messages_per_s, inherited.bytes_per_s) == (5, 7, 8)


def test_template_may_lift_a_limit() -> None:
    assert RoomSettings(name="a", path="/a", messages_per_s=0).inherit(LimitSettings()).messages_per_s == 0


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


@pytest.mark.parametrize("key", ["lag_max_bytes", "pending_max_bytes"])
def test_log_holds_at_least_a_few_messages(key: str) -> None:
    assert Settings(rooms=[{**ROOM, "message_max_bytes": 1, key: 4096}])
    with pytest.raises(ValidationError, match="greater than or equal to 4096"):
        Settings(rooms=[{**ROOM, "message_max_bytes": 1, key: 4095}])


@pytest.mark.parametrize("value", ["messages_per_s,members_max", ["messages_per_s", "members_max"]])
def test_limits_that_are_only_reported_are_named(value: Any) -> None:
    assert Settings.model_validate({"limits": {"report_only": value}}).limits.report_only == (
        "messages_per_s",
        "members_max",
    )


def test_limit_either_shares_out_what_there_is_or_protects_memory() -> None:
    for name in [*LimitSettings.model_fields, "lag_max_bytes", "pending_max_bytes"]:
        if name in REPORTABLE:
            assert LimitSettings(report_only=(name,)).report_only == (name,)
        elif name != "report_only":
            with pytest.raises(ValidationError, match=f"{name} protects memory and is always enforced; those that can"):
                LimitSettings(report_only=(name,))


def test_limits_that_can_be_reported_are_those_that_can_be_counted_so() -> None:
    assert {limit for limit, action in no_hits() if action == "reported"} == set(REPORTABLE)


def test_word_that_is_no_limit_is_not_repeated() -> None:
    with pytest.raises(ValidationError, match="number 2 is no limit; those that can be reported only are") as caught:
        LimitSettings(report_only=("members_max", "s3cr3t"))

    assert "s3cr3t" not in str(caught.value)


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
