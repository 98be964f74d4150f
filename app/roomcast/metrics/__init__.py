"""Metrics: ``counters.py`` is what the transport writes, ``collector.py`` what Prometheus is told when it asks."""

from roomcast.metrics.collector import RelayCollector
from roomcast.metrics.counters import NO_DIALECT, CountsSentBytes, TransportCounters

__all__ = ["NO_DIALECT", "CountsSentBytes", "RelayCollector", "TransportCounters"]
