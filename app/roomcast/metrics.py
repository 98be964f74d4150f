"""What Prometheus is told: the counters of the transport, and the reader of all counters.

Whoever counts adds 1 to a plain integer that it holds. Prometheus' own Counter
takes a lock and looks up a label for each addition: too much beside the hot
path, and a lock that is contended in gevent's hub raises instead of waiting. So
the direction is reversed: ``RelayCollector`` walks the integers when a scrape
asks. It never switches greenlets while it reads, so one scrape is one moment.

Every series that a configuration can have stands there from the first scrape,
at zero. Prometheus sees no increase in a series that is born at 1, and the
first refusal of a page is just the one that somebody is looking for.

No gauge here shares a counter's name less ``_total``: in OpenMetrics both would
be one family, and the whole scrape would be invalid.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import product
from typing import Protocol

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from roomcast.logs import Journal
from roomcast.policies.hits import Action, no_hits
from roomcast.relay.counters import Histogram, TemplateCounters
from roomcast.relay.hub import Hub
from roomcast.relay.reasons import Reason

NO_DIALECT = "none"
"""The ``dialect`` of a handshake that was refused before anybody could tell which it is."""

# Opcodes of RFC 6455 that exist; the other ten of the sixteen are refused, not counted.
_OPCODES = {"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}

# From a page that is closed at once to a screen on a wall.
_CONNECTION_BOUNDS_S = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
# Ours takes 0.1 ms; the rest is the client's network, up to handshake_timeout_s.
_HANDSHAKE_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0)
# 50 ms is the longest that the loop may be away; above 1 s the watchdog speaks.
_LOOP_LAG_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class CountsSentBytes(Protocol):
    """A wire format, as far as it concerns us."""

    sent_bytes: int


class TransportCounters:
    """The numbers of the public door. The transport writes them, and nobody else.

    Args:
        dialects: The values of the label ``dialect``.
        outcomes: How a handshake can end: the values of the label ``outcome``.
        reasons: Why a connection can end: the values of the label ``reason``.
    """

    __slots__ = (
        "connection_duration",
        "connections",
        "connections_limit",
        "deflate_input_bytes",
        "deflate_output_bytes",
        "deflated_messages",
        "disconnects",
        "formats",
        "frames_received",
        "frames_sent",
        "handshake_duration",
        "handshakes",
        "is_draining",
        "limit_hits",
        "loop_lag",
        "origin_report_only",
        "received_bytes",
        "sent_bytes",
        "tls_expires_s",
        "tls_reloads",
    )

    def __init__(
        self, dialects: Iterable[str], outcomes: Iterable[str], reasons: Iterable[str] = tuple(Reason)
    ) -> None:
        dialects = tuple(dialects)
        self.connections = dict.fromkeys(dialects, 0)
        self.connections_limit = 0
        self.connection_duration = Histogram(_CONNECTION_BOUNDS_S)
        self.handshakes = dict.fromkeys(product((*dialects, NO_DIALECT), outcomes), 0)
        self.handshake_duration = Histogram(_HANDSHAKE_BOUNDS_S)
        self.disconnects = dict.fromkeys(product(dialects, reasons), 0)
        # By opcode: the protocol adds to these lists itself, one for all connections of a dialect.
        self.frames_received = {dialect: [0] * 16 for dialect in dialects}
        self.frames_sent = {dialect: [0] * 16 for dialect in dialects}
        self.received_bytes = 0
        # What the members write by themselves; the rooms' bursts are counted by their formats.
        self.sent_bytes = 0
        self.formats: list[CountsSentBytes] = []
        # What was compressed, once for all members who get it, and what came of it.
        self.deflated_messages = 0
        self.deflate_input_bytes = 0
        self.deflate_output_bytes = 0
        self.origin_report_only = 0
        # By the setting's name and what was done.
        self.limit_hits = no_hits()
        self.is_draining = False
        self.loop_lag = Histogram(_LOOP_LAG_BOUNDS_S)
        self.tls_expires_s = 0.0
        self.tls_reloads = {"done": 0, "failed": 0}


class RelayCollector(Collector):
    """Every metric of this process, as it is at the moment of the scrape.

    It is no part of prometheus-client's global registry: two relays in one
    process, as in the tests, would add up there.

    Args:
        hub: The rooms and their counters.
        counters: The public door's.
        journal: The log, which counts the lines it had to drop.
        is_ready: Whether this relay wants new members, as ``/readyz`` says.
    """

    def __init__(self, hub: Hub, counters: TransportCounters, journal: Journal, is_ready: Callable[[], bool]) -> None:
        self._hub = hub
        self._counters = counters
        self._journal = journal
        self._is_ready = is_ready
        # Read once: a version is looked up in files.
        self._build = {
            "version": version("roomcast"),
            "python": platform.python_version(),
            "gevent": version("gevent"),
        }
        self._process = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        """Yield all families. Called by prometheus-client for each scrape."""
        yield from self._state()
        yield from self._connections()
        yield from self._handshakes()
        yield from self._tls()
        yield from self._limits()
        yield from self._rooms()
        yield from self._messages()
        yield from self._frames()
        yield from self._compression()
        yield from self._loop()
        yield from self._process.collect()

    def _state(self) -> Iterator[Metric]:
        yield InfoMetricFamily("roomcast_build", "What is running, as labels; the value is 1.", self._build)
        # Not the opposite of draining: a relay that is still starting is neither.
        yield GaugeMetricFamily("roomcast_ready", "1 while new members are wanted, else 0.", int(self._is_ready()))
        yield GaugeMetricFamily(
            "roomcast_draining", "1 from the request to stop until the end, else 0.", int(self._counters.is_draining)
        )

    def _connections(self) -> Iterator[Metric]:
        counters = self._counters
        yield _gauge("roomcast_connections", "Open WebSocket connections.", ["dialect"], counters.connections)
        yield GaugeMetricFamily(
            "roomcast_connections_limit", "Connections above which newcomers get 503.", counters.connections_limit
        )
        yield _histogram(
            "roomcast_connection_duration_seconds",
            "How long a connection lasted, in seconds, counted at its end.",
            counters.connection_duration,
        )
        yield _counter(
            "roomcast_disconnects_total", "Connections that ended.", ["dialect", "reason"], counters.disconnects
        )

    def _handshakes(self) -> Iterator[Metric]:
        counters = self._counters
        yield _counter(
            "roomcast_handshakes_total",
            "Requests at the public door, by what became of them.",
            ["dialect", "outcome"],
            counters.handshakes,
        )
        yield _histogram(
            "roomcast_handshake_duration_seconds",
            "From accepting a connection to its 101, in seconds.",
            counters.handshake_duration,
        )
        yield CounterMetricFamily(
            "roomcast_origin_report_only_total",
            "Handshakes that the origin policy would have refused, had it been enforced.",
            counters.origin_report_only,
        )

    def _tls(self) -> Iterator[Metric]:
        counters = self._counters
        yield GaugeMetricFamily(
            "roomcast_tls_certificate_expiry_timestamp_seconds",
            "When the public door's certificate ends, in seconds since the epoch; 0 without TLS.",
            counters.tls_expires_s,
        )
        yield _counter(
            "roomcast_tls_reloads_total",
            "How often the certificate was read again, and whether it is served since.",
            ["outcome"],
            counters.tls_reloads,
        )

    def _limits(self) -> Iterator[Metric]:
        hits = self._counters.limit_hits.copy()
        # A room counts its own: it knows no settings, only its template.
        hits["lag_max_bytes", Action.DROPPED] += sum(of.skips for of in self._hub.templates.values())
        yield _counter(
            "roomcast_limit_hits_total",
            "How often a limit was exceeded, by its setting's name and what was done about it.",
            ["limit", "action"],
            hits,
        )

    def _rooms(self) -> Iterator[Metric]:
        yield self._by_template("roomcast_rooms", "Rooms with a member in them.", lambda of: of.rooms)
        yield self._by_template("roomcast_members", "Members of all rooms.", lambda of: of.members)
        yield self._by_template("roomcast_laggards", "Members that are behind their room.", lambda of: of.laggards)
        yield self._by_template(
            "roomcast_publishers_paused",
            "Members not read from because their room owes too much.",
            lambda of: of.publishers_paused,
        )
        yield GaugeMetricFamily(
            "roomcast_lag_bytes", "Memory held for laggards, over all rooms, in bytes.", self._hub.budget.held_bytes
        )
        yield GaugeMetricFamily(
            "roomcast_lag_bytes_limit",
            "Memory that may be held for laggards, in bytes; 0 for no limit.",
            self._hub.budget.limit_bytes,
        )

    def _messages(self) -> Iterator[Metric]:
        templates = self._hub.templates.values()
        received = {(of.name, "text"): of.received_text for of in templates}
        received |= {(of.name, "binary"): of.received_binary for of in templates}
        dropped = {(of.name, reason.value): of.dropped.get(reason, 0) for of in templates for reason in Reason}
        yield _counter(
            "roomcast_messages_received_total", "Messages that members sent.", ["template", "kind"], received
        )
        yield _counter(
            "roomcast_messages_delivered_total",
            "Messages taken by the kernel, once for each member they went to.",
            ["template"],
            {of.name: of.delivered for of in templates},
        )
        yield _counter(
            "roomcast_messages_dropped_total",
            "Messages lost: owed to a member that did not get them, or of one that may send no more.",
            ["template", "reason"],
            dropped,
        )
        yield _histogram("roomcast_message_size_bytes", "Size of a received message in bytes.", self._hub.message_sizes)

    def _frames(self) -> Iterator[Metric]:
        counters = self._counters
        labels = ["dialect", "opcode"]
        yield _counter("roomcast_frames_received_total", "Frames read.", labels, _by_opcode(counters.frames_received))
        yield _counter("roomcast_frames_sent_total", "Frames written.", labels, _by_opcode(counters.frames_sent))
        yield CounterMetricFamily(
            "roomcast_received_bytes_total", "Bytes read from the public door.", counters.received_bytes
        )
        yield CounterMetricFamily(
            "roomcast_sent_bytes_total",
            "Bytes the kernel took at the public door.",
            counters.sent_bytes + sum(form.sent_bytes for form in counters.formats),
        )

    def _compression(self) -> Iterator[Metric]:
        counters = self._counters
        yield CounterMetricFamily(
            "roomcast_deflated_messages_total",
            "Messages compressed, once for all members that have one window.",
            counters.deflated_messages,
        )
        yield CounterMetricFamily(
            "roomcast_deflate_input_bytes_total", "Bytes of those messages.", counters.deflate_input_bytes
        )
        yield CounterMetricFamily(
            "roomcast_deflate_output_bytes_total",
            "Bytes that were sent for them, compressed or, where that is shorter, as they were.",
            counters.deflate_output_bytes,
        )

    def _loop(self) -> Iterator[Metric]:
        yield _histogram(
            "roomcast_flush_duration_seconds", "Time one room's flush took, in seconds.", self._hub.flush_durations
        )
        yield _histogram(
            "roomcast_loop_lag_seconds", "How late the loop ran a timer, in seconds.", self._counters.loop_lag
        )
        yield CounterMetricFamily(
            "roomcast_logs_dropped_total",
            "Log lines lost because they were not written as fast as they came.",
            self._journal.dropped,
        )

    def _by_template(self, name: str, text: str, read: Callable[[TemplateCounters], int]) -> Metric:
        return _gauge(name, text, ["template"], {of.name: read(of) for of in self._hub.templates.values()})


_Series = Mapping[str, int] | Mapping[tuple[str, str], int]
"""Values by label values: a bare word where the family has one label."""


def _gauge(name: str, text: str, labels: Sequence[str], series: _Series) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    _fill(family, series)
    return family


def _counter(name: str, text: str, labels: Sequence[str], series: _Series) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    _fill(family, series)
    return family


def _fill(family: GaugeMetricFamily | CounterMetricFamily, series: _Series) -> None:
    for key, value in series.items():
        family.add_metric((key,) if isinstance(key, str) else key, value)


def _histogram(name: str, text: str, values: Histogram) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    # Prometheus' buckets are cumulated, "at most le"; ours are not, so that an
    # observation touches one integer instead of all above it.
    for bound, count in zip((*map(float, values.bounds), "+Inf"), values.counts, strict=True):
        total += count
        buckets.append((str(bound), total))
    return HistogramMetricFamily(name, text, buckets, values.sum)


def _by_opcode(frames: Mapping[str, Sequence[int]]) -> dict[tuple[str, str], int]:
    return {(dialect, word): counts[opcode] for dialect, counts in frames.items() for word, opcode in _OPCODES.items()}
