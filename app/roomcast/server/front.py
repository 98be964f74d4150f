"""The public door, made of the settings: what all members share, once; what meets newcomers, for each configuration."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from roomcast.logs import address_for_logs
from roomcast.pages import CHAT
from roomcast.policies.limits import AddressCounts
from roomcast.protocol.bearer import TokenPlaces
from roomcast.server.files import connections_max
from roomcast.transport.answers import Page
from roomcast.transport.entry import HandshakeLimits
from roomcast.transport.formats import Deflation
from roomcast.transport.membership import Membership
from roomcast.transport.places import Places
from roomcast.transport.recorder import Recorder
from roomcast.transport.reports import Reports
from roomcast.transport.tokens import Authenticator

if TYPE_CHECKING:
    from roomcast.logs import Journal
    from roomcast.metrics import TransportCounters
    from roomcast.policies.forwarded import Forwarding
    from roomcast.policies.revocations import Revocations
    from roomcast.relay.hub import Hub
    from roomcast.server.verifier import TokenVerifier
    from roomcast.settings import Settings
    from roomcast.transport.keepalive import KeepAlive
    from roomcast.transport.token_holders import TokenHolders


def build_membership(
    settings: Settings,
    forwarding: Forwarding,
    *,
    hub: Hub,
    counters: TransportCounters,
    journal: Journal,
    keep_alive: KeepAlive,
    token_holders: TokenHolders,
) -> Membership:
    """Return what all members share, for as long as the relay runs. ``change_membership`` gives it other settings."""
    limits = settings.limits
    reports = Reports(limits.report_only, counters, journal, time.monotonic)
    counters.connections_limit = connections_max(limits.connections_max)
    counters.record.limit(settings.admin.record_entries, settings.admin.record_max_age_s)
    places = Places(
        connections_max=counters.connections_limit,
        handshakes_max=limits.handshakes_max,
        connections=AddressCounts(limits.connections_per_address, forwarding.proxies.trusts),
        handshakes=AddressCounts(limits.handshakes_per_address, forwarding.proxies.trusts),
        reports=reports,
    )
    membership = Membership(
        hub=hub,
        counters=counters,
        journal=journal,
        places=places,
        reports=reports,
        keep_alive=keep_alive,
        token_holders=token_holders,
        clock=time.monotonic,
        close_timeout_s=limits.close_timeout_s,
        address_for_logs=lambda address: address_for_logs(address, settings.log.addresses),
        recorder=Recorder(counters.record, time.monotonic),
    )
    membership.lines.change(settings.log.lines_per_s)
    return membership


def change_membership(membership: Membership, settings: Settings, forwarding: Forwarding, *, before: Settings) -> None:
    """Let what all members share go by these settings from now on, and no more by those before."""
    limits, counters = settings.limits, membership.counters
    counters.connections_limit = connections_max(limits.connections_max)
    membership.recorder.limit(settings.admin.record_entries, settings.admin.record_max_age_s)
    if settings.log.addresses != before.log.addresses:
        # It names more of them than it may from now on, or cannot find them by what it is asked for.
        counters.record.forget_all()
    membership.places.change(
        connections_max=counters.connections_limit,
        handshakes_max=limits.handshakes_max,
        connections_per_address=limits.connections_per_address,
        handshakes_per_address=limits.handshakes_per_address,
        is_proxy=forwarding.proxies.trusts,
    )
    membership.reports.change(limits.report_only)
    membership.lines.change(settings.log.lines_per_s)
    membership.close_timeout_s = limits.close_timeout_s
    membership.address_for_logs = lambda address: address_for_logs(address, settings.log.addresses)
    membership.keep_alive.change(
        ping_interval_s=limits.ping_interval_s,
        pong_timeout_s=limits.pong_timeout_s,
        write_timeout_s=limits.write_timeout_s,
    )
    membership.token_holders.change(warn_s=settings.tokens.warn_s, leeway_s=settings.tokens.leeway_s)


def deflation_of(settings: Settings) -> Deflation | None:
    """Return how messages are compressed; None where they are not."""
    deflate = settings.deflate
    return Deflation(deflate.level, deflate.min_bytes) if deflate.enabled else None


def handshake_limits(settings: Settings) -> HandshakeLimits:
    """Return what a newcomer may take before it is known which room it wants."""
    limits = settings.limits
    return HandshakeLimits(
        handshake_timeout_s=limits.handshake_timeout_s,
        head_max_bytes=limits.head_max_bytes,
        headers_max=limits.headers_max,
    )


def build_authenticator(
    settings: Settings, verifier: TokenVerifier | None, revocations: Revocations, counters: TransportCounters
) -> Authenticator | None:
    """Return who asks for tokens; None where nobody could check one."""
    if verifier is None:
        return None
    places = TokenPlaces(settings.tokens.cookie, settings.tokens.query)
    return Authenticator(places, verifier.verify, revocations=revocations, clock=time.time, counters=counters)


def page_of(settings: Settings) -> Page:
    """Return what GET / answers."""
    if settings.server.demo:
        return Page(CHAT.body, CHAT.headers)
    return Page(b"Roomcast is running. Rooms are WebSockets: see your configuration for their paths.\n")
