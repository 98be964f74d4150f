"""A relay with keys at a URL and in files: rotated, gone, garbage; whoever has a good token enters all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roomcast.logs import Journal
from roomcast.policies.tokens import UnknownKeyError
from roomcast.server.jwks import JwksUrl
from roomcast.server.verifier import KeySources, TokenVerifier
from roomcast.settings import Settings
from tests.idle import idle_counters
from tests.running import Serve
from tests.server.keyserver import HANG, KeyServer, answer, key_server
from tests.tokens import ALGORITHMS, SECRET, Signer, make_signer, signer
from tests.wire import rfc6455_head

LOBBY = "/rooms/lobby"
CLOSED = '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\naccess = "token"\n'


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as started:
        yield started


def shown(by: Signer, kid: str | None = None) -> str:
    said = {"exp": time.time() + 600, "rooms": ["/rooms/{room}"], "actions": ["subscribe", "publish"]}
    return f"Authorization: Bearer {by.token(said) if kid is None else by.token(said, kid=kid)}"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_in_a_file_opens_rooms(serve: Serve, tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(signer(algorithm).public)

    relay = serve(f'[tokens]\nkeys = ["{path}"]\n{CLOSED}')

    assert relay.join(LOBBY, shown(signer(algorithm)))
    assert relay.ask(rfc6455_head(LOBBY, shown(make_signer(algorithm, SECRET[::-1])))).status == 401


def test_files_are_read_again_all_of_them_or_none(serve: Serve, tmp_path: Path) -> None:
    old, new = make_signer("EdDSA"), make_signer("EdDSA")
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(old.public)
    other.write_bytes(signer("ES256").public)
    relay = serve(f'[tokens]\nkeys = ["{one}", "{other}"]\n{CLOSED}')
    member = relay.join(LOBBY, shown(old))

    one.write_bytes(new.public)
    other.write_text("what was I to write here?")
    relay.call(relay.server.reload)
    refused = relay.diary.wait_for("configuration refused", level="error")
    assert refused["message"].startswith(f"[tokens] keys: {other}: ")
    assert relay.ask(rfc6455_head(LOBBY, shown(new))).status == 401

    other.write_bytes(signer("ES256").public)
    relay.call(relay.server.reload)
    assert relay.diary.wait_for("configuration reloaded")["changes"] == []
    newcomer = relay.join(LOBBY, shown(new))
    assert relay.ask(rfc6455_head(LOBBY, shown(old))).status == 401
    # Who is in stays in: its token is as good as it was.
    newcomer.say("hello")
    assert member.hear() == "hello"


def test_keys_of_a_url_go_on_across_a_reload_though_it_fails(serve: Serve, server: KeyServer) -> None:
    us = make_signer("EdDSA")
    server.serve_keys(a=us)
    relay = serve(f'[tokens]\njwks_url = "{server.url}"\n{CLOSED}')
    assert relay.join(LOBBY, shown(us, "a"))
    server.answer = answer(b"", "500 Oh no")

    relay.reload()

    assert relay.join(LOBBY, shown(us, "a"))


def test_who_waits_for_a_key_when_a_reload_comes_waits_for_the_next_answer(serve: Serve, server: KeyServer) -> None:
    us = make_signer("EdDSA")
    server.answer = HANG
    relay = serve(f'[tokens]\njwks_url = "{server.url}"\n{CLOSED}')
    server.wait_for_request()
    waiting = relay.connect()
    waiting.send(rfc6455_head(LOBBY, shown(us, "a")))
    relay.until(lambda: relay.server.in_use().connections == 1)
    server.serve_keys(a=us)

    relay.reload()

    assert waiting.read_head()[0] == 101


def test_handshake_from_before_a_reload_learns_the_keys_of_after_it(serve: Serve, server: KeyServer) -> None:
    us = make_signer("EdDSA")
    server.serve_keys()
    relay = serve(f'[tokens]\njwks_url = "{server.url}"\n{CLOSED}')
    server.wait_for_request()
    begun = relay.connect()
    first, _, rest = rfc6455_head(LOBBY, shown(us, "a")).partition(b"\r\n")
    begun.send(first + b"\r\n")
    relay.until(lambda: relay.server.in_use().connections == 1)
    server.serve_keys(a=us)

    relay.reload()
    begun.send(rest)

    assert begun.read_head()[0] == 101


def test_url_is_asked_at_start_and_who_comes_before_the_answer_waits_for_it(serve: Serve, server: KeyServer) -> None:
    us = make_signer("RS256")
    server.serve_keys(a=us)

    relay = serve(f'[tokens]\njwks_url = "{server.url}"\n{CLOSED}')

    assert relay.join(LOBBY, shown(us, "a"))
    assert relay.join(LOBBY, shown(us))
    assert relay.metric('roomcast_jwks_refreshes_total{outcome="done"}') == 1


def test_url_that_gives_nothing_keeps_nobody_out_who_needs_no_key_of_it(serve: Serve, server: KeyServer) -> None:
    server.answer = answer(b"", "503 Service Unavailable")

    relay = serve(f'[tokens]\nsecret = "{SECRET}"\njwks_url = "{server.url}"\n{CLOSED}')

    assert relay.join(LOBBY, shown(signer("HS256")))
    assert relay.diary.wait_for("keys not fetched")["message"] == "the status is 503, not 200"
    answered = relay.ask(rfc6455_head(LOBBY, shown(signer("EdDSA"), "a")))
    assert (answered.status, relay.counters.tokens["key"]) == (401, 1)


def test_key_that_the_url_dropped_ends_after_two_intervals_while_the_url_fails(server: KeyServer) -> None:
    old, new = make_signer("EdDSA"), make_signer("EdDSA")
    elapsed_s = [0.0]
    settings = Settings.model_validate({"tokens": {"jwks_url": server.url, "jwks_refresh_s": 300}})
    verifier = TokenVerifier(
        settings,
        KeySources([], JwksUrl(server.url)),
        journal=Journal(lambda _: None),
        counters=idle_counters(),
        elapsed=lambda: elapsed_s[0],
    )

    def is_taken(by: Signer, kid: str, at_s: float) -> bool:
        elapsed_s[0] = at_s
        try:
            verifier.verify(by.token({"exp": time.time() + 600, "rooms": ["/a"]}, kid=kid))
        except UnknownKeyError:
            return False
        return True

    server.serve_keys(old=old)
    verifier.start()
    try:
        before = is_taken(old, "old", 1)
        server.serve_keys(new=new)
        after = [is_taken(new, "new", 100), is_taken(old, "old", 100)]
        server.answer = answer(b"", "503 Service Unavailable")
        failing = [is_taken(old, "old", 699.9), is_taken(old, "old", 700), is_taken(new, "new", 701)]
    finally:
        verifier.stop()

    assert (before, after, failing) == (True, [True, True], [True, False, True])


def test_relay_serves_while_the_url_hangs(serve: Serve, server: KeyServer) -> None:
    server.answer = HANG

    relay = serve(f'[tokens]\nsecret = "{SECRET}"\njwks_url = "{server.url}"\n{CLOSED}')
    server.wait_for_request()

    ada, bob = relay.join(LOBBY, shown(signer("HS256"))), relay.join(LOBBY, shown(signer("HS256")))
    ada.say("hello")
    assert bob.hear() == "hello"


def test_handshake_that_waits_for_a_key_is_ended_by_its_own_deadline(serve: Serve, server: KeyServer) -> None:
    server.answer = HANG

    relay = serve(f'[limits]\nhandshake_timeout_s = 0.3\n[tokens]\njwks_url = "{server.url}"\n{CLOSED}')

    assert relay.ask(rfc6455_head(LOBBY, shown(signer("EdDSA"), "a"))).status == 408


def test_unknown_key_has_the_url_asked_once_and_not_again_at_once(serve: Serve, server: KeyServer) -> None:
    us, them = make_signer("EdDSA"), make_signer("EdDSA")
    server.serve_keys(us=us)
    relay = serve(f'[tokens]\njwks_url = "{server.url}"\n{CLOSED}')
    relay.join(LOBBY, shown(us, "us"))

    for _ in range(5):
        assert relay.ask(rfc6455_head(LOBBY, shown(them, "them"))).status == 401

    assert server.requests.qsize() == 1
    assert relay.counters.tokens["key"] == 5
