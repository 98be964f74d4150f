"""A configuration that changes while the relay serves: all of the new one stands before anything of it holds.

Three steps. It is read again as at start, and everything that can be wrong with it is
built from it: policies, keys, the certificate. That takes as long as it takes, in a
thread beside the loop, and touches nothing that is in use. Then it is seen what has
changed; what only a start can take refuses the whole. At last it is swapped in, in one
turn of the loop: whoever comes before it meets the old configuration, whoever comes after
it the new one, and nobody meets half of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import gevent
from gevent import get_hub
from gevent.lock import BoundedSemaphore

from roomcast.api.keys import Keyring
from roomcast.api.models import Planned
from roomcast.logs import Journal, fault
from roomcast.metrics import TransportCounters
from roomcast.policies.forwarded import Forwarding
from roomcast.policies.hosts import PrivateHosts
from roomcast.server.api import build_keyring
from roomcast.server.plan import draw_up, told_as
from roomcast.server.policies import build_forwarding, build_policies
from roomcast.server.tokens import read_key_sources
from roomcast.settings import Loaded
from roomcast.settings.difference import Change, difference, in_words, restart_keys
from roomcast.transport.admission import Admission
from roomcast.transport.certificate import CertificateError, ReadCertificate, read_certificate

if TYPE_CHECKING:
    from roomcast.server.plan import InUse
    from roomcast.server.verifier import KeySources

T = TypeVar("T")

Again = Callable[[str | None], Loaded]
"""Reads the configuration again; or this text in the place of its file. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration of which everything stands that could have been wrong."""

    loaded: Loaded
    admission: Admission
    forwarding: Forwarding
    keyring: Keyring
    hosts: PrivateHosts
    certificate: ReadCertificate | None
    key_sources: KeySources | None


def prepare(loaded: Loaded) -> Prepared:
    """Build what can be wrong with a configuration. Touches nothing that is in use, and no loop.

    Raises:
        ValueError: Naming the value and the rule it breaks.
    """
    settings = loaded.settings
    return Prepared(
        loaded,
        build_policies(settings),
        build_forwarding(settings),
        build_keyring(settings),
        PrivateHosts(settings.admin.hosts),
        read_certificate(settings.tls.certificate, settings.tls.key) if settings.tls.certificate else None,
        read_key_sources(settings),
    )


class Changeable(Protocol):
    """A relay, as far as its configuration goes."""

    @property
    def loaded(self) -> Loaded:
        """The configuration that holds."""

    def change(self, prepared: Prepared) -> None:
        """Go by another from now on, without a switch of greenlets. Reads nothing, and never fails."""

    def in_use(self, forwarding: Forwarding) -> InUse:
        """Return what is in use now, where these are the proxies."""


class Reloading:
    """Reads the configuration again when somebody asks, by a signal or by the API.

    Args:
        relay: Whose configuration it is.
        again: How to read it.
        journal: Told what changed, or what is wrong.
        counters: Where both are counted.
    """

    def __init__(self, relay: Changeable, again: Again, journal: Journal, counters: TransportCounters) -> None:
        self._relay = relay
        self._again = again
        self._journal = journal
        self._counters = counters
        # Two at once would each compare with what the other replaces.
        self._one = BoundedSemaphore(1)
        # The one that has not begun to read yet. A second would find what it finds, and a
        # storm of signals leave a queue that a reload waits behind for minutes.
        self._next: gevent.Greenlet[[], tuple[Sequence[Change], Exception | None]] | None = None
        # Each takes a thread of the pool, which the log and the next reload need as well.
        self._plan = BoundedSemaphore(1)
        counters.config_reloaded_s = time.time()

    def ask(self) -> None:
        """Begin to reload. Called in the loop, as by a signal: never waits, and what is wrong is in the log."""
        gevent.spawn(self.attempt)

    def attempt(self) -> None:
        """Reload, and leave to the log what is wrong. Makes the greenlet wait."""
        try:
            self.reload()
        except ValueError:
            """It is in the log already."""
        except Exception as error:
            self._journal.error("internal fault", **fault(error))

    def reload(self) -> Sequence[Change]:
        """Take the configuration as it is now; return what that has changed. Makes the greenlet wait.

        Raises:
            ValueError: Naming what is wrong with it. Nothing has changed then.
        """
        if self._next is None:
            self._next = gevent.spawn(self._in_turn)
        changes, error = self._next.get()
        if error is not None:
            raise error
        return changes

    def _in_turn(self) -> tuple[Sequence[Change], Exception | None]:
        with self._one:
            # Whoever asks from now on may mean files that are written while these are read.
            self._next = None
            try:
                return self._take(), None
            except Exception as error:
                self._refused(error)
                return (), error

    def _take(self) -> Sequence[Change]:
        changes = self._swap()
        self._counters.config_reloads["done"] += 1
        self._counters.is_config_current = True
        self._counters.config_reloaded_s = time.time()
        self._journal.info("configuration reloaded", changes=in_words(changes))
        return changes

    def _refused(self, error: Exception) -> None:
        self._counters.config_reloads["refused"] += 1
        self._counters.is_config_current = False
        if isinstance(error, CertificateError):
            # Read again and not served, as when a look at the files finds them so.
            self._counters.tls_reloads["failed"] += 1
        # Any other is a fault of ours, and whoever asked says so.
        if isinstance(error, ValueError):
            hint = "all goes on by the configuration before it"
            self._journal.error("configuration refused", message=str(error), hint=hint)

    def _swap(self) -> Sequence[Change]:
        prepared = self._prepared(None)
        changes = difference(self._relay.loaded, prepared.loaded)
        if keys := restart_keys(changes):
            raise ValueError(f"{', '.join(keys)}: only a start can take another value; nothing is changed")
        self._relay.change(prepared)
        return changes

    def plan(self, text: str) -> Planned:
        """Say what a configuration file of this text would do. Changes nothing; makes the greenlet wait.

        Raises:
            ValueError: Naming what is wrong with it.
        """
        with self._plan:
            prepared = self._prepared(text)
        changes = difference(self._relay.loaded, prepared.loaded)
        in_use = self._relay.in_use(prepared.forwarding)
        return told_as(draw_up(changes, prepared.loaded.settings, prepared.admission, in_use))

    def _prepared(self, text: str | None) -> Prepared:
        return in_thread(lambda: prepare(self._again(text)))


def in_thread(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, or raise what it raises; it runs beside the loop, and only the greenlet waits.

    A thousand templates take a second to read and compare. What runs there must not touch what
    belongs to a loop: no greenlet, no watcher, no journal.
    """

    def run() -> tuple[Sequence[T], Exception | None]:
        # Raised in the pool, it would be reported as a fault of the pool's.
        try:
            return [work()], None
        except Exception as error:
            return [], error

    results, error = get_hub().threadpool.apply(run)
    if error is not None:
        raise error
    return results[0]
