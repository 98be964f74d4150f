"""Tokens, made of the settings: what checks them, and one to try it with.

What is imported in the functions needs the libraries of the extra ``tokens``: see
``token_keys.py``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roomcast.policies.grants import Action, Grant, room_patterns
from roomcast.server.token_keys import check_installed, is_configured, read_token_keys
from roomcast.settings import Settings

if TYPE_CHECKING:
    from roomcast.logs import Journal
    from roomcast.metrics import TransportCounters
    from roomcast.server.verifier import KeySources, TokenVerifier

_NO_KEY = (
    "there is no key to sign a token with: set tokens.secret, as with "
    "--set tokens.secret=$(openssl rand -base64 48), or name a private key in PEM with --key"
)


def read_key_sources(settings: Settings) -> KeySources | None:
    """Return what tokens are checked by; None where no key is configured.

    It takes up to a second, beside the loop if need be: files, the libraries, and
    for https all authorities that the system trusts.

    Raises:
        ValueError: As ``token_keys.read_token_keys``.
    """
    if not is_configured(settings):
        return None
    keys, url = read_token_keys(settings), settings.tokens.jwks_url
    from roomcast.server.jwks import JwksUrl
    from roomcast.server.verifier import KeySources

    return KeySources(keys, JwksUrl(url) if url else None)


def build_verifier(
    settings: Settings,
    sources: KeySources | None,
    journal: Journal,
    counters: TransportCounters,
    before: TokenVerifier | None = None,
) -> TokenVerifier | None:
    """Return what checks tokens by these keys; without them nobody looks at any. Reads nothing, and never fails."""
    if sources is None:
        return None
    from roomcast.server.verifier import TokenVerifier

    return TokenVerifier(settings, sources, before, journal=journal, counters=counters)


def verify_token(settings: Settings, token: str) -> Grant:
    """Return what a token gives by the keys of the settings, without those of their URL.

    Raises:
        TokenError: If it gives nothing.
        ValueError: As ``token_keys.read_token_keys``; and if there is no key at all.
    """
    keys = read_token_keys(settings)
    if not keys:
        raise ValueError("there is no key to check a token by: set tokens.secret or tokens.keys")
    from roomcast.policies.keyring import KeyRing
    from roomcast.policies.tokens import Expectations, verify

    tokens = settings.tokens
    return verify(token, KeyRing(keys), Expectations(tokens.issuer, tokens.audience, tokens.leeway_s), time.time())


def make_token(
    settings: Settings,
    *,
    subject: str | None,
    rooms: Sequence[str],
    actions: Sequence[Action],
    expires_in_s: int,
    key: Path | None = None,
    kid: str | None = None,
) -> str:
    """Return a token that a relay with these settings takes, from now on.

    Args:
        settings: Whose secret signs it, and whose issuer and audience it names.
        subject: Whose it is.
        rooms: The paths and patterns of the rooms that it opens.
        actions: What may be done in them.
        expires_in_s: How long it lasts.
        key: A private key in PEM, which signs instead of the secret; its kind decides by which algorithm.
        kid: The name of that key.

    Raises:
        ValueError: If there is nothing to sign with, or what to sign makes no sense.
    """
    check_installed()
    from roomcast.policies.grants import TokenError
    from roomcast.server.signing import sign

    try:
        room_patterns(rooms)
    except TokenError as error:
        raise ValueError(f"--room: {error}") from None
    material = settings.tokens.secret.encode() if key is None else _private_key(key)
    if not material:
        raise ValueError(_NO_KEY)
    now_s = int(time.time())
    claims: dict[str, Any] = {
        "iat": now_s,
        "exp": now_s + expires_in_s,
        "rooms": list(rooms),
        "actions": [str(action) for action in actions],
    }
    optional = {"sub": subject, "iss": settings.tokens.issuer, "aud": settings.tokens.audience}
    return sign(claims | {name: value for name, value in optional.items() if value}, material, kid)


def _private_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"--key: {path} cannot be read: {error.strerror}") from None
