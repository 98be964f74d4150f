"""Forty-five inputs, and what the Haskell library of 2010 answered to each of them.

``seed_transcripts.json`` was recorded from its example program, byte for byte:
what was sent (a number is a pause), what came back, whether the server closed
the connection, and what the program logged. Here the same program runs on
``roomcast.blocking`` and gets the same bytes.

It has to answer the same, but for ``DIFFERENCES``: that table is the whole list
of where Roomcast decided otherwise, and why.
"""

import json
import queue
import select
import socket
import threading
from pathlib import Path
from typing import NamedTuple, TypedDict

import pytest

from roomcast import HandshakeError, get_frame, put_frame, shake_hands
from roomcast.protocol.errors import HandshakeFault


class Transcript(TypedDict):
    case: str
    sent: list[str | float]
    received_hex: str
    server_closed: bool
    log: list[str]


class Outcome(NamedTuple):
    received: bytes
    is_closed: bool
    log: list[str]


class Difference(NamedTuple):
    """One deliberate difference; what is None is as it was in 2010."""

    reason: str
    received: bytes | None = None
    is_closed: bool | None = None
    log: list[str] | None = None


TRANSCRIPTS: list[Transcript] = json.loads(Path(__file__).with_name("seed_transcripts.json").read_text("utf-8"))

KINDS = {
    HandshakeFault.IO_ERROR: "HsIOError",
    HandshakeFault.INVALID_GET_REQUEST: "HsInvalidGETRequest",
    HandshakeFault.INVALID_HEADER_LINE: "HsInvalidHeaderLine",
    HandshakeFault.MISSING_HEADER_KEYS: "HsMissingHeaderKeys",
    HandshakeFault.BAD_FIRST_SECURITY_KEY: "HsBadFirstSecurityKey",
    HandshakeFault.BAD_SECOND_SECURITY_KEY: "HsBadSecondSecurityKey",
}


def accepted(*, origin: str = "http://example.com", protocol: str | None = None) -> bytes:
    """The answer to the handshake that most inputs begin with, or a variation of it."""
    lines = [
        "HTTP/1.1 101 WebSocket Protocol Handshake",
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Origin: {origin}",
        "Sec-WebSocket-Location: ws://example.com/demo",
        *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
    ]
    return "\r\n".join([*lines, "", "8jKS'y:G*Co,Wxa-"]).encode()


def logged(*frames: bytes) -> list[str]:
    """What the program logs of that handshake, these frames and the end."""
    request = (
        'OK Request {reqHost = "example.com", reqPath = "/demo", reqOrigin = "http://example.com", '
        'reqKey1 = "4 @1  46546xW%0l 1 5", reqKey2 = "12998 5 Y3 1  .P00", reqToken = "^n:ds[4U"}'
    )
    return [request, *(f"FRAME {frame.hex()}" for frame in frames), "FRAME ", "EOF"]


NOT_ASKED = "a subprotocol is named if and only if one was asked for; 2010 always named 'sample'"
NOT_A_NUMBER = "a key that hides no number of four bytes is refused; 2010 rounded and cut"
NOT_A_KIND = "the fault has one of the six kinds; 2010 ended with an exception of the language"
NOT_TEXT = "a frame of another type than text is discarded, as the draft says; 2010 took its bytes for text"
NO_KEY3 = "without its eight bytes a handshake is not proven; 2010 hashed what was there"
GOODBYE = "the closing handshake is answered and ends the stream; 2010 took it for an empty message"

DIFFERENCES = {
    "origin null": Difference(NOT_ASKED, accepted(origin="null")),
    "origin empty value": Difference(NOT_ASKED, accepted(origin="")),
    "no Sec-WebSocket-Protocol asked": Difference(NOT_ASKED, accepted()),
    "two protocols asked": Difference("the first that was asked for is named, not 'sample'", accepted(protocol="a")),
    "cookie header": Difference(NOT_ASKED, accepted()),
    "header line without a space": Difference(NOT_ASKED, accepted()),
    "duplicate Host: last wins": Difference(
        "two Host headers are refused, for a proxy in front may have read the other one",
        b"",
        is_closed=True,
        log=["HsInvalidHeaderLine"],
    ),
    'no path: "GET  HTTP/1.1"': Difference(
        "a target begins with a slash; 2010 took HTTP/1.1 for the path",
        b"",
        is_closed=True,
        log=["HsInvalidGETRequest"],
    ),
    "missing Upgrade and Connection": Difference(
        "a request that asks for no upgrade is a plain GET", b"", is_closed=True, log=["HsMissingHeaderKeys"]
    ),
    "lower-case names": Difference(
        "header names have no case (RFC 9110, 5.1)", accepted(), is_closed=False, log=logged()
    ),
    "key1 no digits": Difference(NOT_A_KIND, log=["HsBadFirstSecurityKey"]),
    "key1 not a multiple": Difference(NOT_A_NUMBER, b"", is_closed=True, log=["HsBadFirstSecurityKey"]),
    "key1 number > 2^32": Difference(NOT_A_NUMBER, b"", is_closed=True, log=["HsBadFirstSecurityKey"]),
    "key3 only 3 bytes then EOF": Difference(NO_KEY3, b"", log=["HsIOError"]),
    "no key3 then EOF": Difference(NO_KEY3, b"", log=["HsIOError"]),
    "EOF before anything": Difference(NOT_A_KIND, log=["HsIOError"]),
    "obs-fold line": Difference(NOT_A_KIND, log=["HsInvalidHeaderLine"]),
    "empty frame 00 FF": Difference(
        "an empty message is not the end of the stream",
        accepted(protocol="sample") + b"\x00hi, meow.\xff",
        is_closed=False,
        log=logged(b"hi"),
    ),
    "type 01": Difference(NOT_TEXT, accepted(protocol="sample"), log=logged()),
    "no leading zero": Difference(NOT_TEXT, accepted(protocol="sample"), log=logged()),
    "high-bit frame 80 03": Difference(NOT_TEXT, accepted(protocol="sample") + b"\x00hi, meow.\xff", log=logged(b"hi")),
    "closing handshake FF 00": Difference(GOODBYE, accepted(protocol="sample") + b"\xff\x00", is_closed=True),
    "FF 00 then EOF": Difference(GOODBYE, accepted(protocol="sample") + b"\xff\x00"),
    "invalid utf-8": Difference(
        "what is not UTF-8 becomes U+FFFD; 2010 passed it on",
        accepted(protocol="sample") + b"\x00\xef\xbf\xbd(, meow.\xff",
        log=logged(b"\xef\xbf\xbd("),
    ),
}


class WatchedSocket(socket.socket):
    """A socket that says when there is nothing left to read, and it will wait for as long as it takes.

    That is the moment for which the recording paused. The short wait for the
    eight bytes is not one: it ends by itself.
    """

    def __init__(self, sock: socket.socket, is_waiting: "queue.Queue[bool]") -> None:
        super().__init__(fileno=sock.detach())
        self._is_waiting = is_waiting

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if self.gettimeout() is None and not select.select([self], [], [], 0)[0]:
            self._is_waiting.put(True)
        return super().recv(bufsize, flags)


def program(sock: socket.socket, log: list[str]) -> None:
    """The example that was recorded: it meows, and logs what it meows at, but greets nobody."""
    try:
        request = shake_hands(sock)
    except HandshakeError as error:
        log.append(KINDS[error.fault])
        return
    log.append(
        f'OK Request {{reqHost = "{request.host}", reqPath = "{request.path}", reqOrigin = "{request.origin}", '
        f'reqKey1 = "{request.key1}", reqKey2 = "{request.key2}", reqToken = "{request.token.decode()}"}}'
    )
    while frame := get_frame(sock):
        log.append(f"FRAME {frame.hex()}")
        put_frame(sock, frame + b", meow.")
    log += ["FRAME ", "EOF"]


def play(sent: list[str | float]) -> Outcome:
    """Send an input to the program, pausing until it waits for more, and see what it does."""
    server, client = socket.socketpair()
    is_waiting: queue.Queue[bool] = queue.Queue()
    log: list[str] = []

    def run() -> None:
        try:
            with WatchedSocket(server, is_waiting) as watched:
                program(watched, log)
        finally:
            is_waiting.put(False)

    with client:
        client.settimeout(10)
        thread = threading.Thread(target=run)
        thread.start()
        assert settled(is_waiting), "the server closed the connection unasked"
        for part in sent:
            send(client, part, is_waiting)
        # It either waits for more or has closed the connection by itself.
        is_closed = "EOF" in sent or not settled(is_waiting)
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(4096), b""))
        thread.join()
    return Outcome(received, is_closed, log)


def settled(is_waiting: "queue.Queue[bool]") -> bool:
    """Whether the server, done with all it was sent, waits for more. False: it has closed the connection."""
    return is_waiting.get(timeout=10)


def send(client: socket.socket, part: str | float, is_waiting: "queue.Queue[bool]") -> None:
    if isinstance(part, float):
        assert settled(is_waiting), "the server closed the connection in mid-input"
    elif part == "EOF":
        client.shutdown(socket.SHUT_WR)
    else:
        client.sendall(bytes.fromhex(part))


def recorded(transcript: Transcript) -> Outcome:
    """The outcome of 2010. Of a fault only its kind counts: what it quotes is Haskell's way of showing maps."""
    log = [line if line.startswith(("OK ", "FRAME ")) else line.split(" ")[0] for line in transcript["log"]]
    return Outcome(bytes.fromhex(transcript["received_hex"]), transcript["server_closed"], log)


def expected(transcript: Transcript) -> Outcome:
    outcome, difference = recorded(transcript), DIFFERENCES.get(transcript["case"])
    if difference is None:
        return outcome
    return Outcome(
        outcome.received if difference.received is None else difference.received,
        outcome.is_closed if difference.is_closed is None else difference.is_closed,
        outcome.log if difference.log is None else difference.log,
    )


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=[transcript["case"] for transcript in TRANSCRIPTS])
def test_answer_is_that_of_2010_or_differs_on_purpose(transcript: Transcript) -> None:
    assert play(transcript["sent"]) == expected(transcript)


def test_every_input_that_was_recorded_is_played() -> None:
    assert len({transcript["case"] for transcript in TRANSCRIPTS}) == 45


@pytest.mark.parametrize("case", DIFFERENCES)
def test_table_lists_nothing_that_is_not_different(case: str) -> None:
    (transcript,) = [transcript for transcript in TRANSCRIPTS if transcript["case"] == case]
    _, *listed = DIFFERENCES[case]

    changes = [(old, new) for old, new in zip(recorded(transcript), listed, strict=True) if new is not None]

    assert changes
    assert all(old != new for old, new in changes)
