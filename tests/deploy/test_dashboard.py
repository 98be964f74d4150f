"""Each question of the dashboard is asked of a real Prometheus, about a relay to which things have happened."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from deploy.grafana.build import DASHBOARD
from tests.deploy.prometheus import TARGET, Prometheus, Scrape, remember, running
from tests.running import TLS, Relay, Serve
from tests.tokens import SECRET
from tests.wire import get, rfc6455_head

SETTINGS = f"""
[admin]
api_key = "{SECRET}"
canary_interval_s = 0.1
busiest_rooms = 10
[tokens]
secret = "{SECRET}"
[limits]
message_max_bytes = 100
[[rooms]]
name = "rooms"
path = "/rooms/{{room}}"
history_messages = 10
[[rooms]]
name = "private"
path = "/private/{{room}}"
access = "token"
"""
SCRAPES = 9
INTERVAL_S = 15
# What cannot be had without a drain, or a Prometheus that has held our rules against the relay for a while.
NEEDS_TROUBLE = {"Alerts", "Drains", "Messages lost"}

DASHBOARD_JSON = json.loads(DASHBOARD.read_text(encoding="utf-8"))
PANELS = {panel["title"]: panel for panel in DASHBOARD_JSON["panels"] if panel["type"] != "row"}


def asked(expression: str) -> str:
    """Return an expression as Grafana asks it, when everything is chosen at the top."""
    interval = f"{4 * INTERVAL_S}s"
    return re.sub(r"\$(?:job|instance|template)\b", ".*", expression).replace("$__rate_interval", interval)


def cause_events(relay: Relay, room: str) -> None:
    """Let something happen of all that a panel shows, in a room where nobody has been yet."""
    ada, bob = relay.join(room), relay.join(f"{room}?since={relay.server.hub.epoch}:0")
    ada.say("hello")
    assert bob.hear() == "hello"
    bob.say("x" * 101)
    assert bob.read_goodbye().code == 1009
    bob.close()
    assert relay.ask(rfc6455_head(room, "Origin: https://evil.example")).status == 403
    assert relay.ask(rfc6455_head("/private/lobby")).status == 401
    assert relay.ask(get("/nowhere")).status == 404
    assert relay.ask_admin("/api/v1/rooms").status == 401
    canary = relay.server.counters.canary
    rounds = canary.runs["ok"]
    relay.until(lambda: canary.runs["ok"] > rounds)


def record(relay: Relay) -> list[Scrape]:
    """Return what the relay says, every time after something has happened, as if a scrape interval had gone by."""
    now_s = time.time()
    scrapes: list[Scrape] = []
    for number in range(SCRAPES):
        cause_events(relay, f"/rooms/{number}")
        text = relay.ask_admin("/metrics").body.decode()
        scrapes.append(Scrape(now_s - (SCRAPES - 1 - number) * INTERVAL_S, text))
    return scrapes


@pytest.mark.parametrize("serve", [TLS], indirect=True)
def test_every_panel_shows_something_of_a_relay_that_something_happens_to(serve: Serve, tmp_path: Path) -> None:
    scrapes = record(serve(SETTINGS))
    remember(scrapes, tmp_path)

    with running("global: {}\n", tmp_path) as prometheus:
        silent = {title for title in PANELS if not shows_something(prometheus, title, scrapes[-1].time_s)}

    assert silent == NEEDS_TROUBLE


@pytest.mark.parametrize("serve", [TLS], indirect=True)
def test_annotations_and_variables_are_found(serve: Serve, tmp_path: Path) -> None:
    scrapes = record(serve(SETTINGS))
    remember(scrapes, tmp_path)

    with running("global: {}\n", tmp_path) as prometheus:
        now_s = scrapes[-1].time_s
        annotations = {of["name"]: of for of in DASHBOARD_JSON["annotations"]["list"]}
        [start] = prometheus.at(asked(annotations["Starts"]["expr"]), now_s)
        assert prometheus.at(asked(annotations["Drains"]["expr"]), now_s) == []
        [job] = prometheus.at("count by (job, instance) (roomcast_build_info)", now_s)

    # In milliseconds, as Grafana wants a moment.
    assert 0 < now_s - float(start["value"][1]) / 1000 < 86_400
    assert job["metric"] == TARGET


def shows_something(prometheus: Prometheus, title: str, now_s: float) -> bool:
    """Tell whether all that a panel asks is understood, and some of it has an answer that is a number."""
    answers = [prometheus.at(asked(target["expr"]), now_s) for target in PANELS[title]["targets"]]
    return any(series["value"][1] != "NaN" for answer in answers for series in answer)
