"""What Prometheus is told: the reader of all counters, the transport's and the rooms'.

``RelayCollector`` walks plain integers when a scrape asks (``counters.py`` says
why). It never switches greenlets; who asks it for the next family may have done so.

No gauge here shares a counter's name less ``_total``: in OpenMetrics both would
be one family, and the whole scrape would be invalid.
"""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version

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
from roomcast.metrics.by_template import ByTemplate
from roomcast.metrics.counters import TransportCounters
from roomcast.policies.hits import Action
from roomcast.relay.counters import Histogram, TemplateCounters
from roomcast.relay.hub import Hub
from roomcast.relay.reasons import Reason
from roomcast.relay.start import Gap

_KINDS = ("text", "binary")
_REASONS = tuple(map(str, Reason))
_NO_DROPS = (0,) * len(_REASONS)
# Opcodes of RFC 6455 that exist; the other ten of the sixteen are refused, not counted.
_OPCODES = {"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}


class RelayCollector(Collector):
    """Every metric of this process, as it is at the moment of the scrape.

    It is no part of prometheus-client's global registry: two relays in one
    process, as in the tests, would add up there.

    Args:
        hub: The rooms and their counters.
        counters: The public door's.
        journal: The log, which counts the lines it had to drop.
        is_ready: Whether this relay wants new members, as ``/readyz`` says.
        api_requests: The API's answers, by method, route and status.
    """

    def __init__(
        self,
        hub: Hub,
        counters: TransportCounters,
        journal: Journal,
        is_ready: Callable[[], bool],
        api_requests: Mapping[tuple[str, str, str], int],
    ) -> None:
        self._hub = hub
        self._counters = counters
        self._journal = journal
        self._is_ready = is_ready
        self._api_requests = api_requests
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
        yield from self._drain()
        yield from self._connections()
        yield from self._handshakes()
        yield from self._tls()
        yield from self._tokens()
        yield from self._limits()
        yield from self._rooms()
        yield from self._busiest()
        yield from self._histories()
        yield from self._messages()
        yield from self._frames()
        yield from self._compression()
        yield from self._api()
        yield from self._loop()
        yield from self._canary()
        yield from self._process.collect()

    def _state(self) -> Iterator[Metric]:
        yield InfoMetricFamily("roomcast_build", "What is running, as labels; the value is 1.", self._build)
        # Not the opposite of draining: a relay that is still starting is neither.
        yield GaugeMetricFamily("roomcast_ready", "1 while new members are wanted, else 0.", int(self._is_ready()))
        yield GaugeMetricFamily(
            "roomcast_draining", "1 from the request to stop until the end, else 0.", int(self._counters.is_draining)
        )

    def _drain(self) -> Iterator[Metric]:
        counters = self._counters
        yield GaugeMetricFamily(
            "roomcast_drain_members", "How many members there were when the drain began.", counters.drain_members
        )
        yield GaugeMetricFamily(
            "roomcast_drain_dismissed", "How many of these were told to go so far.", counters.drain_dismissed
        )
        yield GaugeMetricFamily("roomcast_drain_gone", "How many of these have gone so far.", counters.drain_gone)
        yield GaugeMetricFamily(
            "roomcast_drain_end_timestamp_seconds",
            "When whoever is left is cut, in seconds since the epoch; 0 while the relay does not drain.",
            counters.drain_end_s,
        )

    def _connections(self) -> Iterator[Metric]:
        counters = self._counters
        yield _gauge(
            "roomcast_connections",
            "Open connections of members: WebSockets, and event streams (sse).",
            ["dialect"],
            counters.connections,
        )
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
            "From accepting a connection to its 101, or the 200 of its event stream, in seconds.",
            counters.handshake_duration,
        )
        yield CounterMetricFamily(
            "roomcast_origin_report_only_total",
            "Handshakes that the origin policy would have refused, had it been enforced.",
            counters.origin_report_only,
        )
        yield CounterMetricFamily(
            "roomcast_origin_shadow_total",
            "Handshakes let in that the shadow list of origins would have refused.",
            counters.origin_shadow,
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

    def _tokens(self) -> Iterator[Metric]:
        counters = self._counters
        yield _counter(
            "roomcast_tokens_total",
            "Tokens of newcomers, and those that were missing, by what became of each.",
            ["outcome"],
            counters.tokens,
        )
        yield _counter(
            "roomcast_jwks_refreshes_total",
            "How often jwks_url was asked for keys, and whether it gave some.",
            ["outcome"],
            counters.jwks_refreshes,
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

    def _busiest(self) -> Iterator[Metric]:
        if self._hub.busiest is None:
            return
        rates = self._hub.busiest.per_second()
        family = GaugeMetricFamily(
            "roomcast_busiest_rooms_messages_per_second",
            "Messages a second in the rooms where most is said, and in all others together (other).",
            labels=["room"],
        )
        # A room's name begins with a slash, so none is taken for this.
        for room, per_s in (*rates.named, ("other", rates.other)):
            family.add_metric((room,), per_s)
        yield family

    def _histories(self) -> Iterator[Metric]:
        histories, rooms = self._hub.histories, self._hub.rooms
        yield GaugeMetricFamily("roomcast_history_rooms", "Rooms that keep something.", len(histories))
        yield GaugeMetricFamily(
            "roomcast_history_bytes", "Memory that rooms keep for those who come later, in bytes.", histories.held_bytes
        )
        yield GaugeMetricFamily(
            "roomcast_history_bytes_limit",
            "Memory that rooms may keep for those who come later, in bytes; 0 for no limit.",
            histories.limit_bytes,
        )
        yield _counter(
            "roomcast_history_evictions_total",
            "How often a room lost all it kept, by the limit that was reached.",
            ["limit"],
            {"history_total_max_bytes": histories.forgotten, "rooms_max": rooms.evicted},
        )
        yield self._count_by_template(
            "roomcast_resumes",
            "Newcomers that wanted all they had missed: resumed, or what it is that could not be had.",
            lambda of: list(of.resumes.values()),
            "outcome",
            # In the order of `TemplateCounters.resumes`.
            ["resumed", *map(str, Gap)],
        )

    def _messages(self) -> Iterator[Metric]:
        yield self._count_by_template(
            "roomcast_messages_received",
            "Messages that members sent.",
            lambda of: (of.received_text, of.received_binary),
            "kind",
            _KINDS,
        )
        yield self._count_by_template(
            "roomcast_messages_published",
            "Messages that came in by the API.",
            lambda of: (of.published_text, of.published_binary),
            "kind",
            _KINDS,
        )
        yield self._count_by_template(
            "roomcast_messages_delivered",
            "Messages taken by the kernel, once for each member they went to.",
            lambda of: (of.delivered,),
        )
        # All of them: a laggard that ends for whatever reason has lost what it was owed.
        yield self._count_by_template(
            "roomcast_messages_dropped",
            "Messages lost: owed to a member that did not get them, or of one that may send no more.",
            lambda of: [of.dropped.get(reason, 0) for reason in Reason] if of.dropped else _NO_DROPS,
            "reason",
            _REASONS,
        )
        yield _histogram(
            "roomcast_message_size_bytes", "Size of a message that came in, in bytes.", self._hub.message_sizes
        )

    def _frames(self) -> Iterator[Metric]:
        counters = self._counters
        labels = ["dialect", "opcode"]
        yield _counter("roomcast_frames_received_total", "Frames read.", labels, _by_opcode(counters.frames_received))
        sent = _by_opcode(counters.frames_sent)
        for dialect, frames in counters.json_frames_sent.items():
            sent[dialect, "text"] += sum(frames)
        yield _counter("roomcast_frames_sent_total", "Frames written.", labels, sent)
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

    def _api(self) -> Iterator[Metric]:
        yield _counter(
            "roomcast_api_requests_total",
            "Requests of the API, by what they were answered.",
            ["method", "route", "status"],
            self._api_requests,
        )

    def _canary(self) -> Iterator[Metric]:
        canary = self._counters.canary
        yield _counter(
            "roomcast_canary_runs_total",
            "Rounds of the canary, which enters by the public door as a client does, by how each ended.",
            ["outcome"],
            canary.runs,
        )
        yield _histogram(
            "roomcast_canary_round_trip_seconds",
            "From the canary's message to its return through its room, in seconds.",
            canary.round_trip,
        )
        yield GaugeMetricFamily(
            "roomcast_canary_last_success_timestamp_seconds",
            "When the canary's message last came back, in seconds since the epoch; 0: never.",
            canary.succeeded_s,
        )

    def _loop(self) -> Iterator[Metric]:
        yield _histogram(
            "roomcast_flush_duration_seconds", "Time one room's flush took, in seconds.", self._hub.flushing.durations
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
        return ByTemplate(name, text, "gauge", self._hub.templates.values(), lambda of: (read(of),))

    def _count_by_template(
        self,
        name: str,
        text: str,
        read: Callable[[TemplateCounters], Sequence[int]],
        label: str = "",
        words: Sequence[str] = (),
    ) -> Metric:
        return ByTemplate(name, text, "counter", self._hub.templates.values(), read, label, words)


_Series = Mapping[str, int] | Mapping[tuple[str, str], int] | Mapping[tuple[str, str, str], int]
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
