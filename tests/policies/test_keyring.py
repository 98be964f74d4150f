"""Which keys are tried for a token, how long an old one goes on, and when a URL is asked again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.keyring import EARLY_EVERY_S, KeyRing
from roomcast.policies.keys import Key, read_jwks, read_keys
from tests.tokens import jwks, make_signer, signer


def named(kid: str | None, algorithm: str = "EdDSA") -> Key:
    jwk = make_signer(algorithm).jwk
    [key] = read_keys(json.dumps(jwk if kid is None else jwk | {"kid": kid}).encode())
    return key


def kids(ring: KeyRing, kid: str | None = None, algorithm: str = "EdDSA") -> list[str | None]:
    return [key.kid for key in ring.find(algorithm, kid)]


def test_name_selects_and_without_one_all_keys_of_the_algorithm_are_tried() -> None:
    ring = KeyRing([named("a"), named("b"), named(None), named("c", "ES256")])

    assert kids(ring) == ["a", "b", None]
    # A key in a file has no name, whatever the tokens call it.
    assert kids(ring, "a") == ["a", None]
    assert kids(ring, "z") == [None]
    assert kids(ring, "c") == [None]
    assert kids(ring, "c", "ES256") == ["c"]
    assert [ring.knows(kid) for kid in ("a", "c", "z")] == [True, True, False]


def test_keys_of_a_new_configuration_stand_beside_what_the_same_url_gave_before() -> None:
    before, ring = KeyRing([named("a")]), KeyRing([named("b")])
    before.fetched([named("u")], 0.0)

    ring.take_over(before)

    assert kids(ring) == ["b", "u"]
    assert ring.knows("u")


def test_key_that_the_url_drops_goes_on_for_two_intervals() -> None:
    ring = KeyRing([], refresh_s=10)
    old, new = named("old"), named("new")
    ring.fetched([old], 0.0)

    # It was there until now, however long ago it was seen.
    ring.fetched([new], 1000.0)
    assert kids(ring) == ["new", "old"]
    ring.fetched([new], 1010.0)
    ring.fetched([new], 1019.9)
    assert kids(ring) == ["new", "old"]
    ring.fetched([new], 1020.0)
    assert kids(ring) == ["new"]


def test_key_that_the_url_dropped_ends_in_its_time_while_the_url_fails() -> None:
    ring = KeyRing([named("f")], refresh_s=10)
    new = named("new")
    ring.fetched([named("old"), new], 0.0)
    ring.fetched([new], 10.0)
    ring.failed()

    ring.drop_ended(29.9)
    assert (kids(ring), ring.knows("old")) == (["f", "new", "old"], True)
    ring.drop_ended(30.0)
    assert (kids(ring), ring.knows("old")) == (["f", "new"], False)


def test_key_that_comes_back_is_there_once() -> None:
    ring = KeyRing([], refresh_s=10)
    key = named("a")

    for keys in ([key], [], [key]):
        ring.fetched(keys, 5.0)

    assert kids(ring) == ["a"]


def test_other_key_of_the_same_name_replaces_the_old_one_in_time() -> None:
    ring = KeyRing([], refresh_s=10)
    ring.fetched(read_jwks(jwks(a=signer("EdDSA"))), 0.0)
    ring.fetched(read_jwks(jwks(a=make_signer("EdDSA"))), 1.0)

    assert kids(ring, "a") == ["a", "a"]


def test_keys_stay_while_the_url_fails() -> None:
    ring = KeyRing([], refresh_s=10)
    ring.fetched([named("a")], 0.0)

    for _ in range(100):
        ring.failed()

    assert kids(ring) == ["a"]


def test_url_that_fails_is_asked_again_soon_then_less_and_less_often() -> None:
    ring = KeyRing([], refresh_s=300)
    waits = []

    for _ in range(12):
        ring.failed()
        waits.append((ring.wait_s(0.0), ring.wait_s(1.0)))

    assert waits[:4] == [(0.5, 1), (1, 2), (2, 4), (4, 8)]
    assert waits[-1] == (150, 300)


def test_url_that_works_again_is_asked_at_the_usual_interval() -> None:
    ring = KeyRing([], refresh_s=300)
    ring.failed()
    ring.fetched([named("a")], 0.0)

    assert (ring.wait_s(0.0), ring.wait_s(1.0)) == (270, 300)


@given(failures=st.integers(0, 2000), dice=st.floats(0, 1, exclude_max=True), refresh_s=st.integers(10, 86_400))
def test_nobody_waits_longer_than_the_interval_nor_not_at_all(failures: int, dice: float, refresh_s: int) -> None:
    ring = KeyRing([], refresh_s=refresh_s)
    for _ in range(failures):
        ring.failed()

    assert 0.5 <= ring.wait_s(dice) <= refresh_s


@pytest.mark.parametrize(("later_s", "may_ask"), [(EARLY_EVERY_S - 0.1, False), (EARLY_EVERY_S, True)])
def test_unknown_keys_have_the_url_asked_once_in_ten_seconds_whoever_brings_them(later_s: float, may_ask: bool) -> None:
    ring = KeyRing([], refresh_s=300)

    assert ring.may_ask_early(100.0)
    assert not ring.may_ask_early(100.0)
    assert ring.may_ask_early(100.0 + later_s) is may_ask
