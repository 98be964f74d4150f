"""Keys from a URL: asked for at start, then now and then, and at once when a token names one that is not known.

The sockets are gevent's own, whatever was patched: who waits here is one greenlet,
and a deadline ends it wherever it is, in the middle of a header too. Nothing of the
answer is believed but that it comes from the host that the URL names: redirects are
not followed, and what is longer than a set of keys is not read.

A relay does not wait for this to serve: until the keys are there, handshakes that
need them wait, each within its own time.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import gevent
from gevent import socket, ssl
from gevent.event import Event

from roomcast.logs import Journal, fault
from roomcast.metrics import TransportCounters
from roomcast.policies.keyring import KeyRing
from roomcast.policies.keys import BadKeyError, Key, read_jwks

ANSWER_TIMEOUT_S: Final = 5.0
"""How long an answer may take, from the look-up of the name to its last byte: half of a handshake's time."""
ANSWER_MAX_BYTES: Final = 262_144
"""As long as an answer may be. A key has about 500 bytes, and one with its certificates a few thousand."""


class FetchError(Exception):
    """The URL gave no keys. The message says why, and quotes nothing of its answer."""


class _Connection(http.client.HTTPConnection):
    """HTTP over gevent's sockets.

    Args:
        host: To connect to.
        port: Its port.
        context: How to speak TLS; None: in clear.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self._context = context

    def connect(self) -> None:
        """Connect, as the base class calls it."""
        self.sock = socket.create_connection((self.host, self.port))
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def client_context() -> ssl.SSLContext:
    """Return how to speak TLS with a host that an authority of the system vouches for."""
    # Not create_default_context, which makes one of the standard library: its sockets wait in the loop.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context


class JwksUrl:
    """A URL that serves a JWKS.

    Args:
        url: As the settings let it pass: https, or http to this machine.
        timeout_s: How long an answer may take.
        context: How to speak TLS; the system's authorities are trusted without one.
    """

    def __init__(self, url: str, *, timeout_s: float = ANSWER_TIMEOUT_S, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._is_secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_secure else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout_s = timeout_s
        # Once: to read all authorities that a system knows takes 20 ms.
        self._context = (context or client_context()) if self._is_secure else None

    def fetch(self) -> list[Key]:
        """Return the keys that it serves now. Makes the greenlet wait, and nobody else. Raises FetchError."""
        deadline = gevent.Timeout(self._timeout_s)
        connection = _Connection(self._host, self._port, self._context)
        deadline.start()
        try:
            return read_jwks(self._body(connection))
        except gevent.Timeout as timeout:
            if timeout is not deadline:
                raise
            raise FetchError(f"no whole answer within {self._timeout_s:g} s") from None
        except BadKeyError as error:
            raise FetchError(str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            # Without its text: a status line that is none would be quoted.
            reason = error.strerror if isinstance(error, OSError) else None
            raise FetchError(reason or type(error).__name__) from None
        finally:
            deadline.close()
            connection.close()

    def _body(self, connection: http.client.HTTPConnection) -> bytes:
        headers = {"Accept": "application/jwk-set+json, application/json", "Connection": "close"}
        connection.request("GET", self._target, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            raise FetchError(f"the status is {response.status}, not 200")
        body = response.read(ANSWER_MAX_BYTES + 1)
        if len(body) > ANSWER_MAX_BYTES:
            raise FetchError(f"the answer is longer than {ANSWER_MAX_BYTES} bytes")
        return body


class JwksRefresher:
    """Keeps the keys of a URL in a ring up to date.

    Args:
        fetch: Asks the URL; raises FetchError.
        ring: Where the keys go.
        clock: Seconds from a clock that never goes back.
        dice: Returns at least 0 and less than 1.
        journal: Told of every other set of keys, and of every failure.
        counters: Where both are counted.
    """

    def __init__(
        self,
        fetch: Callable[[], list[Key]],
        ring: KeyRing,
        *,
        clock: Callable[[], float],
        dice: Callable[[], float],
        journal: Journal,
        counters: TransportCounters,
    ) -> None:
        self._fetch = fetch
        self._ring = ring
        self._clock = clock
        self._dice = dice
        self._journal = journal
        self._counters = counters
        self._wake = Event()
        # Set while nobody is asking: those who wait for an answer wait for this.
        self._is_done = Event()
        self._known: set[bytes] = set()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._ring.may_ask_early(self._clock())
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Ask no more. Whoever waits for an answer goes on without."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._is_done.set()

    def refresh(self) -> None:
        """Ask before the time, because a token names a key that is not known, and wait for the answer.

        It is not asked where somebody has just asked: then what is known is what there is.
        """
        if self._is_done.is_set() and self._ring.may_ask_early(self._clock()):
            self._is_done.clear()
            self._wake.set()
        self._is_done.wait()

    def _run(self) -> None:
        while True:
            self._is_done.clear()
            try:
                self._ask()
            finally:
                self._is_done.set()
            self._wake.clear()
            self._wake.wait(self._ring.wait_s(self._dice()))

    def _ask(self) -> None:
        try:
            keys = self._fetch()
        except FetchError as error:
            self._ring.failed()
            self._counters.jwks_refreshes["failed"] += 1
            hint = "the keys that are known stay; it is asked again, less and less often"
            self._journal.warning("keys not fetched", message=str(error), hint=hint)
            return
        except Exception as error:
            # It must be asked again, whatever was wrong with us.
            self._ring.failed()
            self._counters.jwks_refreshes["failed"] += 1
            self._journal.error("internal fault", **fault(error))
            return
        self._ring.fetched(keys, self._clock())
        self._counters.jwks_refreshes["done"] += 1
        identities = {key.identity for key in keys}
        if identities != self._known:
            self._known = identities
            self._journal.info("keys fetched", keys=len(keys))
