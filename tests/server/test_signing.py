"""Signing: the kind of a key decides how, and what is no key signs nothing."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from jwt import PyJWS

from roomcast.policies.keyring import KeyRing
from roomcast.policies.keys import read_keys
from roomcast.policies.tokens import Expectations, verify
from roomcast.server.signing import sign
from tests.tokens import ALGORITHMS, NOW_S, claims, signer


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kid", [None, "a"])
def test_what_is_signed_can_be_checked(algorithm: str, kid: str | None) -> None:
    us = signer(algorithm)

    token = sign(claims(sub="alice"), us.private, kid)

    assert PyJWS().get_unverified_header(token).get("kid") == kid
    assert verify(token, KeyRing(read_keys(us.public)), Expectations(), NOW_S).subject == "alice"


def pem(curve: ec.EllipticCurve, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return ec.generate_private_key(curve).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("material", "reason"),
    [
        (signer("RS256").public, "it is no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "it is no private key in PEM"),
        (pem(ec.SECP256R1(), b"password"), "it is no private key in PEM, or it has a password"),
        (pem(ec.SECP384R1()), "it is no private key of RSA, of P-256 or of Ed25519"),
    ],
)
def test_what_signs_no_token_is_refused(material: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^--key: {reason}"):
        sign(claims(), material, None)
