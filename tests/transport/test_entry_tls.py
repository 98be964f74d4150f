"""Handshakes where the door has a certificate: what is different for those who are let in, and who is not."""

from __future__ import annotations

import ssl

import pytest

from roomcast.transport.admission import Outcome
from tests.certificates import trusting
from tests.proxied import line
from tests.running import TLS, Relay, Serve
from tests.transport.answers import check_answer
from tests.transport.rooms import LOBBY
from tests.wire import HOST, KEY3, TOKEN, Wire, connect, get, hixie76_head, rfc6455_head, shake_hands_rfc6455

pytestmark = pytest.mark.parametrize("serve", [TLS], indirect=True)

HELLO = b"\x16\x03\x01"
"""How the record of a ClientHello begins."""


def client_hello() -> bytes:
    """Return a whole one."""
    outgoing = ssl.MemoryBIO()
    client = trusting().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def counted(relay: Relay, outcome: Outcome, count: int = 1) -> None:
    """Wait until so many handshakes, in which no dialect was heard, have ended so."""
    relay.until(lambda: relay.server.counters.handshakes["none", outcome] == count)


# --- who is let in


def test_page_and_readiness_are_served(serve: Serve) -> None:
    relay = serve("[server]\ndemo = true")

    assert relay.ask(get("/-/ready")).body == b"ready\n"
    page = relay.ask()
    assert page.headers["content-length"] == str(len(page.body))


@pytest.mark.parametrize(("scheme", "status"), [("https", b"101"), ("http", b"403")])
def test_page_of_our_own_was_loaded_over_tls(serve: Serve, scheme: str, status: bytes) -> None:
    wire = serve().connect()

    wire.send(rfc6455_head(LOBBY, f"Origin: {scheme}://relay.example"))

    assert wire.read(12) == b"HTTP/1.1 " + status


def test_hixie76_is_told_a_location_with_wss(serve: Serve) -> None:
    wire = serve().connect()
    wire.send(hixie76_head(LOBBY, origin="https://relay.example") + KEY3)

    head = wire.read_until(b"\r\n\r\n")

    assert b"\r\nSec-WebSocket-Location: wss://relay.example/rooms/lobby\r\n" in head
    assert wire.read(len(TOKEN)) == TOKEN


def test_refusal_reaches_whom_it_is_for(serve: Serve) -> None:
    check_answer(serve().ask(rfc6455_head("/nowhere")), 404, "no room has this path")


def test_proxy_says_in_clear_for_whom_it_speaks_and_its_client_goes_on_in_tls(serve: Serve) -> None:
    relay = serve('[server]\ntrusted_proxies = ["127.0.0.1"]\nproxy_protocol = true')
    with connect(relay.address) as raw:
        raw.send(line("203.0.113.9"))
        member = shake_hands_rfc6455(
            Wire(trusting().wrap_socket(raw.socket, server_hostname=HOST, suppress_ragged_eofs=False)), LOBBY
        )
        relay.diary.wait_for("joined", address="203.0.113.9")
        member.say_goodbye()
        assert member.read_goodbye() == (1000, "peer")
        member.close()


# --- who has no TLS


@pytest.mark.parametrize("sent", [get(), rfc6455_head(LOBBY), b"\x80\x2e\x01\x00\x02", b"\0"])
def test_client_that_speaks_something_else_is_told_so_in_clear(serve: Serve, sent: bytes) -> None:
    relay = serve()

    with connect(relay.address) as wire:
        wire.send(sent)
        check_answer(wire.read_answer(), 400, "this port speaks TLS: use wss:// or https://")

    counted(relay, Outcome.TLS)
    assert relay.diary.wait_for("refused", outcome="tls")["status"] == 400


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x03\x01\x00\x05" + b"\x02" * 5, b"\x03\x01\xff\xff" + bytes(65_535)]
)
def test_garbage_that_begins_like_tls_gets_an_alert_and_the_end(serve: Serve, garbage: bytes) -> None:
    relay = serve()

    with connect(relay.address) as wire:
        wire.send(b"\x16" + garbage)
        answer = wire.read_to_end()

    # A fatal alert of two bytes, or none at all.
    assert answer[:1] in (b"", b"\x15")
    assert len(answer) in (0, 7)
    counted(relay, Outcome.TLS)


def test_client_that_does_not_trust_us_is_logged_in_its_own_words(serve: Serve) -> None:
    relay = serve()
    stranger = ssl.create_default_context()

    with connect(relay.address) as wire, pytest.raises(ssl.SSLCertVerificationError):
        stranger.wrap_socket(wire.socket, server_hostname=HOST)

    assert relay.diary.wait_for("refused", outcome="tls")["message"] == "no TLS: tlsv1 alert unknown ca"


# --- who does not get that far


@pytest.mark.parametrize("sent", [b"", HELLO, client_hello()], ids=["nothing", "the beginning", "a whole hello"])
def test_client_that_says_no_more_is_left_at_the_deadline_without_a_word_in_clear(serve: Serve, sent: bytes) -> None:
    relay = serve("[limits]\nhandshake_timeout_s = 0.2")

    with connect(relay.address) as wire:
        wire.send(sent)
        answer = wire.read_to_end()

    assert not answer.startswith(b"HTTP")
    counted(relay, Outcome.TIMEOUT)
    assert relay.diary.wait_for("refused", outcome="timeout")["status"] == 408


def test_hello_that_drips_has_the_same_deadline(serve: Serve) -> None:
    relay = serve("[limits]\nhandshake_timeout_s = 0.3")

    with (
        connect(relay.address) as wire,
        relay.noticing(lambda: relay.server.counters.handshakes["none", "timeout"] > 0),
    ):
        for byte in client_hello()[:-1]:
            wire.send(bytes([byte]))


@pytest.mark.parametrize("is_reset", [False, True])
@pytest.mark.parametrize("sent", [HELLO, client_hello()], ids=["the beginning", "a whole hello"])
def test_client_that_leaves_in_the_middle_is_counted_and_not_logged(serve: Serve, sent: bytes, is_reset: bool) -> None:
    relay = serve()
    wire = connect(relay.address)
    wire.send(sent)
    relay.until(lambda: relay.server.counters.received_bytes == len(sent))

    wire.reset() if is_reset else wire.close()

    counted(relay, Outcome.GONE)
    assert relay.records("refused") == []


@pytest.mark.usefixtures("many_files")
def test_thousand_unfinished_handshakes_keep_nobody_out(serve: Serve) -> None:
    relay = serve("[limits]\nhandshakes_max = 1001")
    hello = client_hello()
    crowd = [connect(relay.address) for _ in range(1000)]
    for wire in crowd:
        wire.send(hello)
    relay.until(lambda: relay.server.counters.received_bytes == 1000 * len(hello))

    ada, bob = relay.join(), relay.join()
    ada.say("hello")
    assert bob.hear() == "hello"

    for wire in crowd:
        wire.close()
    counted(relay, Outcome.GONE, 1000)


@pytest.mark.parametrize("limit", ["connections_max", "handshakes_max"])
def test_client_for_whom_there_is_no_place_is_closed_without_a_word_in_clear(serve: Serve, limit: str) -> None:
    relay = serve(f"[limits]\n{limit} = 1")
    with connect(relay.address) as first:
        first.send(HELLO)
        relay.until(lambda: relay.server.counters.received_bytes == len(HELLO))
        with connect(relay.address) as second:
            assert second.read_to_end() == b""

        counted(relay, Outcome.FULL)
        assert relay.diary.wait_for("refused", outcome="full")["message"] == f"{limit} is reached"


def test_certificate_names_us(serve: Serve) -> None:
    wire = serve().connect()

    assert isinstance(wire.socket, ssl.SSLSocket)
    certificate = wire.socket.getpeercert()
    assert certificate is not None
    assert ("DNS", HOST) in certificate["subjectAltName"]
