"""What another configuration would do to those who are here, as an operator asks before it is taken."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from roomcast.server.plan import Exceeded, InUse, draw_up
from roomcast.server.policies import build_policies
from roomcast.settings.difference import Change
from tests.running import Relay, Serve, ask_admin, settings
from tests.tokens import SECRET, signer
from tests.transport.rooms import LARGE, LOBBY, numbered, rooms, stall

KEY = "0123456789abcdef0123456789abcdef"
ADMIN = f'[admin]\napi_key = "{KEY}"\n'
OPEN = ADMIN + '[origins]\nallow = ["https://app.example"]\n'
PAGE = "Origin: https://app.example"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/toml"}


def plan(relay: Relay, toml: str, status: int = 200) -> Any:
    answer = ask_admin(relay.server.private_address, "/api/v1/plan", "POST", toml.encode(), HEADERS)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def test_configuration_that_hurts_nobody_says_so_and_changes_nothing(serve: Serve) -> None:
    relay = serve(OPEN)
    relay.join(LOBBY, PAGE)

    said = plan(relay, OPEN + "[server]\ndemo = true")

    assert said["changes"] == [{"key": "server.demo", "old": "false", "new": "true"}]
    assert (said["restart"], said["refused"], said["below_use"], said["members"]) == ([], [], [], 1)
    assert relay.ask().headers["content-type"].startswith("text/plain")


def test_members_whose_origin_is_not_allowed_any_more_are_named(serve: Serve) -> None:
    relay = serve(OPEN)
    for _ in range(7):
        relay.join(LOBBY, PAGE)
    relay.join()

    [refused] = plan(relay, ADMIN)["refused"]

    assert (refused["outcome"], refused["members"]) == ("origin", 7)
    assert len(refused["examples"]) == 5
    assert refused["examples"][0]["origin"] == "https://app.example"
    assert "." in refused["examples"][0]["id"]


@pytest.mark.parametrize(
    ("toml", "outcome"),
    [
        ('[server]\nhosts = ["other.example"]', "host"),
        ('[server]\nprotocols = ["hixie76"]', "dialect"),
        ('[[rooms]]\nname = "a"\npath = "/a/{x}"', "not_found"),
        (f'[tokens]\nsecret = "{SECRET}"\n[[rooms]]\nname = "r"\npath = "/rooms/{{x}}"\naccess = "token"', "token"),
    ],
)
def test_members_are_asked_what_the_door_would_ask_them(serve: Serve, toml: str, outcome: str) -> None:
    relay = serve(ADMIN)
    relay.join()

    [refused] = plan(relay, ADMIN + toml)["refused"]

    assert (refused["outcome"], refused["members"]) == (outcome, 1)


def test_member_that_showed_a_token_may_come_again(serve: Serve) -> None:
    toml = f'{ADMIN}[tokens]\nsecret = "{SECRET}"\n[[rooms]]\nname = "r"\npath = "/rooms/{{x}}"\n'
    relay = serve(toml)
    said = {"exp": time.time() + 600, "rooms": [LOBBY], "actions": ["subscribe"]}
    relay.join(LOBBY, f"Authorization: Bearer {signer('HS256').token(said)}")

    assert plan(relay, toml + 'access = "token"')["refused"] == []


def test_limits_below_what_is_in_use_are_named(serve: Serve) -> None:
    relay = serve(ADMIN)
    for _ in range(2):
        relay.join(LOBBY)
    relay.join("/rooms/other")
    toml = "[limits]\nconnections_max = 2\nrooms_max = 1\n"

    below = plan(relay, ADMIN + toml + '[[rooms]]\nname = "rooms"\npath = "/rooms/{x}"\nmembers_max = 1')["below_use"]

    assert [(one["key"], one["limit"], one["in_use"]) for one in below] == [
        ("limits.connections_max", 2, 3),
        ("limits.rooms_max", 1, 2),
        ("rooms.rooms.members_max", 1, 2),
    ]


def test_limit_that_is_only_reported_keeps_nobody_out(serve: Serve) -> None:
    relay = serve(ADMIN)
    relay.join()
    relay.join()

    said = plan(relay, ADMIN + '[limits]\nreport_only = ["members_max"]\n' + rooms(members_max=1))

    assert said["below_use"] == []


def test_proxies_are_those_that_there_would_be(serve: Serve) -> None:
    relay = serve(ADMIN + '[server]\ntrusted_proxies = ["127.0.0.1"]')
    for _ in range(2):
        relay.join(LOBBY, "X-Forwarded-For: 203.0.113.9")
    limited = ADMIN + "[limits]\nconnections_per_address = 1\n[server]\ntrusted_proxies = "

    [exceeded] = plan(relay, limited + '["127.0.0.1"]')["below_use"]
    below_use = plan(relay, limited + '["127.0.0.1", "203.0.113.9"]')["below_use"]

    assert (exceeded["key"], below_use) == ("limits.connections_per_address", [])


@pytest.mark.parametrize("overflow", ["close", "skip"])
def test_laggards_who_would_be_too_far_behind_are_told_of_and_then_let_go(serve: Serve, overflow: str) -> None:
    relay = serve(ADMIN + rooms())
    ada = relay.join()
    stall(relay, ada)
    while (behind := relay.call(lambda: next(iter(relay.server.hub.rooms[LOBBY].laggards.by_lag()))[0])) < 5 * LARGE:
        ada.say(numbered(0))
    toml = ADMIN + rooms(message_max_bytes=LARGE, lag_max_bytes=3 * LARGE, history_max_bytes=LARGE, overflow=overflow)

    [exceeded] = plan(relay, toml)["below_use"]
    relay.reload(settings(toml))
    ada.say(numbered(0))

    assert (exceeded["key"], exceeded["effect"]) == ("rooms.rooms.lag_max_bytes", overflow)
    assert exceeded["in_use"] >= behind
    relay.until(lambda: relay.server.hub.rooms[LOBBY].log.size_bytes < 5 * LARGE)


def test_total_that_becomes_automatic_is_the_share_that_it_would_be() -> None:
    total = Change("limits.lag_total_max_bytes", "0", '"auto"')
    held = InUse([], 0, 0, 0, 1 << 30, 0, 8.0)
    configured = settings("")

    [exceeded] = draw_up([total], configured, build_policies(configured), held).below_use

    assert exceeded == Exceeded(total.key, 512 << 20, 1 << 30, "close")


def test_total_below_what_rooms_keep_has_the_oldest_forgotten() -> None:
    total = Change("limits.history_total_max_bytes", '"auto"', "2000000")
    configured = settings("[limits]\nhistory_total_max_bytes = 2_000_000")

    def below_use(history_bytes: int) -> list[Exceeded]:
        held = InUse([], 0, 0, 0, 0, history_bytes, 8.0)
        return list(draw_up([total], configured, build_policies(configured), held).below_use)

    assert below_use(2_000_000) == []
    assert below_use(2_000_001) == [Exceeded(total.key, 2_000_000, 2_000_001, "forget")]


def test_total_that_stays_as_it_was_is_nobodys_fault() -> None:
    configured = settings("[limits]\nlag_total_max_bytes = 2_000_000")

    plan = draw_up([], configured, build_policies(configured), InUse([], 0, 0, 0, 1 << 30, 0, 8.0))

    assert plan.below_use == []


def test_keys_that_take_a_restart_are_named(serve: Serve) -> None:
    relay = serve(ADMIN)

    assert plan(relay, ADMIN + '[log]\nformat = "json"')["restart"] == ["log.format"]


def test_restart_drains_by_the_settings_that_hold(serve: Serve) -> None:
    relay = serve(ADMIN + "[server]\ndrain_s = 0.5\n")

    assert plan(relay, ADMIN + '[log]\nformat = "json"\n[server]\ndrain_s = 30')["drain_s"] == 0.5


def test_file_that_is_wrong_is_answered_with_the_value_and_the_rule(serve: Serve) -> None:
    assert 'allow "nowhere"' in plan(serve(ADMIN), ADMIN + '[origins]\nallow = ["nowhere"]', 422)["detail"]


def test_canary_is_nobody_who_could_be_hurt(serve: Serve) -> None:
    relay = serve(ADMIN + "canary_interval_s = 3600\n")
    relay.until(lambda: len(relay.server.keep_alive) == 0)

    assert plan(relay, ADMIN)["refused"] == []
