"""From the settings to the canary, and to the door that lets it in."""

import os
import secrets
import time

from roomcast.logs import Journal
from roomcast.policies.forwarded import Forwarding
from roomcast.settings import Settings
from roomcast.transport.canary import Address, Canary
from roomcast.transport.canary_door import CanaryDoor
from roomcast.transport.membership import Membership


class CanaryWatch:
    """The canary of a relay, and its door: both, or neither.

    Args:
        settings: The relay's.
        membership: What its members share.
        forwarding: Who has to begin with a PROXY header.
        journal: The log.
    """

    def __init__(self, settings: Settings, membership: Membership, forwarding: Forwarding, journal: Journal) -> None:
        self._settings = settings
        self._membership = membership
        self._forwarding = forwarding
        self._journal = journal
        self._canary: Canary | None = None
        self._has_ended = False
        self.door = CanaryDoor(membership, secrets.token_urlsafe(32), is_tls=bool(settings.tls.certificate))
        """Where it comes in."""

    def start(self, address: Address) -> None:
        """Begin, now that it is known where the public door is."""
        self._canary = Canary(
            address,
            self.door.key,
            is_tls=bool(self._settings.tls.certificate),
            owes_proxy_header=lambda peer: self._forwarding.owes_proxy_header(peer),
            has_place=self._membership.places.has_spare,
            counters=self._membership.counters.canary,
            journal=self._journal,
            clock=time.monotonic,
            wall_clock=time.time,
            dice=os.urandom,
        )
        self._canary.every(self._settings.admin.canary_interval_s)

    def change(self, forwarding: Forwarding, interval_s: float) -> None:
        """Go round every so many seconds from now on; 0: no more. As a reload asks for it; never waits.

        Args:
            forwarding: Who has to begin with a PROXY header, from now on.
            interval_s: Seconds.
        """
        self._forwarding = forwarding
        # A relay that drains may be told to reload, too.
        if self._canary is not None and not self._has_ended:
            self._canary.every(interval_s)

    def stop(self) -> None:
        """End: who asks a relay that stops would only hear so. May be called twice."""
        self._has_ended = True
        if self._canary is not None:
            self._canary.stop()
        self.door.cut()
