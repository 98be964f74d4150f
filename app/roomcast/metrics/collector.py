"""What Prometheus is told: the reader of all counters, the transport's and, by ``rooms.py``, the rooms'.

``RelayCollector`` walks plain integers when a scrape asks (``counters.py`` says
why). It never switches greenlets; who asks it for the next family may have done so.

No gauge here shares a counter's name less ``_total``: in OpenMetrics both would
be one family, and the whole scrape would be invalid.
"""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from roomcast.logs import Journal
from roomcast.metrics.counters import TransportCounters
from roomcast.metrics.families import counter, gauge, histogram
from roomcast.metrics.rooms import RoomFamilies
from roomcast.policies.hits import Action
from roomcast.relay.hub import Hub

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
        self._rooms = RoomFamilies(hub)
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
        yield from self._config()
        yield from self._drain()
        yield from self._connections()
        yield from self._handshakes()
        yield from self._tls()
        yield from self._tokens()
        yield from self._limits()
        yield from self._rooms.collect()
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

    def _config(self) -> Iterator[Metric]:
        counters = self._counters
        yield counter(
            "roomcast_config_reloads_total",
            "How often the configuration was read again, and whether it was taken.",
            ["outcome"],
            counters.config_reloads,
        )
        yield GaugeMetricFamily(
            "roomcast_config_last_reload_timestamp_seconds",
            "When the configuration that holds was taken, in seconds since the epoch; the start counts.",
            counters.config_reloaded_s,
        )
        yield GaugeMetricFamily(
            "roomcast_config_last_reload_successful",
            "1 if the configuration was taken when it was last read, the start included; else 0.",
            int(counters.is_config_current),
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
        yield gauge(
            "roomcast_connections",
            "Open connections of members: WebSockets, and event streams (sse).",
            ["dialect"],
            counters.connections,
        )
        yield GaugeMetricFamily(
            "roomcast_connections_limit", "Connections above which newcomers get 503.", counters.connections_limit
        )
        yield histogram(
            "roomcast_connection_duration_seconds",
            "How long a connection lasted, in seconds, counted at its end.",
            counters.connection_duration,
        )
        yield counter(
            "roomcast_disconnects_total", "Connections that ended.", ["dialect", "reason"], counters.disconnects
        )

    def _handshakes(self) -> Iterator[Metric]:
        counters = self._counters
        yield counter(
            "roomcast_handshakes_total",
            "Requests at the public door, by what became of them.",
            ["dialect", "outcome"],
            counters.handshakes,
        )
        yield histogram(
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
            "roomcast_tls_certificate_start_timestamp_seconds",
            "From when on the public door's certificate is valid, in seconds since the epoch; 0 without TLS.",
            counters.tls_begins_s,
        )
        yield GaugeMetricFamily(
            "roomcast_tls_certificate_expiry_timestamp_seconds",
            "When the public door's certificate ends, in seconds since the epoch; 0 without TLS.",
            counters.tls_expires_s,
        )
        yield counter(
            "roomcast_tls_reloads_total",
            "How often the certificate was read again, and whether it is served since.",
            ["outcome"],
            counters.tls_reloads,
        )

    def _tokens(self) -> Iterator[Metric]:
        counters = self._counters
        yield counter(
            "roomcast_tokens_total",
            "Tokens of newcomers, and those that were missing, by what became of each.",
            ["outcome"],
            counters.tokens,
        )
        yield counter(
            "roomcast_jwks_refreshes_total",
            "How often jwks_url was asked for keys, and whether it gave some.",
            ["outcome"],
            counters.jwks_refreshes,
        )

    def _limits(self) -> Iterator[Metric]:
        hits = self._counters.limit_hits.copy()
        # A room counts its own: it knows no settings, only its template.
        hits["lag_max_bytes", Action.DROPPED] += sum(of.skips for of in self._hub.templates.values())
        yield counter(
            "roomcast_limit_hits_total",
            "How often a limit was exceeded, by its setting's name and what was done about it.",
            ["limit", "action"],
            hits,
        )

    def _frames(self) -> Iterator[Metric]:
        counters = self._counters
        labels = ["dialect", "opcode"]
        yield counter("roomcast_frames_received_total", "Frames read.", labels, _by_opcode(counters.frames_received))
        sent = _by_opcode(counters.frames_sent)
        for dialect, frames in counters.json_frames_sent.items():
            sent[dialect, "text"] += sum(frames)
        yield counter("roomcast_frames_sent_total", "Frames written.", labels, sent)
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
        yield counter(
            "roomcast_api_requests_total",
            "Requests of the API, by what they were answered.",
            ["method", "route", "status"],
            self._api_requests,
        )

    def _canary(self) -> Iterator[Metric]:
        canary = self._counters.canary
        yield counter(
            "roomcast_canary_runs_total",
            "Rounds of the canary, which enters by the public door as a client does, by how each ended.",
            ["outcome"],
            canary.runs,
        )
        yield histogram(
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
        yield histogram(
            "roomcast_flush_duration_seconds", "Time one room's flush took, in seconds.", self._hub.flushing.durations
        )
        yield histogram(
            "roomcast_loop_lag_seconds", "How late the loop ran a timer, in seconds.", self._counters.loop_lag
        )
        yield GaugeMetricFamily(
            "roomcast_record_entries",
            "Refusals and closes that are remembered, for whoever asks why.",
            len(self._counters.record),
        )
        yield counter(
            "roomcast_logs_sampled_total",
            "Log lines of those who come, go or are refused that were left out, because there were too many.",
            ["event"],
            self._counters.logs_sampled,
        )
        yield CounterMetricFamily(
            "roomcast_logs_dropped_total",
            "Log lines lost because they were not written as fast as they came.",
            self._journal.dropped,
        )


def _by_opcode(frames: Mapping[str, Sequence[int]]) -> dict[tuple[str, str], int]:
    return {(dialect, word): counts[opcode] for dialect, counts in frames.items() for word, opcode in _OPCODES.items()}
