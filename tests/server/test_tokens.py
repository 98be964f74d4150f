"""What is made of the settings of tokens, and the tokens that are made to try it with."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from roomcast.logs import Journal
from roomcast.policies.grants import Action, TokenError, TokenFault
from roomcast.server.tokens import build_verifier, make_token, read_key_sources, verify_token
from roomcast.settings import Settings
from tests.idle import idle_counters
from tests.tokens import SECRET, signer


def settings(**tokens: object) -> Settings:
    return Settings.model_validate({"tokens": tokens})


def make(of: Settings, key: Path | None = None, kid: str | None = None, *, room: str = "/rooms/{room}") -> str:
    return make_token(of, subject="alice", rooms=[room], actions=[Action.PUBLISH], expires_in_s=60, key=key, kid=kid)


def test_nobody_looks_at_tokens_without_a_key() -> None:
    assert build_verifier(Settings(), None, Journal(print), idle_counters()) is None


def test_what_was_read_is_all_that_a_verifier_needs(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(signer("EdDSA").public)
    ours = settings(keys=[str(path)])

    sources = read_key_sources(ours)
    path.unlink()
    verifier = build_verifier(ours, sources, Journal(print), idle_counters())

    assert verifier is not None
    token = signer("EdDSA").token({"exp": time.time() + 600, "rooms": ["/rooms/lobby"]})
    assert verifier.verify(token).opens("/rooms/lobby")


def test_url_is_ready_to_be_asked_when_the_sources_are_read() -> None:
    sources = read_key_sources(settings(jwks_url="https://id.example/keys"))

    assert sources is not None
    assert sources.url is not None


def test_token_that_is_made_is_taken_and_gives_what_was_asked_for() -> None:
    ours = settings(secret=SECRET, issuer="https://id.example", audience="chat")

    grant = verify_token(ours, make(ours))

    assert grant.subject == "alice"
    assert grant.opens("/rooms/lobby")
    assert grant.actions == {Action.PUBLISH}
    assert grant.issued_s is not None
    assert grant.expires_s == grant.issued_s + 60
    assert abs(grant.issued_s - time.time()) < 20


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_private_key_makes_what_its_public_key_takes(algorithm: str, tmp_path: Path) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(signer(algorithm).private)
    public.write_bytes(signer(algorithm).public)

    assert verify_token(settings(keys=[str(public)]), make(Settings(), private, "a")).subject == "alice"


def test_without_a_key_there_is_no_token_and_the_error_says_how_to_make_one() -> None:
    with pytest.raises(ValueError, match=r"set tokens\.secret, as with --set tokens\.secret=\$\(openssl rand"):
        make(Settings())


def test_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--key: .*missing cannot be read: No such file"):
        make(Settings(), tmp_path / "missing")


def test_room_that_cannot_be_is_refused_before_there_is_a_token() -> None:
    with pytest.raises(ValueError, match="--room: number 1 in its claim rooms is no path or pattern"):
        make(settings(secret=SECRET), room="lobby")


def test_token_is_checked_as_the_door_would() -> None:
    ours = settings(secret=SECRET, audience="chat")

    with pytest.raises(TokenError) as raised:
        verify_token(ours, make(settings(secret=SECRET)))

    assert raised.value.fault is TokenFault.AUDIENCE


def test_without_any_key_no_token_can_be_checked() -> None:
    with pytest.raises(ValueError, match=r"there is no key to check a token by: set tokens\.secret"):
        verify_token(Settings(), "a.b.c")
