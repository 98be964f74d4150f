"""Keys of all four algorithms, made when they are needed, and tokens that they sign, good and bad."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SECRET: Final = "0123456789abcdef0123456789abcdef"
"""A secret for HS256, of the fewest bytes that one may have."""
NOW_S: Final = 1_790_000_000.0
"""When the tests of what knows no clock take place."""
ALGORITHMS: Final = ("HS256", "RS256", "ES256", "EdDSA")


@dataclass(frozen=True)
class Signer:
    """Somebody who issues tokens.

    Attributes:
        algorithm: By which it signs.
        sign: Signs bytes.
        public: What it publishes: a public key in PEM; of HS256 the secret.
        private: What it keeps to itself, in PEM; of HS256 the secret.
        jwk: What it publishes, as a JWK without a name.
    """

    algorithm: str
    sign: Callable[[bytes], bytes]
    public: bytes
    private: bytes
    jwk: dict[str, Any]

    def token(self, claims: object, **header: object) -> str:
        """Return a signed token with these claims; what is given of the header replaces what would stand there."""
        head = {"typ": "JWT", "alg": self.algorithm} | header
        signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
        return f"{signed}.{_encoded(self.sign(signed.encode()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int) -> str:
    return _encoded(value.to_bytes(size, "big"))


def make_signer(algorithm: str, secret: str = SECRET) -> Signer:
    """Return one with a new key; of HS256, with this secret."""
    if algorithm == "HS256":
        return hs256(secret.encode())
    if algorithm == "RS256":
        return _rs256(rsa.generate_private_key(65537, 2048))
    if algorithm == "ES256":
        return _es256(ec.generate_private_key(ec.SECP256R1()))
    return _eddsa(ed25519.Ed25519PrivateKey.generate())


@cache
def signer(algorithm: str) -> Signer:
    """Return the one of this test run: an RSA key takes a while to make."""
    return make_signer(algorithm)


def hs256(secret: bytes) -> Signer:
    """Return one that signs with any bytes as a secret, a public key for example."""
    return Signer(
        "HS256",
        lambda data: hmac.digest(secret, data, hashlib.sha256),
        secret,
        secret,
        {"kty": "oct", "k": _encoded(secret)},
    )


def _pem(key: Any) -> tuple[bytes, bytes]:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _rs256(key: rsa.RSAPrivateKey) -> Signer:
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": _number(numbers.n, key.key_size // 8), "e": _number(numbers.e, 3)}
    return Signer("RS256", lambda data: key.sign(data, padding.PKCS1v15(), SHA256()), *_pem(key), jwk)


def _es256(key: ec.EllipticCurvePrivateKey) -> Signer:
    def sign(data: bytes) -> bytes:
        # Not in DER: the two numbers, 32 bytes each (RFC 7518, 3.4).
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    numbers = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}
    return Signer("ES256", sign, *_pem(key), jwk)


def _eddsa(key: ed25519.Ed25519PrivateKey) -> Signer:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Signer("EdDSA", key.sign, *_pem(key), {"kty": "OKP", "crv": "Ed25519", "x": _encoded(raw)})


def jwks(**signers: Signer) -> bytes:
    """Return a set of keys as a URL gives it: by their names, those that these signers publish."""
    return json.dumps({"keys": [of.jwk | {"kid": kid, "use": "sig"} for kid, of in signers.items()]}).encode()


ACTIONS: Final = ("subscribe", "publish")


def fresh_token(**others: object) -> str:
    """Return a token by HS256 and ``SECRET`` that is good for ten minutes, to do anything in any ``/rooms/{room}``.

    Args:
        others: Claims beside these or in their place; None leaves one out.
    """
    said = {"exp": time.time() + 600, "rooms": ["/rooms/{room}"], "actions": ACTIONS} | others
    return signer("HS256").token({name: value for name, value in said.items() if value is not None})


def claims(**others: object) -> dict[str, object]:
    """Return what a good token says at ``NOW_S``: an hour of hearing in any room of the default configuration."""
    return {"exp": NOW_S + 3600, "rooms": ["/rooms/{room}"]} | others
