"""What a room remembers: its log, how far it is served, and how much of that is kept.

What was served is kept for laggards, who share it, and for those who come later,
where the room's template says so. Nothing is forgotten that nobody was sent yet, and
nothing while a pass runs.
"""

from math import inf

from roomcast.relay.budget import Budget
from roomcast.relay.burst import Service
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.history import Histories
from roomcast.relay.laggards import Laggards
from roomcast.relay.log import Log
from roomcast.relay.rules import RoomRules
from roomcast.relay.start import Start, Wish, find_start


class RoomLog:
    """The remembering half of a room.

    Args:
        name: The room's.
        rules: Its template's.
        log: What it remembers.
        counters: Its template's.
        budget: What may be held for laggards, in all rooms together.
        histories: What all rooms keep; None where this one keeps nothing.
    """

    __slots__ = ("_is_to_forget", "_services", "at", "histories", "laggards", "log", "name", "rules")

    def __init__(
        self,
        name: str,
        rules: RoomRules,
        log: Log,
        counters: TemplateCounters,
        budget: Budget,
        histories: Histories | None,
    ) -> None:
        self.name = name
        self.rules = rules
        self.log = log
        self.at = log.head
        self.laggards = Laggards(log, counters, budget)
        self.histories = histories
        # The pass that is running, or None.
        self._services: list[Service] | None = None
        self._is_to_forget = False

    @property
    def is_flushing(self) -> bool:
        """Whether a pass is running."""
        return self._services is not None

    # --- for those who come later

    def find_start(self, wish: Wish, epoch: str, now_s: float) -> Start:
        """Return where one begins that wishes for this. See ``start.find_start``."""
        history_messages = self.rules.history_messages
        return find_start(wish, self.log, self.at, epoch=epoch, now_s=now_s, history_messages=history_messages)

    @property
    def keeps_something(self) -> bool:
        """Whether there is anything in it for those who come later."""
        return self.histories is not None and self.log.first <= self.log.head

    def age(self, now_s: float) -> None:
        """Forget what has grown too old, though nobody speaks."""
        if self.histories is not None and self._services is None:
            self.histories.correct(self, self._trim_history(self._lag_bytes(), now_s))

    def forget_history(self) -> None:
        """Forget all that no laggard needs: now, or at the end of the pass that runs."""
        self._is_to_forget = self._services is not None
        if self.histories is not None and not self._is_to_forget:
            self.log.trim_history(self._lag_bytes(), self.at, messages=0, size_bytes=0, since_s=inf)
            self.histories.charge(self, 0)

    # --- after each pass, and whenever somebody has caught up or gone

    def _trim(self, *, is_news: bool = False) -> None:
        """Forget what nobody needs; note what is held, and for whom."""
        if self._services is not None:
            return
        laggards, histories = self.laggards, self.histories
        kept_bytes = 0
        if histories is None:
            self.log.trim(self.rules.lag_max_bytes if laggards else 0, self.at)
        else:
            kept_bytes = self._trim_history(self._lag_bytes(), self.log.newest_s if self.log else 0.0)
            note = histories.charge if is_news else histories.correct
            note(self, kept_bytes)
            if self._is_to_forget:
                self.forget_history()
                kept_bytes = 0
        if laggards or laggards.is_charged:
            laggards.charge(kept_bytes)

    def _trim_history(self, keep_bytes: int, now_s: float) -> int:
        """Forget what neither a laggard nor the history needs; return how much of the rest is the history's."""
        log, rules = self.log, self.rules
        log.trim_history(
            keep_bytes,
            self.at,
            messages=rules.history_messages,
            size_bytes=rules.history_max_bytes,
            since_s=now_s - rules.history_max_age_s,
        )
        held_bytes = log.size_bytes + log.frame_bytes
        if log.size_bytes <= rules.history_max_bytes:
            return held_bytes
        # More is held than may be kept, for laggards. The frames are shared out alike.
        return held_bytes * rules.history_max_bytes // log.size_bytes

    def _lag_bytes(self) -> int:
        return self.rules.lag_max_bytes if self.laggards else 0
