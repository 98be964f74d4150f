"""Whether the keys agree with one another: what each alone cannot know.

Every function here is called as what must not be, says in its first line what must,
and yields a line for each disagreement, which names the keys and their values.
"""

import ipaddress
import json
from collections.abc import Iterator, Sequence

from roomcast.settings.sections import (
    AdminSettings,
    ApiKeySettings,
    LimitSettings,
    OriginSettings,
    RoomSettings,
    ServerSettings,
    TlsSettings,
    TokenSettings,
)


def doors_collide(server: ServerSettings, admin: AdminSettings) -> Iterator[str]:
    """Each door has an address of its own."""
    if server.host.startswith("unix:") or admin.host.startswith("unix:"):
        if server.host == admin.host:
            yield f"server.host and admin.host are both {json.dumps(server.host)}: each door needs its own"
    elif server.port == admin.port != 0 and _overlap(server.host, admin.host):
        yield f"server.port and admin.port are both {server.port}: each door needs its own"


def half_a_certificate(tls: TlsSettings) -> Iterator[str]:
    """TLS takes a certificate and a key."""
    if bool(tls.certificate) != bool(tls.key):
        given, missing = ("certificate", "key") if tls.certificate else ("key", "certificate")
        yield f"tls.{given} is set, and tls.{missing} is not: TLS takes both, which may name the same file"


def names_collide(rooms: Sequence[RoomSettings]) -> Iterator[str]:
    """No two templates have one name."""
    names = [room.name for room in rooms]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"rooms: two templates are named {json.dumps(name)}; the name tells them apart in metrics"


def holders_collide(holders: Sequence[ApiKeySettings]) -> Iterator[str]:
    """No two holders of API keys have one name, nor that of admin.api_key."""
    names = ["api_key", *(holder.name for holder in holders)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"api_keys: two holders are named {json.dumps(name)}, which is the name of admin.api_key, or of another"


def pings_overlap(limits: LimitSettings) -> Iterator[str]:
    """A pong is not awaited beyond the next ping."""
    ping_s, pong_s = limits.ping_interval_s, limits.pong_timeout_s
    if 0 < ping_s < pong_s:
        # The next ping would go out before it is known whether this one was answered.
        yield f"limits.pong_timeout_s = {pong_s:g} must not be longer than limits.ping_interval_s = {ping_s:g}"


def nobody_is_asked(server: ServerSettings) -> Iterator[str]:
    """Whoever owes a PROXY header is listed."""
    if server.proxy_protocol and not server.trusted_proxies:
        # Any client could then say who it is, or else the key would do nothing.
        yield "server.proxy_protocol = true needs server.trusted_proxies: who else may say whose connection it is?"


def fragments_exceed(limits: LimitSettings) -> Iterator[str]:
    """A message of as many fragments as it may have can come in one go."""
    fragments_max, per_s = limits.fragments_max, limits.fragments_per_s
    if 0 < 2 * per_s < fragments_max:
        # A message that keeps every limit, sent in one go, would close its sender.
        yield (
            f"limits.fragments_per_s = {per_s} lets no message of fragments_max = {fragments_max} frames pass: "
            "its burst, twice that, must hold one"
        )


def nobody_has_keys(tokens: TokenSettings, rooms: Sequence[RoomSettings]) -> Iterator[str]:
    """A room that asks for tokens can tell which are good."""
    if tokens.secret or tokens.keys or tokens.jwks_url:
        return
    for room in rooms:
        if room.access == "token":
            yield (
                f'rooms: template {json.dumps(room.name)}: access = "token" needs a key to check tokens by: '
                "set tokens.secret, tokens.keys or tokens.jwks_url"
            )


def cookies_are_hijacked(
    tokens: TokenSettings, origins: OriginSettings, rooms: Sequence[RoomSettings]
) -> Iterator[str]:
    """A cookie is read only where pages of others are kept out."""
    if not tokens.cookie:
        return
    # A browser sends the cookie whoever's page opens the connection, so without the origin any page
    # that a user visits would enter as that user (cross-site WebSocket hijacking, CWE-1385).
    hijacked = f"tokens.cookie = {json.dumps(tokens.cookie)}: any page could enter as the user who visits it"
    if not origins.enforce:
        yield f"{hijacked}, because origins.enforce = false; enforce origins, or take tokens from elsewhere"
    open_lists = ["origins.allow"] if "*" in origins.allow else []
    open_lists += [
        f"origins of template {json.dumps(room.name)}" for room in rooms if room.origins and "*" in room.origins.allow
    ]
    for name in open_lists:
        yield f'{hijacked}, because {name} holds "*"; list the origins, or take tokens from elsewhere'


def _overlap(one: str, other: str) -> bool:
    return one == other or _is_wildcard(one) or _is_wildcard(other)


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def misfits(room: RoomSettings) -> Iterator[str]:
    """Yield what is wrong between the keys of one template, its inherited limits included."""
    message_max = room.message_max_bytes or 0
    template = f"rooms: template {json.dumps(room.name)}"
    if room.lag_max_bytes < 2 * message_max:
        # With room for one message only, the next one would overflow a member that is still taking the first.
        yield (
            f"{template}: lag_max_bytes = {room.lag_max_bytes} must be at least twice message_max_bytes = {message_max}"
        )
    if room.pending_max_bytes < message_max:
        # Every message of full size would stop its publisher.
        yield (
            f"{template}: pending_max_bytes = {room.pending_max_bytes} must be at least "
            f"message_max_bytes = {message_max}"
        )
    if room.history_messages and room.history_max_bytes < message_max:
        # A message of full size would push everything out, itself included.
        yield (
            f"{template}: history_max_bytes = {room.history_max_bytes} must be at least "
            f"message_max_bytes = {message_max}"
        )
    if room.history_messages and room.lag_max_bytes < 2 * room.history_max_bytes:
        # Whoever asked for all of it would be too far behind as soon as something more was said.
        yield (
            f"{template}: lag_max_bytes = {room.lag_max_bytes} must be at least twice "
            f"history_max_bytes = {room.history_max_bytes}"
        )
    if room.bytes_per_s and 2 * room.bytes_per_s < message_max:
        # The bucket never holds enough for it, so a message within its limit would close its sender.
        yield (
            f"{template}: bytes_per_s = {room.bytes_per_s} lets no message of message_max_bytes = {message_max} pass: "
            "its burst, twice that, must hold one"
        )
    if message_max and len(room.greeting.encode()) > message_max:
        yield f"{template}: greeting is longer than message_max_bytes = {message_max}"
