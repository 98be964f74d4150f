"""What has to be so behind every proxy, whichever it is."""

from __future__ import annotations

from tests.deploy.front import CLIENT, SPOOFED, Front
from tests.event_source import open_stream
from tests.wire import KEY3, TOKEN, get, hixie76_head, rfc6455_head

LOBBY = "/rooms/lobby"
REFUSALS = {
    "no room": (get("/nowhere"), 404, b"no room has this path\n"),
    "no upgrade": (get(LOBBY), 426, b"this is a room: open it as a WebSocket, or as an event stream\n"),
    "a strange page": (
        rfc6455_head(LOBBY, "Origin: https://evil.example"),
        403,
        b"origin https://evil.example may not enter: not same_origin, not in allow\n",
    ),
}

# How the eight bytes of hixie-76 come: headers, what follows the head at once, and what follows the 101.
EIGHT_BYTES = {
    "with the head": ((), KEY3, b""),
    "later": ((), b"", KEY3),
    "in two parts": ((), KEY3[:3], KEY3[3:]),
    "announced": (("Content-Length: 8",), KEY3, b""),
}


def check_refusals(front: Front) -> None:
    """The relay's own words arrive, and the log names the client."""
    for request, status, body in REFUSALS.values():
        answer = front.ask(request)
        assert (answer.status, answer.body) == (status, body)
        assert front.relay.diary.wait_for("refused", status=status)["address"] == CLIENT


def check_spoofing(front: Front) -> None:
    """Nothing that a client writes about itself is believed."""
    front.join(LOBBY, *SPOOFED, "Origin: http://relay.example")
    assert front.relay.diary.wait_for("joined")["address"] == CLIENT
    # With the scheme that it would like to have, it would be of the same origin.
    assert front.ask(rfc6455_head(LOBBY, *SPOOFED, "Origin: https://relay.example")).status == 403
    assert front.ask(rfc6455_head(LOBBY, *SPOOFED, "Origin: http://evil.example")).status == 403


def check_tls(front: Front) -> None:
    """TLS ends at the proxy, and the relay knows of it."""
    ada = front.join(LOBBY, "Origin: https://relay.example", is_secure=True)
    bob = front.join(LOBBY, "Origin: http://relay.example")
    ada.say("hello")
    assert bob.hear() == "hello"
    assert front.ask(rfc6455_head(LOBBY, "Origin: http://relay.example"), is_secure=True).status == 403


def check_event_stream(front: Front, *, is_secure: bool) -> None:
    """An event stream passes, and nothing of it is gathered on its way; its end is the client's."""
    ada = front.join(LOBBY)
    page = "https" if is_secure else "http"
    stream = open_stream(front.connect(is_secure=is_secure), LOBBY, f"Origin: {page}://relay.example", *SPOOFED)
    assert front.relay.diary.wait_for("joined", dialect="sse")["address"] == CLIENT

    for text in ("hello", "two\nlines"):
        ada.say(text)
        assert stream.hear() == text
    stream.comment()

    stream.wire.close()
    front.relay.until(lambda: front.relay.server.counters.connections["sse"] == 0)


def check_heads(front: Front) -> None:
    """A head of 16 KiB arrives, one line of it or many; what is longer is refused by the relay, and in its words."""
    one, many = get("/-/ready", "A: " + "a" * 15_000), get("/-/ready", *["A: " + "a" * 300] * 50)
    assert [front.ask(request).status for request in (one, many)] == [200, 200]
    too_long = front.ask(get("/-/ready", *["A: " + "a" * 300] * 54))
    assert (too_long.status, too_long.body) == (431, b"the head is longer than head_max_bytes = 16384\n")
    too_many = front.ask(get("/-/ready", *["A: a"] * 101))
    assert (too_many.status, too_many.body) == (431, b"the head has more lines than headers_max = 100\n")


def check_drain(front: Front) -> None:
    """A relay that stops says so to everybody: in a close frame, and in a 503 to those who come."""
    member = front.join(LOBBY)
    assert front.ask(get("/-/ready")).status == 200

    front.relay.ask_to_stop()

    code, reason = member.read_goodbye()
    assert (code, reason.split()[0]) == (1012, "restart")
    # It is waited for while it does not answer.
    for request in (rfc6455_head(LOBBY), get("/-/ready")):
        answer = front.ask(request)
        assert (answer.status, answer.body) == (503, b"draining: try again\n")
        # drain_s is 10, the end of the process takes 1.5 s, and one member goes first.
        assert 1 <= int(answer.headers["retry-after"]) <= 12
    member.say_goodbye(1012)
    front.relay.wait_for_end()


def check_hixie76(front: Front, eight_bytes: tuple[tuple[str, ...], bytes, bytes], *, is_secure: bool) -> None:
    """Both dialects meet, and the client of 2010 is told the address that it came by."""
    lines, first, second = eight_bytes
    page, scheme = ("https", "wss") if is_secure else ("http", "ws")
    ada, bob = front.join(LOBBY), front.connect(is_secure=is_secure)

    bob.send(hixie76_head(LOBBY, *SPOOFED, *lines, origin=f"{page}://relay.example") + first)
    # A proxy may hold the eight bytes until it has seen the 101, so its head must not wait for them.
    head = bob.read_until(b"\r\n\r\n").decode().split("\r\n")
    bob.send(second)
    assert bob.read(16) == TOKEN

    assert f"Sec-WebSocket-Location: {scheme}://relay.example{LOBBY}" in head
    assert front.relay.diary.wait_for("joined", dialect="hixie76")["address"] == CLIENT
    ada.say("hello")
    assert bob.read_until(b"\xff") == b"\x00hello\xff"
    bob.send(b"\x00hello, too\xff")
    assert ada.hear() == "hello, too"
