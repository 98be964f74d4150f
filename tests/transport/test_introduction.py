"""Who is there, by what a proxy says; whose place is counted; and whom nobody believes."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path
from time import monotonic

import gevent
import pytest

from roomcast.policies.forwarded import Forwarding, TrustedProxies
from roomcast.transport.introduction import Introduction
from roomcast.transport.turns import Turns
from roomcast.transport.visitor import Visitor
from tests.certificates import issue, trusting
from tests.proxied import HEALTH_CHECK, NO_TLS, PROXY, SIGNATURE, TLS, binary, line
from tests.running import Relay, Serve
from tests.transport.entrance import Entrance, entrance
from tests.transport.rooms import LOBBY
from tests.wire import (
    HOST,
    KEY3,
    TOKEN,
    Answer,
    Rfc6455Client,
    get,
    hixie76_head,
    rfc6455_head,
    shake_hands_hixie76,
    shake_hands_rfc6455,
)

PEER = "192.0.2.7"
"""A proxy with an address that would be counted, were it not trusted."""
STRANGER = "192.0.2.8"
ADA, BOB = "203.0.113.9", "203.0.113.10"
EVIL = "198.51.100.6"

TRUSTED = TrustedProxies([PEER, "10.0.0.0/8", "unix:"])
BY_X_FORWARDED_FOR = Forwarding(TRUSTED)
BY_FORWARDED = Forwarding(TRUSTED, header="forwarded")
BY_PROXY_HEADER = Forwarding(TRUSTED, proxy_protocol=True)

TRUSTING = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
PROXY_PROTOCOL = TRUSTING + "proxy_protocol = true\n"


def forwarded_for(*addresses: str) -> str:
    return f"X-Forwarded-For: {', '.join(addresses)}"


def ask(door: Entrance, peer: str, data: bytes) -> Answer:
    with door.visit(peer) as wire:
        wire.send(data)
        return wire.read_answer()


# --- whom the log names


@pytest.mark.parametrize(
    ("forwarding", "peer", "lines", "address"),
    [
        (BY_X_FORWARDED_FOR, PEER, [forwarded_for(ADA)], ADA),
        (BY_X_FORWARDED_FOR, PEER, [forwarded_for(EVIL, ADA)], ADA),
        (BY_X_FORWARDED_FOR, PEER, [forwarded_for(EVIL), forwarded_for(ADA, "10.0.0.1")], ADA),
        (BY_X_FORWARDED_FOR, "::ffff:192.0.2.7", [forwarded_for("2001:db8::9")], "2001:db8::9"),
        (BY_X_FORWARDED_FOR, "", [forwarded_for(ADA)], ADA),
        (BY_X_FORWARDED_FOR, PEER, [forwarded_for("unknown")], PEER),
        (BY_X_FORWARDED_FOR, PEER, [f"Forwarded: for={EVIL}"], PEER),
        (BY_X_FORWARDED_FOR, PEER, ["X-Real-IP: 198.51.100.6", "X-Client-IP: 198.51.100.6"], PEER),
        (BY_X_FORWARDED_FOR, STRANGER, [forwarded_for(EVIL)], STRANGER),
        (BY_X_FORWARDED_FOR, "127.0.0.1", [forwarded_for(EVIL)], "127.0.0.1"),
        (BY_FORWARDED, PEER, [f"Forwarded: for={EVIL}, for={ADA};proto=https"], ADA),
        (BY_FORWARDED, PEER, [forwarded_for(EVIL)], PEER),
        (BY_FORWARDED, STRANGER, [f"Forwarded: for={EVIL}"], STRANGER),
        (Forwarding(TrustedProxies([])), "10.0.0.1", [forwarded_for(EVIL), f"Forwarded: for={EVIL}"], "10.0.0.1"),
    ],
)
def test_log_names_the_client_that_a_trusted_proxy_names(
    serve: Serve, forwarding: Forwarding, peer: str, lines: list[str], address: str
) -> None:
    with entrance(serve(), forwarding=forwarding) as door:
        assert ask(door, peer, get("/nowhere", *lines)).status == 404

        assert door.diary.wait_for("refused", status=404)["address"] == address


def test_member_is_logged_under_its_own_address_from_its_first_line_to_its_last(serve: Serve) -> None:
    relay = serve(TRUSTING)

    relay.join(LOBBY, forwarded_for(EVIL, ADA)).close()

    assert relay.diary.wait_for("left")["address"] == ADA
    assert relay.diary.wait_for("joined")["address"] == ADA


# --- whose place it is


def check_turned_away(answer: Answer) -> None:
    assert (answer.status, answer.body) == (429, b"connections_per_address is reached\n")
    assert answer.headers["retry-after"] == "5"


def test_clients_behind_a_trusted_proxy_are_counted_each_for_itself(serve: Serve) -> None:
    relay = serve()
    with entrance(relay, connections_per_address=2, forwarding=BY_X_FORWARDED_FOR) as door:

        def join(address: str) -> Rfc6455Client:
            return shake_hands_rfc6455(door.visit(PEER), LOBBY, forwarded_for(EVIL, address))

        ada, _ = join(ADA), join(ADA)
        check_turned_away(ask(door, PEER, rfc6455_head(LOBBY, forwarded_for(EVIL, ADA))))
        # Nor by another proxy, nor without any.
        check_turned_away(ask(door, "10.0.0.1", get("/", forwarded_for(ADA))))
        check_turned_away(ask(door, ADA, get()))
        record = door.diary.wait_for("refused", status=429, path=LOBBY)
        assert (record["address"], record["outcome"]) == (ADA, "address_limit")

        # Others have limits of their own, and who was turned away took nothing.
        assert [join(BOB), join(BOB)]
        ada.close()
        relay.until(lambda: door.places.connections == 3)
        assert join(ADA)
        check_turned_away(ask(door, PEER, rfc6455_head(LOBBY, forwarded_for(ADA))))


WHAT_ENDS: dict[str, bytes] = {
    "a page": get("/", forwarded_for(ADA)),
    "a path of no room": get("/nowhere", forwarded_for(ADA)),
    "a malformed key": get(LOBBY, "Upgrade: websocket", "Connection: Upgrade", forwarded_for(ADA)),
    "a bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
}


@pytest.mark.parametrize("request_", WHAT_ENDS.values(), ids=WHAT_ENDS.keys())
def test_place_is_given_back_by_whoever_does_not_become_a_member(serve: Serve, request_: bytes) -> None:
    relay = serve()
    with entrance(relay, connections_per_address=1, forwarding=BY_X_FORWARDED_FOR) as door:
        for _ in range(3):
            assert ask(door, PEER, request_).status in (200, 400, 404)
            relay.until(lambda: door.places.connections == 0)

        assert shake_hands_rfc6455(door.visit(PEER), LOBBY, forwarded_for(ADA))
        check_turned_away(ask(door, PEER, get("/", forwarded_for(ADA))))


def test_place_is_given_back_by_whoever_leaves_before_its_eight_bytes(serve: Serve) -> None:
    relay = serve()
    with entrance(relay, connections_per_address=1, forwarding=BY_X_FORWARDED_FOR) as door:
        for _ in range(3):
            with door.visit(PEER) as wire:
                wire.send(hixie76_head(LOBBY, forwarded_for(ADA)))
                assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
            relay.until(lambda: door.places.connections == 0)

        assert shake_hands_hixie76(door.visit(PEER), LOBBY, forwarded_for(ADA))


@pytest.mark.parametrize("lines", [[], [forwarded_for("unknown")], [forwarded_for("10.0.0.1")]])
def test_trusted_proxy_itself_is_not_counted_whatever_its_address(serve: Serve, lines: list[str]) -> None:
    relay = serve()
    with entrance(relay, connections_per_address=1, forwarding=BY_X_FORWARDED_FOR) as door:
        assert [shake_hands_rfc6455(door.visit(PEER), LOBBY, *lines) for _ in range(3)]
        # Those who end have nothing to give back, either.
        stranger = shake_hands_rfc6455(door.visit(STRANGER), LOBBY)
        assert ask(door, PEER, get()).status == 200
        relay.until(lambda: door.places.connections == 4)
        check_turned_away(ask(door, STRANGER, get("/", *lines)))
        stranger.close()
        relay.until(lambda: door.places.connections == 3)
        assert shake_hands_rfc6455(door.visit(STRANGER), LOBBY)


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.7", "fd00::7", "172.18.0.1"])
def test_private_client_is_not_counted_though_a_trusted_proxy_names_it(serve: Serve, address: str) -> None:
    with entrance(serve(), connections_per_address=1, forwarding=BY_X_FORWARDED_FOR) as door:
        assert [shake_hands_rfc6455(door.visit(PEER), LOBBY, forwarded_for(address)) for _ in range(3)]


# --- with which scheme it came

# The page that opens such a socket where its own origin may.
PAGES = {"ws": "http://relay.example", "wss": "https://relay.example"}


@pytest.mark.parametrize(
    ("forwarding", "peer", "lines", "scheme"),
    [
        (BY_X_FORWARDED_FOR, PEER, [forwarded_for(ADA), "X-Forwarded-Proto: https"], "wss"),
        (BY_X_FORWARDED_FOR, PEER, ["X-Forwarded-Proto: wss"], "wss"),
        (BY_X_FORWARDED_FOR, PEER, ["X-Forwarded-Proto: https, http"], "ws"),
        (BY_X_FORWARDED_FOR, PEER, ["X-Forwarded-Proto: yes", "X-Forwarded-Ssl: on"], "ws"),
        (BY_X_FORWARDED_FOR, PEER, [f"Forwarded: for={ADA};proto=https"], "ws"),
        (BY_X_FORWARDED_FOR, STRANGER, ["X-Forwarded-Proto: https"], "ws"),
        (BY_FORWARDED, PEER, [f"Forwarded: for={ADA};proto=https"], "wss"),
        (BY_FORWARDED, PEER, ["X-Forwarded-Proto: https"], "ws"),
    ],
)
def test_location_of_hixie76_has_the_scheme_that_a_trusted_proxy_names(
    serve: Serve, forwarding: Forwarding, peer: str, lines: list[str], scheme: str
) -> None:
    with entrance(serve(), forwarding=forwarding) as door, door.visit(peer) as wire:
        wire.send(hixie76_head(LOBBY, *lines, origin=PAGES[scheme]) + KEY3)

        head = wire.read_until(b"\r\n\r\n").decode().split("\r\n")

    assert f"Sec-WebSocket-Location: {scheme}://relay.example{LOBBY}" in head


@pytest.mark.parametrize(
    ("proto", "page", "status"),
    [
        ("https", "https", 426),
        ("https", "http", 403),
        ("http", "http", 426),
        ("http", "https", 403),
        ("?", "http", 426),
    ],
)
def test_same_origin_compares_the_scheme_as_soon_as_it_is_known(
    serve: Serve, proto: str, page: str, status: int
) -> None:
    lines = [forwarded_for(ADA), f"X-Forwarded-Proto: {proto}", f"Origin: {page}://relay.example"]

    assert serve(TRUSTING).ask(get(LOBBY, *lines)).status == status


def test_host_is_the_one_that_the_request_has(serve: Serve) -> None:
    lines = [forwarded_for(ADA), "X-Forwarded-Host: evil.example", "Origin: http://evil.example"]

    assert serve(TRUSTING).ask(get(LOBBY, *lines)).status == 403


# --- PROXY headers

CLIENTS: dict[str, tuple[bytes, str]] = {
    "version 1": (line(ADA), ADA),
    "version 1, IPv6": (line("2001:db8::9"), "2001:db8::9"),
    "version 2": (binary(ADA), ADA),
    "version 2, IPv6": (binary("2001:db8::9"), "2001:db8::9"),
    "unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "health check": (HEALTH_CHECK, "127.0.0.1"),
}


@pytest.mark.parametrize(("header", "address"), CLIENTS.values(), ids=CLIENTS.keys())
def test_client_that_a_proxy_header_names_is_let_in_and_logged(serve: Serve, header: bytes, address: str) -> None:
    relay = serve(PROXY_PROTOCOL)
    ada, bob = relay.connect(), relay.connect()

    # Head and header in one segment, and, of the other dialect, the eight bytes and a frame, too.
    ada.send(header + rfc6455_head(LOBBY))
    bob.send(header + hixie76_head(LOBBY) + KEY3)
    for wire in (ada, bob):
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert bob.read(16) == TOKEN

    assert [relay.diary.wait_for("joined", dialect=dialect)["address"] for dialect in ("rfc6455", "hixie76")] == [
        address,
        address,
    ]


def ask_in_two_parts(relay: Relay, first: bytes, second: bytes) -> Answer:
    """Send the second part when the relay has taken the first, so that it has met the cut."""
    received = relay.counters.received_bytes + len(first)
    with relay.connect() as wire:
        wire.send(first)
        relay.until(lambda: relay.server.counters.received_bytes == received)
        wire.send(second)
        return wire.read_answer()


@pytest.mark.parametrize("header", [line(ADA), binary(ADA, TLS), HEALTH_CHECK], ids=["line", "binary", "local"])
def test_header_may_be_cut_at_every_byte(serve: Serve, header: bytes) -> None:
    relay = serve(PROXY_PROTOCOL)

    for cut in range(len(header) + 1):
        answer = ask_in_two_parts(relay, header[:cut], header[cut:] + get("/-/ready"))
        assert (answer.status, answer.body) == (200, b"ready\n")


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        (get(), "the connection does not begin with a PROXY header"),
        (b"\x16\x03\x01\x02\x00\x01", "the connection does not begin with a PROXY header"),
        (line(ADA).replace(b"\r", b"") + get(), "the PROXY line is not TCP4 or TCP6"),
        (line(ADA)[:-2] + b" \r\n" + get(), "the PROXY line is not TCP4 or TCP6"),
        (SIGNATURE + bytes([PROXY, 0x11]) + b"\xff\xff" + get(), "the PROXY header is 65551 bytes long"),
        (line(ADA) + line(EVIL) + get(), "the connection begins with a PROXY header"),
    ],
)
def test_trusted_proxy_without_a_right_header_is_400(serve: Serve, sent: bytes, rule: str) -> None:
    relay = serve(PROXY_PROTOCOL)

    answer = relay.ask(sent)

    assert (answer.status, answer.body.decode().startswith(rule)) == (400, True)
    assert relay.diary.wait_for("refused", status=400)["outcome"] == "malformed"


@pytest.mark.parametrize("sent", [b"", line(ADA)[:-1], binary(ADA)[:-1], line(ADA)])
def test_header_that_is_not_finished_is_408(serve: Serve, sent: bytes) -> None:
    relay = serve(PROXY_PROTOCOL + "[limits]\nhandshake_timeout_s = 0.2")
    wire = relay.connect()

    wire.send(sent)

    assert wire.read_answer().status == 408
    assert relay.counters.handshakes["none", "timeout"] == 1


@pytest.mark.parametrize("sent", [b"", line(ADA)[:-1], binary(ADA)[:-1]])
def test_proxy_that_leaves_in_its_header_is_counted_and_not_logged(serve: Serve, sent: bytes) -> None:
    relay = serve(PROXY_PROTOCOL)

    with relay.connect() as wire:
        wire.send(sent)

    relay.until(lambda: relay.server.counters.handshakes["none", "gone"] == 1)
    assert relay.diary.read() == []


def test_stranger_is_served_without_a_header_and_its_own_is_400(serve: Serve) -> None:
    with entrance(serve(), forwarding=BY_PROXY_HEADER) as door:
        assert ask(door, STRANGER, get()).status == 200
        assert ask(door, PEER, line(ADA) + get()).status == 200
        assert ask(door, "", binary(ADA) + get()).status == 200
        for header in (line(EVIL), binary(EVIL), HEALTH_CHECK):
            assert ask(door, STRANGER, header + get()).status == 400
        assert {record["address"] for record in door.diary.read()} <= {STRANGER}


@pytest.mark.parametrize("header", [line(ADA), binary(ADA)])
def test_client_that_a_proxy_header_names_is_counted_and_given_back(serve: Serve, header: bytes) -> None:
    relay = serve()
    with entrance(relay, connections_per_address=1, forwarding=BY_PROXY_HEADER) as door:
        for _ in range(2):
            assert ask(door, PEER, header + get()).status == 200
            relay.until(lambda: door.places.connections == 0)
            ada = door.visit(PEER)
            ada.send(header)
            shake_hands_rfc6455(ada, LOBBY)
            # Before its head is there: whoever has too many connections need send no more.
            check_turned_away(ask(door, PEER, header))
            assert ask(door, PEER, line(BOB) + get()).status == 200
            assert ask(door, PEER, HEALTH_CHECK + get("/-/ready")).status == 200
            ada.close()
            relay.until(lambda: door.places.connections == 0)


@pytest.mark.parametrize(
    ("header", "address"),
    [
        # Who comes by a trusted address is a proxy in its turn.
        (line("10.0.0.1"), ADA),
        (binary("10.0.0.1"), ADA),
        # A client writes its own; and so does one of whom nothing is known.
        (line(BOB), BOB),
        (b"PROXY UNKNOWN\r\n", PEER),
        (HEALTH_CHECK, PEER),
    ],
)
def test_request_behind_a_proxy_header_is_believed_if_it_is_a_trusted_proxy_s(
    serve: Serve, header: bytes, address: str
) -> None:
    with entrance(serve(), forwarding=BY_PROXY_HEADER) as door:
        assert ask(door, PEER, header + get("/nowhere", forwarded_for(ADA))).status == 404

        assert door.diary.wait_for("refused", status=404)["address"] == address


@pytest.mark.parametrize(
    ("header", "lines", "scheme"),
    [
        (binary(ADA, TLS), [], "wss"),
        (binary(ADA), [], "ws"),
        (binary(ADA), ["X-Forwarded-Proto: https"], "ws"),
        (binary("10.0.0.1", TLS), ["X-Forwarded-Proto: http"], "ws"),
        (binary("10.0.0.1", TLS), [], "wss"),
    ],
)
def test_location_of_hixie76_tells_whether_the_client_spoke_tls_with_the_proxy(
    serve: Serve, header: bytes, lines: list[str], scheme: str
) -> None:
    with entrance(serve(), forwarding=BY_PROXY_HEADER) as door, door.visit(PEER) as wire:
        wire.send(header + hixie76_head(LOBBY, *lines, origin=PAGES[scheme]) + KEY3)

        head = wire.read_until(b"\r\n\r\n").decode().split("\r\n")

    assert f"Sec-WebSocket-Location: {scheme}://relay.example{LOBBY}" in head


@pytest.mark.parametrize(
    ("header", "page", "status"),
    [
        (binary(ADA, TLS), "https", 426),
        (binary(ADA, TLS), "http", 403),
        (binary(ADA, NO_TLS), "http", 426),
        (binary(ADA, NO_TLS), "https", 403),
        (binary(ADA), "https", 426),
        (line(ADA), "http", 426),
    ],
)
def test_same_origin_compares_the_scheme_that_a_proxy_header_names(
    serve: Serve, header: bytes, page: str, status: int
) -> None:
    assert serve(PROXY_PROTOCOL).ask(header + get(LOBBY, f"Origin: {page}://relay.example")).status == status


# --- not one byte beyond


@pytest.mark.parametrize("header", [line(ADA), binary(ADA, TLS), HEALTH_CHECK], ids=["line", "binary", "local"])
def test_what_follows_the_header_is_still_in_the_socket(serve: Serve, header: bytes) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01" + bytes(600)
    relay = serve()
    ours, theirs = socket.socketpair()
    with entrance(relay, forwarding=BY_PROXY_HEADER) as door, theirs, ours:
        ours.setblocking(False)
        visitor = Visitor(ours, PEER, 0.0, door.counters, Turns(monotonic))
        introduction = Introduction(BY_PROXY_HEADER, door.places)

        reading = relay.call(lambda: gevent.spawn(introduction.before_everything, visitor))
        theirs.send(header[:14])
        relay.until(lambda: door.counters.received_bytes == 14)
        theirs.send(header[14:] + hello)
        relay.until(reading.ready)

        assert ours.recv(1000) == hello
        assert door.counters.received_bytes == len(header)


def is_done(tls: ssl.SSLObject) -> bool:
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
        return True
    return False


def read_all(tls: ssl.SSLObject) -> bytes:
    data = b""
    with suppress(ssl.SSLWantReadError):
        while True:
            data += tls.read(65_536)
    return data


@pytest.mark.parametrize("header", [line(ADA), binary(ADA, NO_TLS)], ids=["line", "binary"])
def test_tls_begins_behind_the_header(serve: Serve, tmp_path: Path, header: bytes) -> None:
    relay = serve(PROXY_PROTOCOL + issue(tmp_path).toml)
    with relay.connect() as wire:
        # In one segment with what TLS begins with, as a proxy that has both would send them.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting().wrap_bio(incoming, outgoing, server_hostname=HOST)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        wire.send(header + outgoing.read())
        while not is_done(tls):
            incoming.write(wire.socket.recv(65_536))
        tls.write(hixie76_head(LOBBY, origin=PAGES["wss"]) + KEY3)
        wire.send(outgoing.read())
        head = b""
        while TOKEN not in head:
            incoming.write(wire.socket.recv(65_536))
            head += read_all(tls)

    # With us it spoke TLS, whatever the proxy knows of it.
    assert f"Sec-WebSocket-Location: wss://relay.example{LOBBY}".encode() in head
    assert relay.diary.wait_for("joined")["address"] == ADA


def test_client_that_is_turned_away_before_tls_is_told_nothing_in_clear(serve: Serve, tmp_path: Path) -> None:
    relay = serve(PROXY_PROTOCOL + issue(tmp_path).toml)
    with relay.connect() as wire:
        wire.send(get())

        assert wire.read_to_end() == b""
    assert relay.diary.wait_for("refused", status=400)["outcome"] == "malformed"
