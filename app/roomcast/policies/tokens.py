"""A token, read and checked: a JWT that is signed by one of four algorithms.

PyJWT splits a token, and compares its signature. All else is decided here, for
three reasons. Time is an argument, and PyJWT reads the clock. A key decides which
algorithm is used, and not the token (``keys.py``). And PyJWT's errors quote what
they are about.

What a token must say: ``exp``, because one without an end could never be trusted
to end; ``rooms``, a list of paths and patterns as in the configuration, because
one that names none opens none. What it may say: ``sub``; ``actions``, a list, of
which ``["subscribe"]`` is what holds without it; ``nbf``, ``iat``, ``iss`` and
``aud``, which are checked where they are there, the last two where an issuer
or an audience is configured as well, and then they must be there.

Source: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best practices).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from roomcast.policies.grants import (
    SUBJECT_MAX_CHARACTERS,
    Action,
    Grant,
    TokenError,
    TokenFault,
    actions_of,
    room_patterns,
)
from roomcast.policies.keyring import KeyRing

TOKEN_MAX_BYTES = 8192
"""The longest token. It is decoded before anybody knows who sent it."""
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")

# Seconds since the epoch beyond which a number is none of them: milliseconds, or a joke.
_DATE_MAX = 2**40

_JWS = PyJWS(algorithms=ALGORITHMS)


class UnknownKeyError(TokenError):
    """The key by which this token could be checked is not known. It may be a new one, which the URL has by now."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What tokens must say, beside being signed.

    Attributes:
        issuer: Their ``iss``; empty: any, or none.
        audience: What must be their ``aud``, or in it; empty: any, or none.
        leeway_s: How far the clock of whoever issues them and ours may differ.
    """

    issuer: str = ""
    audience: str = ""
    leeway_s: float = 0.0


def verify(token: str, keys: KeyRing, expected: Expectations, now_s: float) -> Grant:
    """Return what a token gives.

    Args:
        token: As its bearer sent it.
        keys: Those by which it may be signed.
        expected: What it must say.
        now_s: Now, in seconds since the epoch.

    Raises:
        UnknownKeyError: If it may be one of a key that is not known yet.
        TokenError: If it gives nothing.
    """
    claims = _signed_claims(token, keys)
    expires_s = _date(claims, "exp")
    if expires_s is None:
        raise TokenError(TokenFault.CLAIMS, "it has no exp: a token has to end")
    if now_s >= expires_s + expected.leeway_s:
        raise TokenError(TokenFault.EXPIRED, "it has expired")
    issued_s = _date(claims, "iat")
    for begins_s in (_date(claims, "nbf"), issued_s):
        if begins_s is not None and now_s < begins_s - expected.leeway_s:
            raise TokenError(TokenFault.EARLY, "it is not valid yet: nbf or iat lies in the future")
    _check_parties(claims, expected)
    return Grant(
        subject=_subject(claims),
        rooms=room_patterns(_list(claims, "rooms", [])),
        actions=actions_of(_list(claims, "actions", [Action.SUBSCRIBE])),
        expires_s=expires_s,
        issued_s=issued_s,
    )


def _signed_claims(token: str, keys: KeyRing) -> dict[str, Any]:
    """Return what a token says, if one of the keys has signed it."""
    if len(token) > TOKEN_MAX_BYTES:
        raise TokenError(TokenFault.MALFORMED, f"it is longer than {TOKEN_MAX_BYTES} bytes")
    malformed = TokenError(TokenFault.MALFORMED, "it is no JWT: three parts in base64url, the first two JSON")
    if not token.isascii():
        raise malformed
    try:
        header = _JWS.get_unverified_header(token)
    except (PyJWTError, ValueError, RecursionError):
        raise malformed from None
    try:
        claims = json.loads(_checked_payload(token, header, keys))
    except (ValueError, RecursionError):
        raise malformed from None
    if not isinstance(claims, dict):
        raise malformed
    return claims


def _checked_payload(token: str, header: dict[str, Any], keys: KeyRing) -> bytes:
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenError(TokenFault.ALGORITHM, f"its alg is none of {', '.join(ALGORITHMS)}")
    if "crit" in header or "b64" in header:
        # "If any of the listed extension Header Parameters are not understood … the JWS is invalid" (RFC 7515, 4.1.11).
        raise TokenError(TokenFault.MALFORMED, "its header demands an extension, and none is known here")
    candidates = keys.find(algorithm, kid)
    for key in candidates:
        try:
            return bytes(_JWS.decode(token, key.material, algorithms=[key.algorithm]))
        except PyJWTError:
            continue
    if not candidates or (kid is not None and not keys.knows(kid)):
        raise UnknownKeyError(TokenFault.KEY, f"no key for it is known: none of {algorithm} with its kid")
    raise TokenError(TokenFault.SIGNATURE, "its signature is not that of a key that is known")


def _check_parties(claims: dict[str, Any], expected: Expectations) -> None:
    if expected.issuer and claims.get("iss") != expected.issuer:
        raise TokenError(TokenFault.ISSUER, "its iss is not [tokens] issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.audience and expected.audience not in audiences:
        raise TokenError(TokenFault.AUDIENCE, "its aud is not [tokens] audience")


def _subject(claims: dict[str, Any]) -> str | None:
    subject = claims.get("sub")
    if subject is None:
        return None
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= SUBJECT_MAX_CHARACTERS:
        raise TokenError(TokenFault.CLAIMS, f"its sub is no printable text of 1 to {SUBJECT_MAX_CHARACTERS} characters")
    return subject


def _date(claims: dict[str, Any], name: str) -> float | None:
    """Return a claim that is a time ("NumericDate", RFC 7519, 2), None where it is missing."""
    value = claims.get(name)
    if value is None:
        return None
    # True is a number to Python, and NaN is one that compares with nothing.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _DATE_MAX:
        raise TokenError(TokenFault.CLAIMS, f"its {name} is no number of seconds since the epoch")
    return float(value)


def _list(claims: dict[str, Any], name: str, default: list[Any]) -> list[Any]:
    value = claims.get(name, default)
    if not isinstance(value, list):
        raise TokenError(TokenFault.CLAIMS, f"its {name} is no list")
    return value
