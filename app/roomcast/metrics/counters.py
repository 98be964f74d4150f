"""The counters of the transport: what the public door counts, for the collector to read.

Whoever counts adds 1 to a plain integer that it holds. Prometheus' own Counter
takes a lock and looks up a label for each addition: too much beside the hot
path, and a lock that is contended in gevent's hub raises instead of waiting. So
the direction is reversed, and ``collector.py`` walks the integers when a scrape
asks.

Every series that a configuration can have stands there from the first scrape,
at zero. Prometheus sees no increase in a series that is born at 1, and the
first refusal of a page is just the one that somebody is looking for.
"""

from collections.abc import Iterable
from itertools import product
from typing import Protocol

from roomcast.metrics.canary import CanaryCounters
from roomcast.metrics.origins import RefusedOrigins
from roomcast.metrics.record import Record
from roomcast.policies.grants import TokenFault
from roomcast.policies.hits import no_hits
from roomcast.relay.counters import Histogram
from roomcast.relay.reasons import Reason

NO_DIALECT = "none"
"""The ``dialect`` of a handshake that was refused before anybody could tell which it is."""

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
        streams: What is spoken beside the dialects, and has no frames; more values of ``dialect``.
    """

    __slots__ = (
        "canary",
        "config_reloaded_s",
        "config_reloads",
        "connection_duration",
        "connections",
        "connections_limit",
        "deflate_input_bytes",
        "deflate_output_bytes",
        "deflated_messages",
        "disconnects",
        "drain_dismissed",
        "drain_end_s",
        "drain_gone",
        "drain_members",
        "formats",
        "frames_received",
        "frames_sent",
        "handshake_duration",
        "handshakes",
        "is_config_current",
        "is_draining",
        "json_frames_sent",
        "jwks_refreshes",
        "limit_hits",
        "logs_sampled",
        "loop_lag",
        "origin_report_only",
        "origin_shadow",
        "received_bytes",
        "record",
        "refused_origins",
        "sent_bytes",
        "shadow_origins",
        "tls_begins_s",
        "tls_expires_s",
        "tls_reloads",
        "tokens",
    )

    def __init__(
        self,
        dialects: Iterable[str],
        outcomes: Iterable[str],
        reasons: Iterable[str] = tuple(Reason),
        *,
        streams: Iterable[str] = (),
    ) -> None:
        dialects = tuple(dialects)
        spoken = (*dialects, *streams)
        self.connections = dict.fromkeys(spoken, 0)
        self.connections_limit = 0
        self.connection_duration = Histogram(_CONNECTION_BOUNDS_S)
        self.handshakes = dict.fromkeys(product((*spoken, NO_DIALECT), outcomes), 0)
        self.handshake_duration = Histogram(_HANDSHAKE_BOUNDS_S)
        self.disconnects = dict.fromkeys(product(spoken, reasons), 0)
        # By opcode: the protocol adds to these lists itself, one for all connections of a dialect.
        self.frames_received = {dialect: [0] * 16 for dialect in dialects}
        self.frames_sent = {dialect: [0] * 16 for dialect in dialects}
        # Of those who are sent each message as text, whatever it is. By its kind, as rooms count.
        self.json_frames_sent = {dialect: [0] * 16 for dialect in dialects}
        self.received_bytes = 0
        # What the members write by themselves; the rooms' bursts are counted by their formats.
        self.sent_bytes = 0
        self.formats: list[CountsSentBytes] = []
        # What was compressed, once for all members who get it, and what came of it.
        self.deflated_messages = 0
        self.deflate_input_bytes = 0
        self.deflate_output_bytes = 0
        self.origin_report_only = 0
        self.origin_shadow = 0
        # No label: clients choose them. The dashboard shows the foremost.
        self.refused_origins = RefusedOrigins()
        self.shadow_origins = RefusedOrigins()
        # No number, but what stands behind them: how single connections ended. Bounded by ``Record.limit``.
        self.record = Record(0, 3600.0)
        # By the setting's name and what was done.
        self.limit_hits = no_hits()
        # By event: the lines that a flood had too many of.
        self.logs_sampled = {"joined": 0, "left": 0, "refused": 0}
        self.is_draining = False
        # How many there were when it began; of these, how many were told to go, and how many have gone.
        self.drain_members = self.drain_dismissed = self.drain_gone = 0
        # By the clock on the wall; 0 while nothing drains.
        self.drain_end_s = 0.0
        self.canary = CanaryCounters()
        self.loop_lag = Histogram(_LOOP_LAG_BOUNDS_S)
        self.tls_begins_s = 0.0
        self.tls_expires_s = 0.0
        self.tls_reloads = {"done": 0, "failed": 0}
        # The start counts as a configuration that was taken.
        self.config_reloads = {"done": 0, "refused": 0}
        self.config_reloaded_s = 0.0
        self.is_config_current = True
        # By what became of each: a word of TokenFault, or accepted.
        self.tokens: dict[str, int] = {"accepted": 0} | {str(fault): 0 for fault in TokenFault}
        self.jwks_refreshes = {"done": 0, "failed": 0}
