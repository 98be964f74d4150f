"""Signing a token: for trying things out. A relay signs none, and needs no key that could."""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import PyJWS

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


def sign(claims: dict[str, Any], material: bytes, kid: str | None) -> str:
    """Return a token with these claims.

    Args:
        claims: What it says.
        material: A private key in PEM, whose kind decides by which algorithm it signs; or a secret for HS256.
        kid: The name of the key.

    Raises:
        ValueError: If the material is no private key by which a token can be signed. It is not quoted.
    """
    key, algorithm = _private_key(material) if b"-----BEGIN" in material else (material, "HS256")
    headers = None if kid is None else {"kid": kid}
    return PyJWS().encode(json.dumps(claims).encode(), key, algorithm=algorithm, headers=headers)


def _private_key(pem: bytes) -> tuple[PrivateKey, str]:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("--key: it is no private key in PEM, or it has a password") from None
    match key:
        case RSAPrivateKey():
            return key, "RS256"
        case EllipticCurvePrivateKey(curve=SECP256R1()):
            return key, "ES256"
        case Ed25519PrivateKey():
            return key, "EdDSA"
        case _:
            raise ValueError("--key: it is no private key of RSA, of P-256 or of Ed25519")
