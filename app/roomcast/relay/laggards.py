"""Those of one room who are behind: how far each has come, and what is held for them all."""

from collections.abc import Iterator

from roomcast.relay.budget import Budget
from roomcast.relay.burst import Burst
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.log import Log
from roomcast.relay.member import Behind, Member
from roomcast.relay.message import Kind, Message, WireFormat


class Lag:
    """Where a laggard is: the last offset that it has, and the kind of the frame that is half written."""

    __slots__ = ("cursor", "half_written")

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.half_written: Kind | None = None


class Laggards(dict[Member, Lag]):
    """The laggards of a room, and what they cost.

    A dict itself, and not an object that has one: a room asks after each pass
    whether there are any, and nearly always there are none.

    Args:
        log: The room's; it is kept for them.
        counters: Of the room's template.
        budget: Told what the log holds, while anybody is behind.
    """

    __slots__ = ("_budget", "_counters", "_log", "is_charged")

    def __init__(self, log: Log, counters: TemplateCounters, budget: Budget) -> None:
        super().__init__()
        self.is_charged = False
        self._log = log
        self._counters = counters
        self._budget = budget

    def add(self, member: Member, cursor: int) -> Lag:
        """Let a member be behind."""
        lag = self[member] = Lag(cursor)
        self._counters.laggards += 1
        return lag

    def remove(self, member: Member) -> Lag | None:
        """Forget one that has caught up or leaves; return where it was, None for one that is up to date."""
        lag = self.pop(member, None)
        if lag is not None:
            self._counters.laggards -= 1
        return lag

    def burst(self, batch: list[Message], wire_format: WireFormat, *, is_echoed: bool) -> Burst:
        """Join a batch for one of them. If nobody of its format is up to date, it is encoded only now, and counted."""
        fresh = [message for message in batch if not message.has_frame(wire_format)]
        burst = Burst(batch, wire_format, is_echoed=is_echoed)
        self._log.frame_bytes += sum([len(message.frame(wire_format) or b"") for message in fresh])
        return burst

    def count_rest(self, member: Member, lag: Lag, kind: Kind) -> None:
        """Count the frame that was half written: its rest is out, and only now it was delivered."""
        lag.half_written = None
        member.wire_format.frames_sent[kind] += 1
        self._counters.delivered += 1

    def has_overflowed(self, lag: Lag) -> bool:
        """Whether what it needs next is not in the log any more."""
        return lag.cursor < self._log.first - 1

    def behind(self, member: Member) -> Behind | None:
        """Return how far a member is behind; None if it is not."""
        lag = self.get(member)
        if lag is None:
            return None
        messages = self._log.head - lag.cursor + (lag.half_written is not None)
        return Behind(messages, self._log.behind_bytes(lag.cursor))

    def charge(self, kept_bytes: int) -> None:
        """Tell the budget what is held now, less what is kept in any case. For each pass, and not for each message."""
        held_bytes = self._log.size_bytes + self._log.frame_bytes - kept_bytes if self else 0
        self.is_charged = held_bytes > 0
        self._budget.charge_log(self._log, held_bytes)

    def by_lag(self) -> Iterator[tuple[int, Member]]:
        """Yield each with the bytes of the log that it is behind."""
        for member, lag in self.items():
            yield self._log.behind_bytes(lag.cursor), member
