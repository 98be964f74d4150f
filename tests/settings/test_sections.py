"""The sections each for itself: closed to unknown keys, and what a template or a list of limits may hold."""

from typing import Any

import pytest
from pydantic import ValidationError

from roomcast.policies.hits import no_hits
from roomcast.settings import LimitSettings, RoomSettings, ServerSettings, Settings
from roomcast.settings.values import REPORTABLE

ROOM = {"name": "rooms", "path": "/rooms/{room}"}


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
