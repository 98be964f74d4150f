from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from prometheus_client import generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser

from roomcast.logs import Journal
from roomcast.metrics import NO_DIALECT, RelayCollector, TransportCounters
from roomcast.policies.hits import no_hits
from roomcast.relay.hub import Hub
from roomcast.relay.log import Log
from roomcast.relay.reasons import Reason
from roomcast.relay.start import Gap
from tests.idle import idle_collector, idle_counters, idle_hub

parse_openmetrics: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families


class Scrape:
    """What one scrape says, by series."""

    def __init__(self, families: Iterator[Metric]) -> None:
        self.families = {family.name: family for family in families}

    def value(self, sample: str, **labels: str) -> float:
        found = [s.value for f in self.families.values() for s in f.samples if (s.name, s.labels) == (sample, labels)]
        assert len(found) == 1, f"{sample}{labels} is there {len(found)} times"
        return found[0]

    def values(self, sample: str) -> list[float]:
        return [s.value for f in self.families.values() for s in f.samples if s.name == sample]

    def labels(self, sample: str, label: str) -> set[str]:
        return {s.labels[label] for f in self.families.values() for s in f.samples if s.name == sample}


@pytest.fixture
def hub() -> Hub:
    return idle_hub("rooms", "news")


@pytest.fixture
def counters() -> TransportCounters:
    return idle_counters()


def scrape(hub: Hub, counters: TransportCounters, *, is_ready: bool = True) -> Scrape:
    return Scrape(RelayCollector(hub, counters, Journal(print), lambda: is_ready, {}).collect())


def test_every_family_that_users_were_promised_is_there() -> None:
    text = generate_latest(idle_collector()).decode()

    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}

    assert names >= {
        "roomcast_canary_runs_total",
        "roomcast_canary_round_trip_seconds",
        "roomcast_canary_last_success_timestamp_seconds",
        "roomcast_connections",
        "roomcast_connections_limit",
        "roomcast_connection_duration_seconds",
        "roomcast_handshakes_total",
        "roomcast_handshake_duration_seconds",
        "roomcast_disconnects_total",
        "roomcast_rooms",
        "roomcast_members",
        "roomcast_messages_received_total",
        "roomcast_messages_delivered_total",
        "roomcast_messages_dropped_total",
        "roomcast_message_size_bytes",
        "roomcast_frames_received_total",
        "roomcast_frames_sent_total",
        "roomcast_received_bytes_total",
        "roomcast_sent_bytes_total",
        "roomcast_deflated_messages_total",
        "roomcast_deflate_input_bytes_total",
        "roomcast_deflate_output_bytes_total",
        "roomcast_laggards",
        "roomcast_lag_bytes",
        "roomcast_lag_bytes_limit",
        "roomcast_history_rooms",
        "roomcast_history_bytes",
        "roomcast_history_bytes_limit",
        "roomcast_history_evictions_total",
        "roomcast_resumes_total",
        "roomcast_publishers_paused",
        "roomcast_flush_duration_seconds",
        "roomcast_loop_lag_seconds",
        "roomcast_origin_report_only_total",
        "roomcast_limit_hits_total",
        "roomcast_tls_certificate_expiry_timestamp_seconds",
        "roomcast_tls_reloads_total",
        "roomcast_draining",
        "roomcast_build_info",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
    }


@pytest.mark.parametrize(
    ("sample", "label", "values"),
    [
        ("roomcast_connections", "dialect", {"rfc6455", "hixie76", "sse"}),
        ("roomcast_frames_sent_total", "dialect", {"rfc6455", "hixie76"}),
        ("roomcast_handshakes_total", "dialect", {"rfc6455", "hixie76", "sse", NO_DIALECT}),
        ("roomcast_handshakes_total", "outcome", {"accepted", "origin"}),
        ("roomcast_disconnects_total", "reason", {reason.value for reason in Reason}),
        ("roomcast_messages_dropped_total", "reason", {reason.value for reason in Reason}),
        ("roomcast_messages_dropped_total", "template", {"rooms", "news"}),
        ("roomcast_limit_hits_total", "limit", {limit for limit, _ in no_hits()}),
        ("roomcast_tls_reloads_total", "outcome", {"done", "failed"}),
        ("roomcast_limit_hits_total", "action", {"refused", "closed", "dropped", "reported"}),
        ("roomcast_messages_received_total", "kind", {"text", "binary"}),
        (
            "roomcast_frames_received_total",
            "opcode",
            {"continuation", "text", "binary", "close", "ping", "pong"},
        ),
    ],
)
def test_series_stand_at_zero_before_anything_happened(
    hub: Hub, counters: TransportCounters, sample: str, label: str, values: set[str]
) -> None:
    before = scrape(hub, counters)

    assert before.labels(sample, label) == values
    assert set(before.values(sample)) == {0}


def test_a_room_s_numbers_are_those_of_its_template(hub: Hub, counters: TransportCounters) -> None:
    news = hub.templates["news"]
    news.rooms, news.members, news.laggards, news.publishers_paused = 2, 7, 3, 1
    news.received_text, news.received_binary, news.delivered = 5, 4, 45
    news.drop(Reason.LAGGING, 6)

    now = scrape(hub, counters)

    assert now.value("roomcast_rooms", template="news") == 2
    assert now.value("roomcast_members", template="news") == 7
    assert now.value("roomcast_laggards", template="news") == 3
    assert now.value("roomcast_publishers_paused", template="news") == 1
    assert now.value("roomcast_messages_received_total", template="news", kind="text") == 5
    assert now.value("roomcast_messages_received_total", template="news", kind="binary") == 4
    assert now.value("roomcast_messages_delivered_total", template="news") == 45
    assert now.value("roomcast_messages_dropped_total", template="news", reason="lagging") == 6
    assert now.value("roomcast_members", template="rooms") == 0


def test_the_door_s_numbers_are_told_as_they_are(hub: Hub, counters: TransportCounters) -> None:
    counters.connections["hixie76"] = 3
    counters.connections_limit = 65_280
    counters.handshakes["rfc6455", "origin"] += 2
    counters.disconnects["rfc6455", Reason.RATE] += 1
    counters.received_bytes, counters.sent_bytes = 11, 22
    counters.origin_report_only = 4
    counters.deflated_messages, counters.deflate_input_bytes, counters.deflate_output_bytes = 2, 2000, 500

    now = scrape(hub, counters)

    assert now.value("roomcast_connections", dialect="hixie76") == 3
    assert now.value("roomcast_connections_limit") == 65_280
    assert now.value("roomcast_handshakes_total", dialect="rfc6455", outcome="origin") == 2
    assert now.value("roomcast_disconnects_total", dialect="rfc6455", reason="rate") == 1
    assert now.value("roomcast_received_bytes_total") == 11
    assert now.value("roomcast_deflated_messages_total") == 2
    assert now.value("roomcast_deflate_input_bytes_total") == 2000
    assert now.value("roomcast_deflate_output_bytes_total") == 500
    assert now.value("roomcast_sent_bytes_total") == 22
    assert now.value("roomcast_origin_report_only_total") == 4


def test_limits_are_named_by_their_setting_and_what_was_done(hub: Hub, counters: TransportCounters) -> None:
    counters.limit_hits["lag_max_bytes", "closed"] += 3
    hub.templates["rooms"].skips, hub.templates["news"].skips = 4, 5

    now = scrape(hub, counters)

    assert now.value("roomcast_limit_hits_total", limit="lag_max_bytes", action="closed") == 3
    assert now.value("roomcast_limit_hits_total", limit="lag_max_bytes", action="dropped") == 9
    assert now.value("roomcast_limit_hits_total", limit="rooms_max", action="refused") == 0
    assert scrape(hub, counters).value("roomcast_limit_hits_total", limit="lag_max_bytes", action="dropped") == 9


def test_frames_are_named_by_their_opcode(hub: Hub, counters: TransportCounters) -> None:
    counters.frames_received["rfc6455"][0x9] += 2
    counters.frames_sent["rfc6455"][0xA] += 2

    now = scrape(hub, counters)

    assert now.value("roomcast_frames_received_total", dialect="rfc6455", opcode="ping") == 2
    assert now.value("roomcast_frames_sent_total", dialect="rfc6455", opcode="pong") == 2
    assert sum(now.values("roomcast_frames_received_total")) == 2


def test_buckets_of_a_histogram_are_cumulated(hub: Hub, counters: TransportCounters) -> None:
    for seconds in (0.0, 0.001, 0.002, 100.0):
        counters.loop_lag.observe(seconds)

    now = scrape(hub, counters)

    assert now.value("roomcast_loop_lag_seconds_bucket", le="0.001") == 2
    assert now.value("roomcast_loop_lag_seconds_bucket", le="0.0025") == 3
    assert now.value("roomcast_loop_lag_seconds_bucket", le="2.5") == 3
    assert now.value("roomcast_loop_lag_seconds_bucket", le="+Inf") == 4
    assert now.value("roomcast_loop_lag_seconds_count") == 4
    assert now.value("roomcast_loop_lag_seconds_sum") == pytest.approx(100.003)


@pytest.mark.parametrize(
    ("is_ready", "is_draining"), [(False, False), (True, False), (False, True)], ids=["starting", "serving", "draining"]
)
def test_a_relay_that_starts_is_neither_ready_nor_draining(
    hub: Hub, counters: TransportCounters, is_ready: bool, is_draining: bool
) -> None:
    counters.is_draining = is_draining

    now = scrape(hub, counters, is_ready=is_ready)

    assert now.value("roomcast_ready") == is_ready
    assert now.value("roomcast_draining") == is_draining


def test_build_info_names_what_runs(hub: Hub, counters: TransportCounters) -> None:
    now = scrape(hub, counters)

    labels = now.families["roomcast_build"].samples[0].labels
    assert set(labels) == {"version", "python", "gevent"}
    assert all(labels.values())


def test_lines_that_the_journal_dropped_are_counted(hub: Hub, counters: TransportCounters) -> None:
    journal = Journal(print, size=1)
    for _ in range(3):
        journal.info("joined")

    now = Scrape(RelayCollector(hub, counters, journal, lambda: True, {}).collect())

    assert now.value("roomcast_logs_dropped_total") == 2


def test_one_collector_reads_anew_for_each_scrape(hub: Hub, counters: TransportCounters) -> None:
    collector = RelayCollector(hub, counters, Journal(print), lambda: True, {})
    before = Scrape(collector.collect())

    counters.sent_bytes += 1

    assert before.value("roomcast_sent_bytes_total") == 0
    assert Scrape(collector.collect()).value("roomcast_sent_bytes_total") == 1


def test_openmetrics_form_passes_the_strict_parser() -> None:
    collector = idle_collector()
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")

    # It refuses what promtool's text check lets pass: a gauge with a counter's name, less `_total`.
    parsed = {family.name for family in parse_openmetrics(encode(collector).decode())}

    assert parsed == {family.name for family in collector.collect()}


def test_every_family_says_what_it_counts() -> None:
    for family in idle_collector().collect():
        assert family.documentation.endswith("."), family.name
        assert not family.name.endswith("_seconds") or "seconds" in family.documentation, family.name
        assert not family.name.endswith("_bytes") or "bytes" in family.documentation.lower(), family.name


def test_what_is_held_for_laggards_stands_beside_what_may_be(hub: Hub, counters: TransportCounters) -> None:
    hub.budget.limit_bytes = 1_000
    hub.budget.charge_log(Log(), 300)

    now = scrape(hub, counters)

    assert (now.value("roomcast_lag_bytes"), now.value("roomcast_lag_bytes_limit")) == (300, 1_000)


def test_what_rooms_keep_stands_beside_what_they_may(hub: Hub, counters: TransportCounters) -> None:
    hub.histories.limit_bytes = 1_000
    hub.histories.held_bytes = 300
    hub.histories.forgotten = 2
    hub.rooms.evicted = 3

    now = scrape(hub, counters)

    assert (now.value("roomcast_history_bytes"), now.value("roomcast_history_bytes_limit")) == (300, 1_000)
    assert now.value("roomcast_history_rooms") == 0
    assert now.value("roomcast_history_evictions_total", limit="history_total_max_bytes") == 2
    assert now.value("roomcast_history_evictions_total", limit="rooms_max") == 3


def test_who_came_back_is_counted_by_what_could_not_be_had(hub: Hub, counters: TransportCounters) -> None:
    hub.templates["news"].resume(None)
    hub.templates["news"].resume(Gap.EPOCH)

    now = scrape(hub, counters)

    assert now.value("roomcast_resumes_total", template="news", outcome="resumed") == 1
    assert now.value("roomcast_resumes_total", template="news", outcome="epoch") == 1
    assert now.labels("roomcast_resumes_total", "outcome") == {"resumed", "epoch", "offset", "time"}


def test_rooms_are_named_only_where_the_operator_wants_it() -> None:
    assert "roomcast_busiest_rooms_messages_per_second" not in scrape(idle_hub("rooms"), idle_counters()).families

    named = scrape(idle_hub("rooms", busiest_rooms=2), idle_counters())

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
