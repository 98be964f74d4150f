"""Tokens of all four algorithms; every way to be none; and none of it is repeated in what is said about it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.grants import Action, TokenError, TokenFault
from roomcast.policies.keyring import KeyRing
from roomcast.policies.keys import read_jwks, read_keys
from roomcast.policies.tokens import TOKEN_MAX_BYTES, Expectations, UnknownKeyError, verify
from tests.tokens import ALGORITHMS, NOW_S, Signer, claims, hs256, jwks, make_signer, signer

ANY = Expectations()
# Of HS256 it takes a microsecond.
US = signer("HS256")


def ring(*signers: Signer) -> KeyRing:
    return KeyRing([key for of in signers for key in read_keys(of.public)])


def error_of(token: str, keys: KeyRing | None = None, expected: Expectations = ANY) -> TokenError:
    with pytest.raises(TokenError) as raised:
        verify(token, ring(US) if keys is None else keys, expected, NOW_S)
    return raised.value


def fault_of(token: str, keys: KeyRing | None = None, expected: Expectations = ANY) -> TokenFault:
    return error_of(token, keys, expected).fault


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_token_gives_what_it_says(algorithm: str) -> None:
    us = signer(algorithm)
    said = claims(sub="alice", iat=NOW_S - 1, nbf=NOW_S - 1, actions=["publish"])

    grant = verify(us.token(said), ring(us), ANY, NOW_S)

    assert (grant.subject, grant.issued_s, grant.expires_s) == ("alice", NOW_S - 1, NOW_S + 3600)
    assert grant.actions == {Action.PUBLISH}
    assert grant.opens("/rooms/lobby")
    assert not grant.opens("/desks/7")


def test_token_that_names_no_actions_lets_its_bearer_hear_and_no_more() -> None:
    assert verify(US.token(claims()), ring(US), ANY, NOW_S).actions == {Action.SUBSCRIBE}


def test_token_that_names_no_rooms_opens_none() -> None:
    grant = verify(US.token({"exp": NOW_S + 1}), ring(US), ANY, NOW_S)

    assert (grant.rooms, grant.subject, grant.issued_s) == ((), None, None)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_token_of_another_key_is_refused(algorithm: str) -> None:
    other = make_signer(algorithm, secret="another secret of at least 32 bytes")

    assert fault_of(other.token(claims()), ring(signer(algorithm))) is TokenFault.SIGNATURE


@pytest.mark.parametrize("algorithm", ALGORITHMS[1:])
def test_public_key_is_no_secret_whoever_signs_with_it(algorithm: str) -> None:
    us = signer(algorithm)

    for secret in (us.public, us.public.strip(), read_keys(us.public)[0].identity):
        assert fault_of(hs256(secret).token(claims()), ring(us)) is TokenFault.KEY


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("said", ALGORITHMS)
def test_key_checks_no_algorithm_but_its_own(algorithm: str, said: str) -> None:
    us = signer(algorithm)
    fault = fault_of(us.token(claims(), alg=said) + ("" if algorithm != said else "A"), ring(us))

    assert fault is (TokenFault.KEY if algorithm != said else fault)
    assert fault in (TokenFault.KEY, TokenFault.SIGNATURE, TokenFault.MALFORMED)


@pytest.mark.parametrize("word", ["none", "None", "NONE", "nOnE", "", None, "HS512", "RS512", "PS256", "ES384", 7, []])
def test_algorithm_that_is_none_of_the_four_is_refused_signed_or_not(word: object) -> None:
    keys = ring(*map(signer, ALGORITHMS))

    assert fault_of(US.token(claims(), alg=word), keys) is TokenFault.ALGORITHM
    assert fault_of(f"{part({'alg': word})}.{part(claims())}.", keys) is TokenFault.ALGORITHM


def test_key_that_a_token_brings_along_is_not_used() -> None:
    them = make_signer("EdDSA")

    assert fault_of(them.token(claims(), jwk=them.jwk), ring(signer("EdDSA"))) is TokenFault.SIGNATURE


@pytest.mark.parametrize(
    ("late_s", "leeway_s", "is_over"), [(-0.1, 0, False), (0, 0, True), (4.9, 5, False), (5, 5, True)]
)
def test_token_ends_at_its_exp(late_s: float, leeway_s: float, is_over: bool) -> None:
    token = US.token(claims(exp=NOW_S - late_s))

    if is_over:
        assert fault_of(token, expected=Expectations(leeway_s=leeway_s)) is TokenFault.EXPIRED
    else:
        assert verify(token, ring(US), Expectations(leeway_s=leeway_s), NOW_S)


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("early_s", "leeway_s", "is_early"), [(0, 0, False), (1, 0, True), (5, 5, False), (6, 5, True)]
)
def test_token_begins_at_its_nbf_and_not_before_it_was_issued(
    name: str, early_s: float, leeway_s: float, is_early: bool
) -> None:
    token = US.token(claims(**{name: NOW_S + early_s}))

    if is_early:
        assert fault_of(token, expected=Expectations(leeway_s=leeway_s)) is TokenFault.EARLY
    else:
        assert verify(token, ring(US), Expectations(leeway_s=leeway_s), NOW_S)


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1", True, [], {}, -1, 10**15, 10**400, float("nan"), float("inf")])
def test_time_that_is_no_number_of_seconds_is_refused(name: str, value: object) -> None:
    error = error_of(US.token(claims(**{name: value})))

    assert (error.fault, str(error)) == (TokenFault.CLAIMS, f"its {name} is no number of seconds since the epoch")


@pytest.mark.parametrize("missing", [{}, {"exp": None}])
def test_token_without_an_end_is_refused(missing: dict[str, object]) -> None:
    error = error_of(US.token({"rooms": ["/rooms/{room}"]} | missing))

    assert (error.fault, str(error)) == (TokenFault.CLAIMS, "it has no exp: a token has to end")


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({}, TokenFault.ISSUER),
        ({"iss": "https://other.example"}, TokenFault.ISSUER),
        ({"iss": ["https://id.example"]}, TokenFault.ISSUER),
        ({"iss": "https://id.example"}, TokenFault.AUDIENCE),
        ({"iss": "https://id.example", "aud": "shop"}, TokenFault.AUDIENCE),
        ({"iss": "https://id.example", "aud": ["shop", 7]}, TokenFault.AUDIENCE),
        ({"iss": "https://id.example", "aud": {"chat": 1}}, TokenFault.AUDIENCE),
        ({"iss": "https://id.example", "aud": "chat"}, None),
        ({"iss": "https://id.example", "aud": ["shop", "chat"]}, None),
    ],
)
def test_issuer_and_audience_are_those_that_are_configured(said: dict[str, object], fault: TokenFault | None) -> None:
    expected = Expectations(issuer="https://id.example", audience="chat")
    token = US.token(claims(**said))

    if fault is not None:
        assert fault_of(token, expected=expected) is fault
    else:
        assert verify(token, ring(US), expected, NOW_S)


@pytest.mark.parametrize("subject", ["", "a" * 256, "a\nb", "a\x00", 7, ["a"], {}])
def test_subject_that_could_not_be_told_to_others_is_refused(subject: object) -> None:
    assert fault_of(US.token(claims(sub=subject))) is TokenFault.CLAIMS
    assert verify(US.token(claims(sub="é" * 255)), ring(US), ANY, NOW_S).subject == "é" * 255


@pytest.mark.parametrize("name", ["rooms", "actions"])
@pytest.mark.parametrize("value", ["/rooms/lobby", None, {"/rooms/lobby": 1}, 7])
def test_list_that_is_none_is_refused(name: str, value: object) -> None:
    error = error_of(US.token(claims(**{name: value})))

    assert (error.fault, str(error)) == (TokenFault.CLAIMS, f"its {name} is no list")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "é.é.é",
        f"{part([])}.{part({})}.{part(b'x')}",
        f"{part(b'{')}.{part({})}.{part(b'x')}",
        f"{part(b'{' * 5000)}.{part({})}.",
        f"{part({'alg': 'HS256', 'kid': 7})}.{part({})}.{part(b'x')}",
        f"{part({'alg': 'HS256'})}.!.{part(b'x')}",
        US.token([]),
        US.token("text"),
        US.token(claims(), crit=["exp"]),
        US.token(claims(), crit=["b64"], b64=False),
        US.token(claims(), b64=True),
    ],
)
def test_what_is_no_jwt_is_refused(token: str) -> None:
    assert fault_of(token) is TokenFault.MALFORMED


def test_claims_that_are_no_json_are_refused_though_they_are_signed() -> None:
    for payload in (b"{", b"[" * 5000, b"\xff", b'{"exp": ' + b"9" * 5000 + b"}"):
        signed = f"{part({'alg': 'HS256'})}.{part(payload)}"

        assert fault_of(f"{signed}.{part(US.sign(signed.encode()))}") is TokenFault.MALFORMED


def test_token_of_as_many_bytes_as_it_may_have_is_read_and_a_longer_one_is_not() -> None:
    def of_size(size: int) -> str:
        return min((US.token(claims(x="x" * count)) for count in range(5900, 6100)), key=lambda t: abs(len(t) - size))

    assert verify(of_size(TOKEN_MAX_BYTES), ring(US), ANY, NOW_S)
    error = error_of(of_size(TOKEN_MAX_BYTES + 1))
    assert (error.fault, str(error)) == (TokenFault.MALFORMED, "it is longer than 8192 bytes")


def test_name_of_a_key_selects_it() -> None:
    one, other = make_signer("EdDSA"), make_signer("EdDSA")
    keys = KeyRing(read_jwks(jwks(one=one, other=other)))

    assert verify(one.token(claims(), kid="one"), keys, ANY, NOW_S)
    assert verify(one.token(claims()), keys, ANY, NOW_S)
    assert fault_of(one.token(claims(), kid="other"), keys) is TokenFault.SIGNATURE


def unknown(token: str, keys: KeyRing) -> bool:
    return isinstance(error_of(token, keys), UnknownKeyError)


def test_key_that_may_be_a_new_one_is_told_apart_from_a_signature_that_is_wrong() -> None:
    us, them = make_signer("EdDSA"), make_signer("EdDSA")
    keys = KeyRing(read_jwks(jwks(us=us)))

    assert unknown(them.token(claims(), kid="new"), keys)
    assert unknown(signer("ES256").token(claims()), keys)
    assert not unknown(them.token(claims(), kid="us"), keys)
    assert not unknown(them.token(claims()), keys)
    # A key without a name was tried, and may not have been meant.
    assert unknown(them.token(claims(), kid="new"), ring(us))
    assert verify(us.token(claims(), kid="new"), ring(us), ANY, NOW_S)


def secrets_of(token: str) -> Sequence[str]:
    return [piece for piece in (token, *token.split(".")) if len(piece) > 8]


@given(
    st.one_of(st.text(max_size=80), st.lists(st.binary(max_size=40).map(part), min_size=2, max_size=4).map(".".join))
)
def test_whatever_comes_is_refused_without_a_word_of_it(token: str) -> None:
    error = error_of(token)

    assert not any(piece in str(error) for piece in secrets_of(token))


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)
_NAMES = ("exp", "nbf", "iat", "sub", "rooms", "actions", "iss", "aud")


@given(st.dictionaries(st.sampled_from(_NAMES), _JSON), st.dictionaries(st.sampled_from(["kid", "typ", "cty"]), _JSON))
def test_whatever_is_signed_gives_a_grant_or_a_rule(said: dict[str, object], header: dict[str, object]) -> None:
    token = US.token(claims(**said), **header)

    try:
        ends_s, rule = verify(token, ring(US), ANY, NOW_S).expires_s, ""
    except TokenError as error:
        ends_s, rule = NOW_S + 1, str(error)

    assert ends_s > NOW_S
    assert not any(piece in rule for piece in secrets_of(token))


@given(st.data())
def test_token_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = US.token(claims(sub="alice"))
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from("ABCxyz019-_.=! "))
    changed = token[:position] + character + token[position + 1 :]

    if changed != token:
        error_of(changed)
