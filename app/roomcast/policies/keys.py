"""The keys that tokens are checked by, made of what stands in files and at a JWKS URL.

Every key is bound to one algorithm by what kind of key it is, and never by what a
token says: an RSA key checks RS256 and nothing else. So nobody can take a public
key, which everybody knows, for the secret of HS256, and ``none`` fits no key.

A file holds one of four things, told apart by how it begins: a public key in PEM,
a JWK or a JWKS in JSON, or else a secret for HS256 as text. At a URL only public
keys are taken: a secret that is served to whoever asks is none.

Errors name the rule, and never quote what was read.

Source: RFC 7517 (JWK), RFC 7518 and 8037 (algorithms), RFC 8725 (why they are bound).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt import PyJWK
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import PyJWTError

KEYS_MAX = 64
"""The most keys of one file or URL. A token that names none is tried with all of its algorithm."""
SECRET_MIN_BYTES = 32
"""A shorter one can be guessed: "A key of the same size as the hash output … MUST be used" (RFC 7518, 3.2)."""
_RSA_MIN_BITS = 2048  # RFC 7518, 3.3

_ALGORITHMS = {"oct": "HS256", "RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
"""By the kind of key, as a JWK calls it (``kty``)."""

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class BadKeyError(ValueError):
    """This is no key to check tokens by. The message is the rule that it breaks."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, and the only algorithm that it is good for.

    Attributes:
        algorithm: As a token names it in ``alg``.
        material: What PyJWT takes for a key.
        kid: Its name, None where it has none: then it may be tried for any token.
        identity: The same for two keys exactly if they are one.
    """

    algorithm: str
    material: PublicKey | bytes
    kid: str | None
    identity: bytes


def secret_key(secret: str) -> Key:
    """Return the key that a secret is. Raises BadKeyError."""
    # What is no text may be a public key in another form, which is no secret.
    if not secret.isascii() or not secret.isprintable():
        raise BadKeyError("a secret is printable ASCII, as openssl rand -base64 48 makes it")
    return _symmetric(secret.encode(), None)


def read_keys(data: bytes) -> list[Key]:
    """Return the keys of a file: PEM, a JWK, a JWKS, or a secret with nothing but blanks around it.

    Raises:
        BadKeyError: If it holds none that can be used.
    """
    text = data.decode("latin-1").strip()
    if text.startswith("-----BEGIN"):
        return [_from_pem(text.encode("latin-1"))]
    if text.startswith("{"):
        return _from_json(text.encode("latin-1"))
    return [secret_key(text)]


def read_jwks(data: bytes) -> list[Key]:
    """Return the public keys of a JWKS that a URL gave. Those for other purposes are skipped.

    Raises:
        BadKeyError: If it is no JWKS, or holds none that can be used.
    """
    entries = _parsed(data).get("keys")
    if not isinstance(entries, list):
        raise BadKeyError("it is no JWKS: it has no list named keys")
    return _usable([entry for entry in entries if not (isinstance(entry, dict) and entry.get("kty") == "oct")])


def _from_json(data: bytes) -> list[Key]:
    parsed = _parsed(data)
    if "keys" not in parsed:
        return [_from_jwk(parsed)]
    if not isinstance(parsed["keys"], list):
        raise BadKeyError("it is no JWKS: keys is no list")
    return _usable(parsed["keys"])


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        raise BadKeyError("it is no JSON") from None
    if not isinstance(parsed, dict):
        raise BadKeyError("it is no object of JSON")
    return parsed


def _usable(entries: list[Any]) -> list[Key]:
    """Return the keys for our algorithms. A set may well hold others, for encryption or for other services."""
    if len(entries) > KEYS_MAX:
        raise BadKeyError(f"it has {len(entries)} keys, and {KEYS_MAX} are allowed")
    keys = []
    reason = "it is empty"
    for entry in entries:
        try:
            keys.append(_from_jwk(entry))
        except BadKeyError as error:
            reason = str(error)
    if not keys:
        raise BadKeyError(f"it has no key that can be used; of the last, {reason}")
    return keys


def _from_jwk(entry: object) -> Key:
    if not isinstance(entry, dict):
        raise BadKeyError("a JWK is an object of JSON")
    kind, kid = entry.get("kty"), entry.get("kid")
    algorithm = _ALGORITHMS.get(kind) if isinstance(kind, str) else None
    if algorithm is None:
        raise BadKeyError(f"its kty is none of {', '.join(_ALGORITHMS)}")
    if entry.get("alg", algorithm) != algorithm:
        raise BadKeyError(f"its alg is not {algorithm}, the one that is taken for {kind}")
    if "d" in entry:
        raise _private()
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise BadKeyError("it is not for checking signatures")
    if not (kid is None or isinstance(kid, str)):
        raise BadKeyError("its kid is no text")
    try:
        material = PyJWK(entry, algorithm).key
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        # Without the cause: it quotes the key.
        raise BadKeyError(f"it cannot be read as a key of kind {kind}") from None
    return _symmetric(material, kid) if isinstance(material, bytes) else _asymmetric(material, kid)


def _from_pem(text: bytes) -> Key:
    if b"PRIVATE KEY-----" in text:
        raise _private()
    try:
        material = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKeyError("it is no public key in PEM, as openssl pkey -pubout writes it") from None
    return _asymmetric(material, None)


def _private() -> BadKeyError:
    return BadKeyError("it is a private key: give the relay the public one, which cannot make tokens")


def _symmetric(secret: bytes, kid: str | None) -> Key:
    if len(secret) < SECRET_MIN_BYTES:
        raise BadKeyError(f"a secret for HS256 has at least {SECRET_MIN_BYTES} bytes, and this one {len(secret)}")
    try:
        # It refuses what looks like a public key: that everybody knows.
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except PyJWTError:
        raise BadKeyError("it is a public key, and would be no secret") from None
    return Key("HS256", secret, kid, secret)


def _asymmetric(material: object, kid: str | None) -> Key:
    match material:
        case RSAPublicKey():
            if material.key_size < _RSA_MIN_BITS:
                raise BadKeyError(f"an RSA key has at least {_RSA_MIN_BITS} bits, and this one {material.key_size}")
            kind = "RSA"
        case EllipticCurvePublicKey(curve=SECP256R1()):
            kind = "EC"
        case Ed25519PublicKey():
            kind = "OKP"
        case _:
            raise BadKeyError("it is no public key of RSA, of P-256 or of Ed25519")
    return Key(_ALGORITHMS[kind], material, kid, material.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
