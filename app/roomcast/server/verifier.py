"""What checks tokens while a relay runs: its keys, how they are read again, and what waits for a new one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from roomcast.logs import Journal
from roomcast.metrics import TransportCounters
from roomcast.policies.grants import Grant
from roomcast.policies.keyring import KeyRing
from roomcast.policies.tokens import Expectations, UnknownKeyError, verify
from roomcast.server.jwks import JwksRefresher, JwksUrl
from roomcast.server.token_keys import read_token_keys
from roomcast.settings import Settings


class TokenVerifier:
    """Checks tokens by the keys of the settings and of their URL.

    Args:
        settings: Which keys, and what tokens must say.
        journal: Told when keys were read again.
        counters: Where that is counted.
        clock: Seconds since the epoch, as tokens count.
        elapsed: Seconds from a clock that never goes back, as keys count.

    Raises:
        ValueError: As ``read_token_keys``.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        journal: Journal,
        counters: TransportCounters,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        tokens = settings.tokens
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._elapsed = elapsed
        self._expected = Expectations(tokens.issuer, tokens.audience, tokens.leeway_s)
        self._ring = KeyRing(read_token_keys(settings), tokens.jwks_refresh_s)
        self._refresher: JwksRefresher | None = None
        if tokens.jwks_url:
            self._refresher = JwksRefresher(
                JwksUrl(tokens.jwks_url).fetch,
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

    def reload(self) -> None:
        """Read the files again: all of them, or none, if one is not fit to check tokens by."""
        try:
            keys = read_token_keys(self._settings)
        except ValueError as error:
            self._journal.error("keys refused", message=str(error), hint="those before them are still in use")
        else:
            self._ring.replace_fixed(keys)
            self._journal.info("keys loaded", keys=len(keys))

    def verify(self, token: str) -> Grant:
        """Return what a token gives. One of an unknown key waits for the URL to be asked. Raises TokenError."""
        try:
            return self._verify_now(token)
        except UnknownKeyError:
            if self._refresher is None:
                raise
            self._refresher.refresh()
            return self._verify_now(token)

    def _verify_now(self, token: str) -> Grant:
        self._ring.drop_ended(self._elapsed())
        return verify(token, self._ring, self._expected, self._clock())
