"""What the dashboard is told: the counters as they are, and the foremost of what has no counter."""

from __future__ import annotations

import json

from roomcast.api.stats import ORIGINS_SHOWN, ROOMS_SHOWN, Stats
from roomcast.metrics import TransportCounters
from roomcast.relay.hub import Hub
from roomcast.relay.reasons import Reason
from tests.idle import idle_counters, idle_hub
from tests.relay.driven_relay import EPOCH, Relay


def no_pause() -> None:
    """Let nobody have a turn."""


def stats_of(hub: Hub, counters: TransportCounters | None = None) -> Stats:
    return Stats(
        hub, counters or idle_counters(), lambda: True, clock=lambda: 7.25, now=lambda: 1_790_000_000.5, pause=no_pause
    )


def test_rooms_are_listed_by_their_members() -> None:
    relay = Relay()
    relay.fill("/rooms/small", 2)
    large, _ = relay.fill("/rooms/large", 3)
    relay.flush(large)
    relay.flush(large)

    read = stats_of(relay.hub).read()

    assert read["epoch"] == EPOCH
    assert [room["name"] for room in read["rooms"]] == ["/rooms/large", "/rooms/small"]
    assert read["rooms"][0] == {
        "name": "/rooms/large",
        "template": "rooms",
        "members": 3,
        "laggards": 0,
        "head": 2,
        "log_bytes": 0,
    }
    [template] = read["templates"]
    assert (template["rooms"], template["members"], template["received"], template["delivered"]) == (2, 5, 2, 6)


def test_laggard_and_what_is_held_for_it_show() -> None:
    relay = Relay()
    room, _ = relay.join("/rooms/a", capacity=1)
    relay.say(room)
    relay.loop.end_turn()

    [row] = stats_of(relay.hub).read()["rooms"]

    assert row["laggards"] == 1
    assert row["log_bytes"] > 0


def test_of_many_rooms_the_largest_are_shown_and_others_have_their_turn_meanwhile() -> None:
    relay = Relay()
    for number in range(4_100):
        relay.join(f"/rooms/{number}")
    relay.fill("/rooms/first", 3)
    relay.fill("/rooms/4099", 3)
    pauses: list[None] = []
    stats = Stats(
        relay.hub,
        idle_counters(),
        lambda: True,
        clock=lambda: 0.0,
        now=lambda: 0.0,
        pause=lambda: pauses.append(None),
    )

    rooms = stats.read()["rooms"]

    assert len(rooms) == ROOMS_SHOWN
    assert [room["name"] for room in rooms[:2]] == ["/rooms/4099", "/rooms/first"]
    assert len(pauses) == 1


def test_what_never_happened_is_not_listed() -> None:
    counters = idle_counters()
    counters.handshakes["rfc6455", "origin"] = 3
    counters.handshakes["hixie76", "origin"] = 4
    counters.disconnects["rfc6455", Reason.LAGGING] = 2
    counters.limit_hits[
        "members_max", next(action for limit, action in counters.limit_hits if limit == "members_max")
    ] = 5
    hub = idle_hub("rooms")
    hub.templates["rooms"].drop(Reason.RATE, 6)

    read = stats_of(hub, counters).read()

    assert read["handshakes"] == {"origin": 7}
    assert read["closes"] == {"lagging": 2}
    assert read["limit_hits"] == {"members_max refused": 5}
    assert read["templates"][0]["dropped"] == {"rate": 6}


def test_origins_that_were_refused_most_come_first_and_are_not_all_shown() -> None:
    counters = idle_counters()
    for number in range(50):
        counters.refused_origins.add(f"https://{number}.example")
    counters.refused_origins.add("https://49.example")

    origins = stats_of(idle_hub(), counters).read()["refused_origins"]

    assert len(origins) == ORIGINS_SHOWN
    assert origins[0] == {"origin": "https://49.example", "refused": 2}


def test_origins_that_a_shadow_would_refuse_stand_apart_from_those_that_were_refused() -> None:
    counters = idle_counters()
    counters.shadow_origins.add("https://old.example")

    read = stats_of(idle_hub(), counters).read()

    assert read["shadow_origins"] == [{"origin": "https://old.example", "refused": 1}]
    assert read["refused_origins"] == []


def test_state_of_the_process_is_told() -> None:
    counters = idle_counters()
    counters.is_draining = True

    read = stats_of(idle_hub(), counters).read()

    assert (read["is_ready"], read["is_draining"]) == (True, True)
    assert (read["time_ms"], read["uptime_s"]) == (1_790_000_000_500, 0.0)
    assert read["memory_bytes"] > 1_000_000


def test_all_of_it_is_json() -> None:
    relay = Relay()
    relay.join("/rooms/é")

    assert json.loads(json.dumps(stats_of(relay.hub).read()))["rooms"][0]["name"] == "/rooms/é"


def test_busiest_rooms_are_shown_where_they_are_counted_and_all_others_as_one() -> None:
    hub = idle_hub(busiest_rooms=1)
    assert hub.busiest is not None
    hub.busiest.add("/rooms/a", 3, 0.0)
    hub.busiest.add("/rooms/b", 1, 0.0)

    assert stats_of(hub).read()["busiest_rooms"] == [
        {"room": "/rooms/a", "messages_per_s": 3.0},
        {"room": None, "messages_per_s": 1.0},
    ]
    assert stats_of(idle_hub()).read()["busiest_rooms"] == []
