from __future__ import annotations

import pytest
from prometheus_client import generate_latest
from prometheus_client.exposition import choose_encoder

from roomcast.logs import Journal
from roomcast.metrics import NO_DIALECT, RelayCollector, TransportCounters
from roomcast.policies.hits import no_hits
from roomcast.relay.hub import Hub
from roomcast.relay.reasons import Reason
from tests.idle import idle_collector, idle_counters, idle_hub
from tests.metrics.scrape import Scrape, parse_openmetrics


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
