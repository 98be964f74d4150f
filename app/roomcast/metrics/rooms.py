"""What Prometheus is told of rooms: who is in them, what they keep, and what is said there."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from roomcast.metrics.by_template import ByTemplate
from roomcast.metrics.families import counter, histogram
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.hub import Hub
from roomcast.relay.reasons import Reason
from roomcast.relay.start import Gap

_KINDS = ("text", "binary")
_REASONS = tuple(map(str, Reason))
_NO_DROPS = (0,) * len(_REASONS)


class RoomFamilies:
    """The families of the hub's counters.

    Args:
        hub: The rooms and their counters.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Yield all of them, as they are now."""
        yield from self._members()
        yield from self._busiest()
        yield from self._histories()
        yield from self._messages()

    def _members(self) -> Iterator[Metric]:
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
        yield counter(
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
        yield histogram(
            "roomcast_message_size_bytes", "Size of a message that came in, in bytes.", self._hub.message_sizes
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
