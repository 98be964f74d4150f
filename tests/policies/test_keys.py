"""What is a key, what is none, and which algorithm each is good for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.keys import KEYS_MAX, BadKeyError, read_jwks, read_keys, secret_key
from tests.tokens import ALGORITHMS, SECRET, jwks, signer

ASYMMETRIC = ALGORITHMS[1:]


def pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def rule(data: bytes | dict[str, Any]) -> str:
    with pytest.raises(BadKeyError) as raised:
        read_keys(data if isinstance(data, bytes) else json.dumps(data).encode())
    return str(raised.value)


def outcome(data: bytes) -> str:
    """Return the rule that is broken, or the algorithms of the keys."""
    try:
        return " ".join(key.algorithm for key in read_keys(data))
    except BadKeyError as error:
        return str(error)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_file_with_a_public_key_or_a_secret_is_one_key_without_a_name(algorithm: str) -> None:
    [key] = read_keys(b"\n" + signer(algorithm).public + b"\n")

    assert (key.algorithm, key.kid) == (algorithm, None)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_jwk_is_the_same_key_with_its_name(algorithm: str) -> None:
    [plain] = read_keys(signer(algorithm).public)

    [key] = read_keys(json.dumps(signer(algorithm).jwk | {"kid": "a", "alg": algorithm}).encode())

    assert (key.algorithm, key.kid, key.identity) == (algorithm, "a", plain.identity)


def test_jwks_is_all_its_keys() -> None:
    keys = read_keys(jwks(a=signer("RS256"), b=signer("HS256"), c=signer("EdDSA")))

    assert [(key.algorithm, key.kid) for key in keys] == [("RS256", "a"), ("HS256", "b"), ("EdDSA", "c")]


def test_url_gives_public_keys_only_because_a_secret_that_is_served_is_none() -> None:
    keys = read_jwks(jwks(a=signer("RS256"), b=signer("HS256"), c=signer("ES256")))

    assert [key.kid for key in keys] == ["a", "c"]
    with pytest.raises(BadKeyError, match="it is empty"):
        read_jwks(jwks(b=signer("HS256")))


def test_keys_for_other_purposes_are_skipped_in_a_set() -> None:
    jwk = signer("RS256").jwk
    others = [
        jwk | {"use": "enc"},
        jwk | {"alg": "RSA-OAEP"},
        jwk | {"key_ops": ["encrypt"]},
        jwk | {"key_ops": "verify"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
        {"kty": "new"},
        {"kty": ["RSA"]},
        7,
    ]

    keys = read_jwks(json.dumps({"keys": [*others, jwk | {"kid": "a", "key_ops": ["verify"]}]}).encode())

    assert [key.kid for key in keys] == ["a"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"kty": "new"}, "its kty is none of oct, RSA, EC, OKP"),
        (signer("ES256").jwk | {"alg": "ES384"}, "its alg is not ES256, the one that is taken for EC"),
        (signer("RS256").jwk | {"alg": "HS256"}, "its alg is not RS256, the one that is taken for RSA"),
        (signer("RS256").jwk | {"use": "enc"}, "it is not for checking signatures"),
        (signer("RS256").jwk | {"kid": 7}, "its kid is no text"),
        ({"kty": "RSA", "n": "AQAB"}, "it cannot be read as a key of kind RSA"),
        ({"kty": "RSA", "n": 5, "e": 3}, "it cannot be read as a key of kind RSA"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "it cannot be read as a key of kind EC"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "AA"}, "it cannot be read as a key of kind OKP"),
        ({"kty": "oct"}, "it cannot be read as a key of kind oct"),
        ({"kty": "oct", "k": "c2hvcnQ"}, "a secret for HS256 has at least 32 bytes, and this one 5"),
    ],
)
def test_jwk_that_is_no_key_for_tokens_is_refused_with_the_rule(entry: dict[str, Any], reason: str) -> None:
    assert rule(entry) == reason
    assert rule({"keys": [entry]}) == f"it has no key that can be used; of the last, {reason}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "it is no JSON"),
        (b'{"keys": 7}', "it is no JWKS: keys is no list"),
        (b'{"keys": [7]}', "it has no key that can be used; of the last, a JWK is an object of JSON"),
        (b'{"keys": []}', "it has no key that can be used; of the last, it is empty"),
        (b'{"a":' * 100_000, "it is no JSON"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "it is no public key in PEM"),
        (signer("RS256").private, "it is a private key: give the relay the public one"),
        (b"", "a secret for HS256 has at least 32 bytes, and this one 0"),
        (b"x" * 31, "a secret for HS256 has at least 32 bytes, and this one 31"),
        (b"\x30\x82" + b"x" * 40, "a secret is printable ASCII"),
        (b"x" * 40 + b"\n" + b"x" * 40, "a secret is printable ASCII"),
        (b"ssh-rsa " + b"A" * 40, "it is a public key, and would be no secret"),
    ],
)
def test_file_that_holds_no_key_is_refused_with_the_rule(data: bytes, reason: str) -> None:
    assert rule(data).startswith(reason)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        dsa.generate_private_key(1024),
        x25519.X25519PrivateKey.generate(),
    ],
)
def test_public_key_of_another_kind_is_refused(key: Any) -> None:
    assert rule(pem(key)) == "it is no public key of RSA, of P-256 or of Ed25519"


def test_rsa_key_that_can_be_broken_is_refused() -> None:
    assert rule(pem(rsa.generate_private_key(65537, 1024))) == "an RSA key has at least 2048 bits, and this one 1024"


def test_private_key_in_a_jwk_is_refused_because_it_could_make_tokens() -> None:
    assert rule(signer("EdDSA").jwk | {"d": "AA"}).startswith("it is a private key: give the relay the public one")


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"<html>", b'{"keys": {}}', b'{"key": []}', b"\xff"])
def test_what_is_no_jwks_is_refused(data: bytes) -> None:
    with pytest.raises(BadKeyError, match="it is no "):
        read_jwks(data)


def test_set_of_as_many_keys_as_there_may_be_is_read_and_one_more_is_refused() -> None:
    entries = [signer("EdDSA").jwk] * KEYS_MAX

    assert len(read_jwks(json.dumps({"keys": entries}).encode())) == KEYS_MAX
    with pytest.raises(BadKeyError, match="65 keys, and 64 are allowed"):
        read_jwks(json.dumps({"keys": [*entries, {}]}).encode())


def test_secret_has_at_least_as_many_bytes_as_the_hash() -> None:
    assert secret_key(SECRET).algorithm == "HS256"
    with pytest.raises(BadKeyError, match="at least 32 bytes, and this one 31"):
        secret_key(SECRET[1:])


@given(st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode)))
def test_whatever_a_file_holds_is_keys_or_a_rule_that_quotes_nothing_of_it(data: bytes) -> None:
    text = data.decode("latin-1").strip()

    said = outcome(data)

    assert len(text) < 4 or text not in said


_VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=20), st.lists(st.text(max_size=3), max_size=2))


@given(
    st.fixed_dictionaries(
        {"kty": st.sampled_from(["oct", "RSA", "EC", "OKP"])},
        optional=dict.fromkeys(("k", "n", "e", "x", "y", "d", "use", "alg", "kid", "key_ops"), _VALUES)
        | {"crv": st.sampled_from(["P-256", "P-384", "Ed25519", "Ed448", "none", ""])},
    )
)
def test_whatever_a_jwk_says_it_is_a_key_or_a_rule(entry: dict[str, Any]) -> None:
    assert outcome(json.dumps(entry).encode())
