"""What checks tokens while a relay runs: its keys, how they are read again, and what waits for a new one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roomcast.logs import Journal
from roomcast.metrics import TransportCounters
from roomcast.policies.grants import Grant
from roomcast.policies.keyring import KeyRing
from roomcast.policies.keys import Key
from roomcast.policies.tokens import Expectations, UnknownKeyError, verify
from roomcast.server.jwks import JwksRefresher, JwksUrl
from roomcast.settings import Settings


@dataclass(frozen=True, slots=True)
class KeySources:
    """The keys of the settings, read, and their URL, ready to be asked."""

    keys: Sequence[Key]
    url: JwksUrl | None


class TokenVerifier:
    """Checks tokens by the keys of the settings and of their URL.

    Args:
        settings: What tokens must say, and how often the URL is asked.
        sources: The keys.
        before: What checked them until now, where this is its successor; what the same URL gave it is known here.
        journal: Told when keys were read again.
        counters: Where that is counted.
        clock: Seconds since the epoch, as tokens count.
        elapsed: Seconds from a clock that never goes back, as keys count.
    """

    def __init__(
        self,
        settings: Settings,
        sources: KeySources,
        before: TokenVerifier | None = None,
        *,
        journal: Journal,
        counters: TransportCounters,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        tokens = settings.tokens
        self._clock = clock
        self._elapsed = elapsed
        self._expected = Expectations(tokens.issuer, tokens.audience, tokens.leeway_s)
        self._ring = KeyRing(sources.keys, tokens.jwks_refresh_s)
        self._refresher: JwksRefresher | None = None
        self._url = tokens.jwks_url
        self._successor: TokenVerifier | None = None
        if sources.url is not None:
            if before is not None and before._url == self._url:
                self._ring.take_over(before._ring)
            self._refresher = JwksRefresher(
                sources.url.fetch,
                self._ring,
                clock=elapsed,
                dice=random.random,
                journal=journal,
                counters=counters,
            )

    def start(self) -> None:
        """Begin to ask the URL, where there is one."""
        if self._refresher is not None:
            self._refresher.start()

    def stop(self) -> None:
        """Ask no more."""
        if self._refresher is not None:
            self._refresher.stop()

    def give_way(self, successor: TokenVerifier) -> None:
        """Have those whose key is not known here ask another, from now on: who waits for an answer would get none."""
        self._successor = successor

    def verify(self, token: str) -> Grant:
        """Return what a token gives. One of an unknown key waits for the URL to be asked. Raises TokenError."""
        verifier, has_asked = self, False
        while True:
            try:
                return verifier._verify_now(token)
            except UnknownKeyError:
                if verifier._successor is not None:
                    verifier, has_asked = verifier._successor, False
                elif verifier._refresher is None or has_asked:
                    raise
                else:
                    verifier._refresher.refresh()
                    has_asked = True

    def _verify_now(self, token: str) -> Grant:
        self._ring.drop_ended(self._elapsed())
        return verify(token, self._ring, self._expected, self._clock())
