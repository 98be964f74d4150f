"""The head of a request, fed with anything: what is read, what is answered, and what others read there.

* Only a request or a ``HandshakeError`` comes out, one that can be answered.
* The outcome is the same however the bytes are cut, what follows included.
* What is kept is one head, within its limit.
* Of a head that is accepted, three other parsers see the same target, headers
  and end, or refuse it for a reason that ``READINGS`` lists.
* What the door asks next never fails otherwise: dialect, room, Host, Origin, position;
  and a 101, or the head of an event stream, has just the lines it should have, whatever
  the headers hold.
* All of it takes no time, of a header of 10 KiB too: nobody else is served
  meanwhile. (A timeout is a finding.)
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Final, NamedTuple

from roomcast.policies.hosts import ServedHosts
from roomcast.policies.origins import OriginPolicy, how_to_allow, spelled
from roomcast.policies.templates import RoomNameError, room_name
from roomcast.protocol import cors, event_stream
from roomcast.protocol.deflate import negotiate
from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.handshake import Dialect, accept, recognise
from roomcast.protocol.hixie76 import KEY3_SIZE, challenge_response
from roomcast.protocol.http import GET_AND_OPTIONS, HeadDecoder, response
from roomcast.protocol.request import Request
from roomcast.transport.admission import Refusal as Refused
from roomcast.transport.streaming import wish_of
from tests.fuzz import script
from tests.fuzz.bounds import check_words, kept_bytes
from tests.fuzz.readers import READERS, Reading, Refusal, reading

LIMITS = ((16_384, 100), (400, 100), (16_384, 6), (64, 2))
"""``head_max_bytes`` and ``headers_max``."""

Outcome = tuple[Request, bytes] | tuple[int, str, str, tuple[tuple[str, str], ...]] | None

_POLICY = OriginPolicy(allow=["https://*.example.com", "http://localhost:*", "null"])
_HOSTS = ServedHosts(["relay.example", "::1"])
_LINE = re.compile(rb"[A-Za-z-]+: [\t -~\x80-\xff]*")
_COMMON_NAMES = {b"Upgrade", b"Connection", b"Sec-WebSocket-Protocol"}
_NAMES = _COMMON_NAMES | {b"Sec-WebSocket-Accept", b"Sec-WebSocket-Extensions"}
_HIXIE_NAMES = _COMMON_NAMES | {b"Sec-WebSocket-Origin", b"Sec-WebSocket-Location"}


def check(data: bytes) -> None:
    """Feed a decoder with what the input says, and hold it to its promises; likewise all that its request meets."""
    asked = script.read(data)
    limits = asked.choose(LIMITS)
    whole = decode([asked.stream], limits)
    assert decode(asked.pieces(), limits) == whole, "the outcome depends on how the bytes are cut"
    if whole is not None and len(whole) == 2:
        request, rest = whole
        check_readers(request, asked.stream, rest)
        check_entrance(request, rest)


def decode(pieces: Iterable[bytes], limits: tuple[int, int]) -> Outcome:
    """Return the request and all that follows it; or the error's status, fault, words and headers; or None so far."""
    decoder = HeadDecoder(*limits, GET_AND_OPTIONS)
    pieces = iter(pieces)
    for piece in pieces:
        try:
            request = decoder.receive(piece)
        except HandshakeError as error:
            return check_refusal(error)
        if request is not None:
            return request, decoder.rest + b"".join(pieces)
        assert kept_bytes(decoder) < limits[0], "more is kept than promised"
    return None


def check_refusal(error: HandshakeError) -> tuple[int, str, str, tuple[tuple[str, str], ...]]:
    """Make sure that an error is one that can be sent, and return what it says."""
    check_words(error)
    answer = response(error.status, error.headers)
    assert answer.startswith(b"HTTP/1.1 4"), "a refusal that blames us"
    return error.status, error.fault.name, str(error), error.headers


class Meant(NamedTuple):
    """A head that another parser reads differently, or not at all, and why that harms nobody."""

    reader: str
    reason: str
    applies: Callable[[Request, bytes], bool]
    example: bytes


READINGS: Final = (
    Meant(
        "http.server",
        "an empty line in front is skipped (RFC 9112, 2.2): one, where this reader hangs up",
        lambda request, head: head.startswith(b"\r\n"),
        b"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    Meant(
        "websockets",
        "an empty line in front is skipped (RFC 9112, 2.2): one, where this reader hangs up",
        lambda request, head: head.startswith(b"\r\n"),
        b"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    Meant(
        "http.server",
        "it makes one slash of several, so that no redirect of its own leads elsewhere; to us // names no room",
        lambda request, head: request.target.startswith("//"),
        b"GET //a HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    Meant(
        "http.server",
        "it counts the empty line among its hundred; to us a head may have headers_max of the others",
        lambda request, head: len(request.headers) == 100,
        b"GET /a HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 99 + b"\r\n",
    ),
    Meant(
        "websockets",
        "Content-Length: 8 announces the eight bytes of hixie-76; it refuses all lengths but 0",
        lambda request, head: request.get("content-length") == "8",
        b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nSec-WebSocket-Key1: 1 \r\nSec-WebSocket-Key2: 1 \r\n\r\n",
    ),
    Meant(
        "websockets",
        "it reads no line of more than 8 KiB; to us a head may be one line, up to head_max_bytes",
        lambda request, head: max(map(len, head.split(b"\n"))) >= 8192,
        b"GET /a HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 8188 + b"\r\n\r\n",
    ),
)


def check_readers(request: Request, stream: bytes, rest: bytes) -> None:
    """Make sure that every other parser reads this head as we do, or does so for a listed reason."""
    head = stream[: len(stream) - len(rest)]
    for name in READERS:
        difference = difference_of(name, request, head, rest)
        reasons = [meant for meant in READINGS if meant.reader == name and meant.applies(request, head)]
        assert difference is None or reasons, f"{name} reads it differently: {difference}"


def difference_of(name: str, request: Request, head: bytes, rest: bytes) -> Reading | str | None:
    """Return what another parser makes of a head that we accepted; None if it is the same."""
    headers = ((key.encode("latin-1"), value.encode("latin-1")) for key, value in request.headers)
    ours = reading(request.target.encode("latin-1"), headers, len(head))
    try:
        theirs = READERS[name](head + rest)
    except Refusal as refusal:
        return str(refusal)
    return None if theirs == ours else theirs


def check_entrance(request: Request, rest: bytes) -> None:
    """Go with a request through what the door asks of it."""
    is_of_server = request.method == "OPTIONS" and request.target == "*"
    assert request.target.startswith("/") or is_of_server, "a target that is not in origin form"
    with suppress(RoomNameError):
        room_name(request.path)
    _HOSTS.serves(request.host)
    verdict = _POLICY.judge(request.origin, host=request.host, scheme=None)
    assert verdict.is_allowed or request.origin is not None, "missing is not allowed"
    assert how_to_allow(request.origin).isascii(), "a hint that is not ASCII"
    assert spelled(request.origin or "").isascii(), "an origin that is shown as it came"
    try:
        dialect = recognise(request)
    except HandshakeError as error:
        check_refusal(error)
        return
    if dialect is not None:
        check_acceptance(request, dialect, rest)
    else:
        check_stream(request)


def check_stream(request: Request) -> None:
    """Make sure that the head of an event stream, and the answer to a preflight, have their lines and no others."""
    event_stream.is_wanted(request)
    _POLICY.judge(request.origin, host=request.host, scheme=None, site=request.get("sec-fetch-site"))
    with suppress(Refused):
        wish_of(request)
    answers = [(event_stream.accept(cors.may_read(request.origin)), 7)]
    if cors.is_preflight(request):
        assert request.method == "OPTIONS", "a preflight by another method"
        answers.append((response(204, cors.may_ask(request.origin, with_credentials=True)), 7))
    for answer, lines_max in answers:
        _, *lines, end, nothing = answer.split(b"\r\n")
        assert end == nothing == b"", "an answer without its end"
        assert len(lines) <= lines_max, "an answer with a header too many"
        assert all(_LINE.fullmatch(line) for line in lines), "an answer with a line that is no header"


def check_acceptance(request: Request, dialect: Dialect, rest: bytes) -> None:
    """Make sure that the 101 has its lines and no others."""
    try:
        agreement = negotiate(request.all("sec-websocket-extensions"))
    except HandshakeError as error:
        check_refusal(error)
        return
    first, *lines, end, nothing = accept(request, dialect, agreement=agreement).split(b"\r\n")
    assert first.startswith(b"HTTP/1.1 101 "), "an acceptance that is no 101"
    assert end == nothing == b"", "a 101 without its end"
    assert all(_LINE.fullmatch(line) for line in lines), "a 101 with a line that is no header"
    names = [line.partition(b":")[0] for line in lines]
    assert len(set(names)) == len(names), "a 101 that says something twice"
    if dialect is Dialect.RFC6455:
        assert set(names) <= _NAMES, "a 101 with a header that nobody asked for"
        return
    assert set(names) <= _HIXIE_NAMES, "a 101 with a header that nobody asked for"
    key1, key2 = request.get("sec-websocket-key1") or "", request.get("sec-websocket-key2") or ""
    assert len(challenge_response(key1, key2, rest[:KEY3_SIZE].ljust(KEY3_SIZE))) == 16, "a token of another size"


# What heads are made of. The fuzzer finds single bytes by itself, words hardly.
WORDS: Final = (
    "GET / HTTP/1.1\r\n",
    "OPTIONS / HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "\r\n",
    "Host: a\r\n",
    "Connection: Upgrade\r\n",
    "Upgrade: websocket\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Protocol: a, b\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "Origin: https://app.example.com\r\n",
    "Access-Control-Request-Method: GET\r\n",
    "Accept: text/event-stream\r\n",
    "Last-Event-ID: k7c2m9qa:41\r\n",
    "Sec-Fetch-Site: same-origin\r\n",
    "Sec-WebSocket-Key1: 1 2\r\n",
    "Sec-WebSocket-Key2: 1 2\r\n",
    "Content-Length: 8\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "X-Forwarded-For: 203.0.113.1\r\n",
)

_START: Final = b"GET /rooms/lobby?a=b HTTP/1.1\r\nHost: relay.example:8080\r\nConnection: keep-alive, Upgrade\r\n"
_MODERN: Final = (
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Origin: https://app.example.com\r\n"
)
_HIXIE: Final = (
    b"Upgrade: WebSocket\r\nOrigin: http://localhost:8000\r\nSec-WebSocket-Protocol: sample\r\n"
    b"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"
)


def seeds() -> Iterator[bytes]:
    """Yield the inputs to begin with: both handshakes, plain requests, what is refused, and what is long."""
    for number, stream in enumerate(chain(_good(), _bad())):
        yield script.write(stream)
        yield script.write(stream, 1, choice=number)
        yield script.write(stream, 100, 3, choice=number)
    for stream in long_heads(10_240):
        yield script.write(stream)


def _good() -> Iterator[bytes]:
    yield _START + _MODERN + b"\r\n\x81\x80\x00\x00\x00\x00"
    yield _START + _MODERN + b"Sec-WebSocket-Protocol: chat, v2\r\n\r\n"
    yield _START + _MODERN + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    yield _START + _HIXIE + b"\r\n^n:ds[4U\x00hello\xff"
    yield _START + _HIXIE + b"Content-Length: 8\r\n\r\n^n:ds[4U"
    yield b"\r\n" + _START + b"\r\n"
    yield b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\nOrigin: null\r\nContent-Length: 0\r\n\r\n"
    yield _START.replace(b"GET", b"OPTIONS") + b"Origin: null\r\nAccess-Control-Request-Method: GET\r\n\r\n"
    yield b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
    yield b"GET //%E2%82%AC/../{} HTTP/1.1\r\nhOST: b\xc3\xbc\r\nCookie:  a=\xff\t\r\n\r\n"


def _bad() -> Iterator[bytes]:
    for line in (b"Host: b", b" folded", b"A\x00: b", b"A : b", b": b", b"A: \x0b", b"A: b\r", b"A: b\nB: c"):
        yield _START + line + b"\r\n\r\n"
    for line in (b"Content-Length: 1", b"Content-Length: 0, 0", b"Transfer-Encoding: chunked", b"Content-Length: +0"):
        yield _START + _MODERN + line + b"\r\n\r\n"
    yield _START + _MODERN + b"Sec-WebSocket-Key1: 1 \r\n\r\n"
    yield _START + _HIXIE.replace(b"4 @1", b"4@1") + b"\r\n"
    yield _START + _MODERN.replace(b"13", b"8") + b"\r\n"
    for start in (b"POST / HTTP/1.1", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n", b"GET http://a/ HTTP/1.1"):
        yield start + b"\r\n"
    yield b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"


def long_heads(run_bytes: int) -> Iterator[bytes]:
    """Yield heads in which one header, each in its turn, or the target is a run of this many bytes, about.

    Behind each run stands what does not belong to it: whoever then looks again
    from its second byte, and its third, takes the square of the length.
    """
    runs = (b" ", b",", b", ", b";", b"a;", b'"', b"0", b"a.", b":")
    values = [b"a" + run * (run_bytes // len(run)) + b"\x80" for run in runs]
    for head in (_START + _MODERN, _START + _HIXIE):
        first, *lines = head.removesuffix(b"\r\n").split(b"\r\n")
        for number, line in enumerate([*lines, b"Content-Length:", b"Sec-WebSocket-Extensions:", b"Cookie:"]):
            others = [first, *lines[:number], *lines[number + 1 :]]
            for value in values:
                yield b"\r\n".join((*others, line.partition(b":")[0] + b": " + value, b"", b""))
    for run in (b"%41", b"/", b"/..", b"?", b"a."):
        yield b"GET /" + run * (run_bytes // len(run)) + b" HTTP/1.1\r\nHost: a\r\n\r\n"
