"""Keys from a URL: whatever it answers, the relay goes on with the keys that it has."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import gevent
import pytest
from gevent.event import Event

from roomcast.policies.keyring import KeyRing
from roomcast.policies.keys import Key, read_jwks
from roomcast.server.jwks import ANSWER_MAX_BYTES, FetchError, JwksRefresher, JwksUrl, client_context
from tests.certificates import authority, issue
from tests.diary import Diary
from tests.idle import idle_counters
from tests.server.keyserver import HANG, KeyServer, answer, key_server
from tests.tokens import jwks, signer


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as started:
        yield started


def failure(url: str, timeout_s: float = 5.0) -> str:
    with pytest.raises(FetchError) as raised:
        JwksUrl(url, timeout_s=timeout_s).fetch()
    return str(raised.value)


def test_keys_are_asked_for_by_a_plain_get(server: KeyServer) -> None:
    server.serve_keys(a=signer("EdDSA"), b=signer("RS256"))

    keys = JwksUrl(f"{server.url}?v=1").fetch()

    assert [(key.algorithm, key.kid) for key in keys] == [("EdDSA", "a"), ("RS256", "b")]
    head = server.wait_for_request().decode()
    assert head.startswith("GET /jwks.json?v=1 HTTP/1.1\r\n")
    assert "\r\nConnection: close\r\n" in head


GARBAGE = "s3cr3t garbage"


@pytest.mark.parametrize(
    ("answered", "reason"),
    [
        (answer(b"{}"), "it is no JWKS: it has no list named keys"),
        (answer(b"<html>" + GARBAGE.encode()), "it is no JSON"),
        (answer(b'{"keys": []}'), "it has no key that can be used; of the last, it is empty"),
        (answer(jwks(a=signer("HS256"))), "it has no key that can be used; of the last, it is empty"),
        (answer(GARBAGE.encode(), "404 Not Found"), "the status is 404, not 200"),
        (answer(b"", "302 Found", "Location: http://127.0.0.1:1/"), "the status is 302, not 200"),
        (answer(b" " * (ANSWER_MAX_BYTES + 1)), f"the answer is longer than {ANSWER_MAX_BYTES} bytes"),
        (answer(b"{")[:-1], "it is no JSON"),
        (f"{GARBAGE}\r\n\r\n".encode(), "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", "HTTPException"),
    ],
)
def test_answer_that_gives_no_keys_is_told_without_a_word_of_it(
    server: KeyServer, answered: bytes, reason: str
) -> None:
    server.answer = answered

    told = failure(server.url)

    assert told == reason
    assert GARBAGE not in told


def test_answer_of_as_many_bytes_as_it_may_have_is_read(server: KeyServer) -> None:
    body = jwks(a=signer("EdDSA"))
    server.answer = answer(body + b" " * (ANSWER_MAX_BYTES - len(body)))

    assert len(JwksUrl(server.url).fetch()) == 1


def test_answer_that_does_not_come_is_not_waited_for(server: KeyServer) -> None:
    server.answer = HANG

    assert failure(server.url, timeout_s=0.2) == "no whole answer within 0.2 s"


def test_url_at_which_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert failure(f"http://127.0.0.1:{port}/") == "Connection refused"


def test_timeout_of_somebody_else_is_not_taken_for_ours(server: KeyServer) -> None:
    server.answer = HANG

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.1):
        JwksUrl(server.url).fetch()


def test_https_is_spoken_with_who_can_prove_to_be_the_host(tmp_path: Path) -> None:
    files = issue(tmp_path)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(files.certificate, files.key)
    trusting = client_context()
    authority().configure_trust(trusting)
    with key_server(ours) as server:
        server.serve_keys(a=signer("ES256"))

        assert [key.kid for key in JwksUrl(server.url, context=trusting).fetch()] == ["a"]
        # Nobody vouches for it but an authority that the system does not know.
        assert "certificate verify failed" in failure(server.url)


class Keeper:
    """A refresher of a URL that does what the test says, with its ring, log and counters."""

    def __init__(self) -> None:
        self.diary = Diary()
        self.counters = idle_counters()
        self.ring = KeyRing([], refresh_s=3600)
        self.now_s = 100.0
        self.asked = 0
        self.gives: list[Key] | Exception = FetchError("the status is 500, not 200")
        self.may_answer = Event()
        self.may_answer.set()
        self.refresher = JwksRefresher(
            self._fetch,
            self.ring,
            clock=lambda: self.now_s,
            dice=lambda: 0.0,
            journal=self.diary.journal,
            counters=self.counters,
        )

    def _fetch(self) -> list[Key]:
        self.asked += 1
        self.may_answer.wait()
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    kept = Keeper()
    try:
        yield kept
    finally:
        kept.refresher.stop()


def test_keys_are_there_as_soon_as_somebody_needs_them(keeper: Keeper) -> None:
    keeper.gives = read_jwks(jwks(a=signer("EdDSA")))
    keeper.refresher.start()

    # It waits for the first answer, which nobody has asked for yet.
    keeper.refresher.refresh()

    assert keeper.ring.knows("a")
    assert (keeper.asked, keeper.counters.jwks_refreshes["done"]) == (1, 1)
    [record] = keeper.diary.finish()
    assert (record["event"], record["keys"]) == ("keys fetched", 1)


def test_unknown_keys_have_the_url_asked_once_in_ten_seconds(keeper: Keeper) -> None:
    keeper.gives = read_jwks(jwks(a=signer("EdDSA")))
    keeper.refresher.start()
    keeper.refresher.refresh()

    for _ in range(100):
        keeper.refresher.refresh()
    assert keeper.asked == 1

    keeper.now_s += 10
    keeper.gives = read_jwks(jwks(b=signer("ES256")))
    keeper.refresher.refresh()
    assert keeper.asked == 2
    assert keeper.ring.knows("a")
    assert keeper.ring.knows("b")
    # Another set is worth a line; the same one again is none.
    assert [record["event"] for record in keeper.diary.finish()] == ["keys fetched", "keys fetched"]


def test_all_who_wait_for_a_key_wait_for_one_answer(keeper: Keeper) -> None:
    keeper.gives = read_jwks(jwks(a=signer("EdDSA")))
    keeper.may_answer.clear()
    keeper.refresher.start()
    waiting = [gevent.spawn(keeper.refresher.refresh) for _ in range(20)]
    gevent.idle()
    assert not any(map(bool, [greenlet.ready() for greenlet in waiting]))

    keeper.may_answer.set()
    gevent.joinall(waiting, timeout=5, raise_error=True)

    assert keeper.asked == 1
    assert keeper.ring.knows("a")


def test_url_that_fails_leaves_the_keys_and_is_asked_again(keeper: Keeper) -> None:
    keeper.gives = read_jwks(jwks(a=signer("EdDSA")))
    keeper.refresher.start()
    keeper.refresher.refresh()
    keeper.gives = FetchError("the status is 500, not 200")
    keeper.now_s += 10
    keeper.refresher.refresh()

    assert keeper.ring.knows("a")
    assert keeper.counters.jwks_refreshes == {"done": 1, "failed": 1}
    # Half a second later by itself, not in an hour.
    keeper.gives = read_jwks(jwks(b=signer("EdDSA")))
    began_s = monotonic()
    while not keeper.ring.knows("b"):
        gevent.idle()
    assert monotonic() - began_s < 5
    failed = [record for record in keeper.diary.finish() if record["level"] == "warning"]
    assert [record["message"] for record in failed] == ["the status is 500, not 200"]


def test_fault_of_ours_ends_nothing(keeper: Keeper) -> None:
    keeper.gives = ZeroDivisionError("of a kind that nobody expected")
    keeper.refresher.start()
    keeper.refresher.refresh()
    keeper.now_s += 10
    keeper.gives = read_jwks(jwks(a=signer("EdDSA")))

    keeper.refresher.refresh()

    assert keeper.ring.knows("a")
    assert keeper.counters.jwks_refreshes == {"done": 1, "failed": 1}
    assert [record["event"] for record in keeper.diary.finish()] == ["internal fault", "keys fetched"]


def test_who_waits_when_it_stops_waits_no_longer(keeper: Keeper) -> None:
    keeper.may_answer.clear()
    keeper.refresher.start()
    waiting = gevent.spawn(keeper.refresher.refresh)
    gevent.idle()

    keeper.refresher.stop()

    waiting.get(timeout=5)


def test_one_that_was_never_started_can_be_stopped() -> None:
    Keeper().refresher.stop()
