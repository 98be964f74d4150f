"""What a room remembers: its log, how far it is served, and how much of that is kept.

What was served is kept for laggards, who share it, and for those who come later,
where the room's template says so. Nothing is forgotten that nobody was sent yet, and
nothing while a pass runs.
"""

from collections.abc import Callable
from math import inf

from roomcast.relay.budget import Budget
from roomcast.relay.burst import Service
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.history import Histories, Keeper
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

    __slots__ = ("_forgotten", "_services", "at", "histories", "laggards", "log", "name", "rules")

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
        # The offset up to which all that was said is forgotten, though laggards may be fed with it still.
        self._forgotten = log.head
        self.laggards = Laggards(log, counters, budget)
        self.histories = histories
        # The pass that is running, or None.
        self._services: list[Service] | None = None

    @property
    def is_flushing(self) -> bool:
        """Whether a pass is running."""
        return self._services is not None

    # --- for those who come later

    def find_start(self, wish: Wish, epoch: str, now_s: float) -> Start:
        """Return where one begins that wishes for this. See ``start.find_start``."""
        return find_start(
            wish,
            self.log,
            self.at,
            oldest=self.oldest(now_s),
            epoch=epoch,
            now_s=now_s,
            history_messages=self.rules.history_messages,
        )

    def oldest(self, now_s: float) -> int:
        """Return the offset after which all is there for those who come later.

        More may be held: for laggards, or because nobody has come round yet to forget it.
        """
        aged = self.log.before(now_s - self.rules.history_max_age_s) if self.histories is not None else 0
        return max(self.log.first - 1, self._forgotten, aged)

    @property
    def keeps_something(self) -> bool:
        """Whether there is anything in it for those who come later."""
        return self.histories is not None and self.log.first <= self.log.head

    def age(self, now_s: float) -> None:
        """Forget what has grown too old, though nobody speaks."""
        if self.histories is not None and self._services is None:
            # Laggards may need it still. When they have it, nobody knows any more what time it was now.
            self._forgotten = max(self._forgotten, self.log.before(now_s - self.rules.history_max_age_s))
            self._note(self.histories.correct, now_s)

    def obey(self, now_s: float) -> None:
        """Forget what the rules, which have changed, let it keep no more: for laggards, or for those who come later."""
        if self.histories is None:
            self._trim()
        else:
            self.age(now_s)

    def forget_history(self) -> None:
        """Forget what was said so far. Laggards get what they are owed, and nobody else anything of it."""
        self._forgotten = self.log.head
        if self.histories is not None and self._services is None:
            self._note(self.histories.charge, inf)

    # --- after each pass, and whenever somebody has caught up or gone

    def _trim(self, *, is_news: bool = False) -> None:
        """Forget what nobody needs; note what is held, and for whom."""
        if self._services is not None:
            return
        laggards, histories = self.laggards, self.histories
        if histories is None:
            self.log.trim(self.rules.lag_max_bytes if laggards else 0, self.at)
            if laggards or laggards.is_charged:
                laggards.charge(0)
        else:
            self._note(histories.charge if is_news else histories.correct, self.log.newest_s if self.log else 0.0)

    def _note(self, note: Callable[[Keeper, int], None], now_s: float) -> None:
        """Forget what neither a laggard nor the history needs; say what is held for whom."""
        log, rules, laggards = self.log, self.rules, self.laggards
        messages = min(rules.history_messages, log.head - self._forgotten)
        since_s = now_s - rules.history_max_age_s
        log.trim_history(
            rules.lag_max_bytes if laggards else 0,
            self.at,
            messages=messages,
            size_bytes=rules.history_max_bytes,
            since_s=since_s,
        )
        held_bytes = log.size_bytes + log.frame_bytes
        if laggards or laggards.is_charged:
            kept_bytes = self._share_bytes(held_bytes, messages, since_s) if laggards else held_bytes
            laggards.charge(kept_bytes)
            held_bytes = kept_bytes
        note(self, held_bytes)

    def _share_bytes(self, held_bytes: int, messages: int, since_s: float) -> int:
        """Return how much of what is held is the history's, where laggards need more. Frames are shared out alike."""
        log = self.log
        cursor = max(log.head - messages, log.before(since_s))
        kept_bytes = min(log.behind_bytes(cursor), self.rules.history_max_bytes)
        return held_bytes * kept_bytes // log.size_bytes if kept_bytes else 0
