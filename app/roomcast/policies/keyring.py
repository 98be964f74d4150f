"""The keys in force: those of the configuration, and those that a URL gave, the older ones among them for a while.

Whoever rotates keys publishes the new one, and some day drops the old one, while
tokens that it signed are still about. So a key that is missing from a newer answer
goes on for some time. When to ask the URL again is decided here, too; asking is
somebody else's business, and so are the clock and the dice.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from roomcast.policies.keys import Key

FIRST_RETRY_S = 1.0
"""How soon a URL that failed is asked again; each further failure doubles it, up to the usual interval."""
EARLY_EVERY_S = 10.0
"""How often tokens with unknown keys may have the URL asked before its time, all of them together: else
whoever makes some up sets the load of the one who serves the keys."""
OVERLAP = 2
"""How many intervals a key goes on that the URL does not give any more."""


class KeyRing:
    """The keys.

    Args:
        fixed: Those of the configuration.
        refresh_s: How often the URL is asked.
    """

    __slots__ = ("_early_s", "_failures", "_fetched", "_fixed", "_refresh_s")

    def __init__(self, fixed: Sequence[Key], refresh_s: float = 0.0) -> None:
        self._fixed = tuple(fixed)
        self._refresh_s = refresh_s
        # By name and identity, with when each ends: inf for those that the URL still gives.
        self._fetched: dict[tuple[str | None, bytes], tuple[Key, float]] = {}
        self._failures = 0
        self._early_s: float | None = None

    def find(self, algorithm: str, kid: str | None) -> list[Key]:
        """Return the keys that may have signed a token: of its algorithm, with its ``kid``, or without any."""
        keys = [*self._fixed, *(key for key, _ in self._fetched.values())]
        return [key for key in keys if key.algorithm == algorithm and (kid is None or key.kid in (None, kid))]

    def knows(self, kid: str) -> bool:
        """Say whether a key has this name."""
        return any(key.kid == kid for key in (*self._fixed, *(key for key, _ in self._fetched.values())))

    def take_over(self, before: KeyRing) -> None:
        """Go on with what the same URL gave to another ring."""
        self._fetched = dict(before._fetched)

    def fetched(self, keys: Sequence[Key], now_s: float) -> None:
        """Take what the URL gave. What it gave before and does not give any more goes on for ``OVERLAP`` intervals.

        Args:
            keys: All that it gave.
            now_s: When, on a clock that is not set back.
        """
        self._failures = 0
        ends_s = now_s + OVERLAP * self._refresh_s
        fresh = {(key.kid, key.identity): (key, inf) for key in keys}
        self.drop_ended(now_s)
        gone = {name: (key, min(end_s, ends_s)) for name, (key, end_s) in self._fetched.items()}
        # The new ones first: they sign what comes.
        self._fetched = fresh | {name: entry for name, entry in gone.items() if name not in fresh}

    def drop_ended(self, now_s: float) -> None:
        """Let go of the keys whose time is over: to be called before keys are looked for.

        Not only when the URL answers: whoever stole a key, and can keep the URL from us, would use it for ever.

        Args:
            now_s: As for ``fetched``.
        """
        self._fetched = {name: entry for name, entry in self._fetched.items() if entry[1] > now_s}

    def failed(self) -> None:
        """Note that the URL gave nothing of use. Keys that it gave last stay, for as long as that lasts."""
        self._failures += 1

    def wait_s(self, dice: float) -> float:
        """Return how long to wait before the URL is asked again.

        Args:
            dice: At least 0 and less than 1, another one each time: relays that failed together
                should not come back together.
        """
        if not self._failures:
            return self._refresh_s * (0.9 + 0.1 * dice)
        ceiling_s = min(FIRST_RETRY_S * 2.0 ** min(self._failures - 1, 30), self._refresh_s)
        return ceiling_s * (0.5 + 0.5 * dice)

    def may_ask_early(self, now_s: float) -> bool:
        """Say whether a token with an unknown key may have the URL asked now, and note that it does."""
        if self._early_s is not None and now_s - self._early_s < EARLY_EVERY_S:
            return False
        self._early_s = now_s
        return True
