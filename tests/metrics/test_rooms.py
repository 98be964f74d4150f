"""What is told of rooms: by template, in all, and by name where that is wanted."""

from __future__ import annotations

import pytest
from prometheus_client.exposition import choose_encoder

from roomcast.logs import Journal
from roomcast.metrics import RelayCollector
from roomcast.metrics.rooms import RoomFamilies
from roomcast.relay.hub import Hub
from roomcast.relay.log import Log
from roomcast.relay.reasons import Reason
from roomcast.relay.start import Gap
from tests.idle import idle_counters, idle_hub
from tests.metrics.scrape import Scrape, parse_openmetrics


@pytest.fixture
def hub() -> Hub:
    return idle_hub("rooms", "news")


def scrape(hub: Hub) -> Scrape:
    return Scrape(RoomFamilies(hub).collect())


def test_a_room_s_numbers_are_those_of_its_template(hub: Hub) -> None:
    news = hub.templates["news"]
    news.rooms, news.members, news.laggards, news.publishers_paused = 2, 7, 3, 1
    news.received_text, news.received_binary, news.delivered = 5, 4, 45
    news.drop(Reason.LAGGING, 6)

    now = scrape(hub)

    assert now.value("roomcast_rooms", template="news") == 2
    assert now.value("roomcast_members", template="news") == 7
    assert now.value("roomcast_laggards", template="news") == 3
    assert now.value("roomcast_publishers_paused", template="news") == 1
    assert now.value("roomcast_messages_received_total", template="news", kind="text") == 5
    assert now.value("roomcast_messages_received_total", template="news", kind="binary") == 4
    assert now.value("roomcast_messages_delivered_total", template="news") == 45
    assert now.value("roomcast_messages_dropped_total", template="news", reason="lagging") == 6
    assert now.value("roomcast_members", template="rooms") == 0


def test_what_is_held_for_laggards_stands_beside_what_may_be(hub: Hub) -> None:
    hub.budget.limit_bytes = 1_000
    hub.budget.charge_log(Log(), 300)

    now = scrape(hub)

    assert (now.value("roomcast_lag_bytes"), now.value("roomcast_lag_bytes_limit")) == (300, 1_000)


def test_what_rooms_keep_stands_beside_what_they_may(hub: Hub) -> None:
    hub.histories.limit_bytes = 1_000
    hub.histories.held_bytes = 300
    hub.histories.forgotten = 2
    hub.rooms.evicted = 3

    now = scrape(hub)

    assert (now.value("roomcast_history_bytes"), now.value("roomcast_history_bytes_limit")) == (300, 1_000)
    assert now.value("roomcast_history_rooms") == 0
    assert now.value("roomcast_history_evictions_total", limit="history_total_max_bytes") == 2
    assert now.value("roomcast_history_evictions_total", limit="rooms_max") == 3


def test_who_came_back_is_counted_by_what_could_not_be_had(hub: Hub) -> None:
    hub.templates["news"].resume(None)
    hub.templates["news"].resume(Gap.EPOCH)

    now = scrape(hub)

    assert now.value("roomcast_resumes_total", template="news", outcome="resumed") == 1
    assert now.value("roomcast_resumes_total", template="news", outcome="epoch") == 1
    assert now.labels("roomcast_resumes_total", "outcome") == {"resumed", "epoch", "offset", "time"}


def test_rooms_are_named_only_where_the_operator_wants_it() -> None:
    assert "roomcast_busiest_rooms_messages_per_second" not in scrape(idle_hub("rooms")).families

    named = scrape(idle_hub("rooms", busiest_rooms=2))

    assert named.labels("roomcast_busiest_rooms_messages_per_second", "room") == {"other"}
    assert named.value("roomcast_busiest_rooms_messages_per_second", room="other") == 0


def test_busiest_rooms_are_as_many_series_as_are_wanted_and_their_names_come_through() -> None:
    hub = idle_hub("rooms", busiest_rooms=2)
    assert hub.busiest is not None
    for room, messages in (('/rooms/"quoted"', 30), ("/rooms/back\\slash", 20), ("/rooms/c", 5), ("/rooms/d", 5)):
        hub.busiest.add(room, messages, 0.0)
    collector = RelayCollector(hub, idle_counters(), Journal(print), lambda: True, {})
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")

    families = {family.name: family for family in parse_openmetrics(encode(collector).decode())}

    samples = families["roomcast_busiest_rooms_messages_per_second"].samples
    assert {sample.labels["room"]: sample.value for sample in samples} == {
        '/rooms/"quoted"': 30,
        "/rooms/back\\slash": 20,
        "other": 10,
    }
