"""What clients send stays between them: no payload, query, cookie or token is in a log, a metric or an answer."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from itertools import count, product

import pytest

from roomcast.logs import console_line, json_line, render
from tests.api.calls import KEY
from tests.event_source import open_stream
from tests.processes import RelayProcess, relay_process
from tests.running import Serve, ask, ask_admin
from tests.tokens import SECRET, signer
from tests.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY3,
    PING,
    RFC6455_KEY,
    TEXT,
    Address,
    connect,
    frame,
    get,
    hixie76_head,
    rfc6455_head,
    shake_hands_hixie76,
    shake_hands_rfc6455,
)

LOBBY = "/rooms/lobby"
MARK = "s3cr3t"
_NUMBER = count()


def secret() -> str:
    """Return a text that stands nowhere else, so that whoever finds one knows which it was."""
    return f"{MARK}{next(_NUMBER)}"


def header_lines() -> list[str]:
    """Return headers that hold what nobody else may see."""
    names = ("Cookie", "Authorization", "Proxy-Authorization", "X-Api-Key", "Referer", "Sec-WebSocket-Protocol")
    return [f"{name}: {secret()}" for name in names]


def requests_with_secrets() -> Iterator[bytes]:
    """Yield requests that are answered, well or not, each with secrets wherever there is a place for one."""
    query = f"?access_token={secret()}&{secret()}"
    for path in (f"/{query}", f"/-/ready{query}", LOBBY + query, f"/nothing{query}", f"/rooms/%00{query}"):
        yield get(path, *header_lines())
        yield get(path, "Origin: https://evil.example", *header_lines())
    for refused in ("Origin: https://evil.example", "Origin: null", "Sec-WebSocket-Key: again", "Content-Length: 1"):
        yield rfc6455_head(LOBBY + query, refused, *header_lines())
        yield hixie76_head(LOBBY + query, refused, *header_lines()) + KEY3
    yield get(LOBBY + query, "Accept: text/event-stream", f"Last-Event-ID: {secret()}", *header_lines())
    asked = ("Origin: https://evil.example", "Access-Control-Request-Method: GET", f"Accept: {secret()}")
    yield get(LOBBY + query, *asked, *header_lines()).replace(b"GET", b"OPTIONS", 1)
    yield from malformed_heads()


def malformed_heads() -> Iterator[bytes]:
    request_line = f"GET {LOBBY}?{secret()} HTTP/1.1\r\nHost: a\r\n".encode()
    yield f"GET {LOBBY}?{secret()} HTTP/1.0\r\nCookie: {secret()}\r\n\r\n".encode()
    yield f"GET http://user:{secret()}@a/?{secret()} HTTP/1.1\r\n\r\n".encode()
    yield f"GET {secret()}\r\n\r\n".encode()
    yield f"POST {LOBBY}?{secret()} HTTP/1.1\r\nContent-Length: 9\r\n\r\n{secret()}".encode()
    yield f"GET /?{secret()}\nCookie: {secret()}\n\n".encode()
    yield request_line + f"Cookie {secret()}\r\n\r\n".encode()
    yield request_line + f"Cookie: \x01{secret()}\r\n\r\n".encode()
    yield request_line + f"Cookie: a\r\n {secret()}\r\n\r\n".encode()
    yield request_line + f"{secret()} : a\r\n\r\n".encode()
    yield request_line + f"Host: {secret()}\r\n\r\n".encode()
    yield request_line + f"Content-Length: {secret()}\r\n\r\n".encode()
    yield request_line + f"Transfer-Encoding: {secret()}\r\n\r\n".encode()
    yield request_line + f"Cookie: {secret()}{'x' * 20_000}\r\n\r\n".encode()
    yield request_line + b"".join(f"Cookie: {secret()}\r\n".encode() for _ in range(101)) + b"\r\n"
    yield f"GET / HTTP/1.1\r\nHost: {secret()}@a b\r\n\r\n".encode()
    upgrade = ("Upgrade: websocket", "Connection: Upgrade")
    yield get(LOBBY, *upgrade, "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {secret()}")
    yield get(LOBBY, *upgrade, f"Sec-WebSocket-Version: {secret()}", "Sec-WebSocket-Key: a")
    keys = (f"Sec-WebSocket-Key1: {secret()}", f"Sec-WebSocket-Key2: {secret()}")
    yield get(LOBBY, *upgrade, "Origin: http://relay.example", *keys) + KEY3


def chat_in_secret(address: Address) -> None:
    """Send secrets in every kind of frame, good and bad, in both dialects, and wait until all of it was read."""
    said = secret().encode()
    endings = [
        frame(CLOSE, (1000).to_bytes(2, "big") + said),
        frame(CLOSE, (1005).to_bytes(2, "big") + said),
        frame(CLOSE, (1000).to_bytes(2, "big") + said + b"\xff"),
        frame(TEXT, said + b"\xff" + said),
        frame(TEXT, said * 20_000),
        frame(CONTINUATION, said),
        frame(3, said),
        b"\x81" + said,
        frame(TEXT, said) * 300,
    ]
    for ending in endings:
        with connect(address) as wire:
            member = shake_hands_rfc6455(wire, f"{LOBBY}?{secret()}", *header_lines())
            wire.send(frame(TEXT, said) + frame(BINARY, said) + frame(PING, said) + ending)
            while member.read_frame().opcode != CLOSE:
                pass
            wire.send(frame(CLOSE, (1000).to_bytes(2, "big") + said))
            assert wire.read_to_end() == b""
    for bytes_ in (b"\xff\x00" + said, b"\x81\xff\xff\xff\x7f" + said, b"\x00" + said * 20_000):
        with connect(address) as wire:
            old = shake_hands_hixie76(wire, f"{LOBBY}?{secret()}", *header_lines())
            wire.send(b"\x00" + said + b"\xff\x01" + said + b"\xff" + bytes_)
            old.read_goodbye()
    with connect(address) as wire:
        stream = open_stream(wire, f"{LOBBY}?{secret()}", *header_lines())
        # More than is borne behind a request.
        wire.send(said * 20_000)
        stream.told("goodbye")


def tokens_in_secret() -> Iterator[bytes]:
    """Yield requests with tokens in every place, none of them good, and with secrets in what they say."""
    garbled = f"{secret()}.{secret()}.{secret()}"
    signed = signer("HS256").token({"exp": 1, "sub": secret(), "rooms": [secret()], secret(): secret()}, kid=secret())
    unknown = signer("EdDSA").token({"exp": 2**33, "sub": secret()}, kid=secret(), alg=secret())
    other = signer("HS256").token({"exp": 2**33, "sub": secret(), "rooms": ["/rooms/other"]})
    for token in (garbled, signed, unknown, other, secret()):
        yield rfc6455_head(LOBBY, f"Authorization: Bearer {token}")
        yield rfc6455_head(f"{LOBBY}?token={token}")
        yield rfc6455_head(LOBBY, f"Cookie: session={token}")
        yield rfc6455_head(LOBBY, f"Sec-WebSocket-Protocol: roomcast.raw, bearer.{token}")
        yield rfc6455_head(LOBBY, f"Sec-WebSocket-Protocol: bearer.{token}")
        yield rfc6455_head(LOBBY, f"Authorization: Bearer {token}", f"Cookie: session={secret()}")
        yield get(f"{LOBBY}?token={token}")
        yield hixie76_head(LOBBY, f"Sec-WebSocket-Protocol: bearer.{token} roomcast.raw") + KEY3


def encoded_secrets(request: bytes) -> set[str]:
    """Return the parts of the tokens in a request: base64 hides what they hold from whoever looks for the mark."""
    return set(re.findall(r"[\w-]{24,}", request.decode("latin-1"))) - {RFC6455_KEY.rstrip("=")}


def test_tokens_are_told_to_nobody() -> None:
    # To be found, where it is quoted: the secret of the relay is one, too.
    ours = f"{secret()}{SECRET}"
    closed = 'rooms=[{"name": "rooms", "path": "/rooms/{room}", "access": "token"}]'
    query = ("tokens.query=true", "tokens.cookie=session")
    said: list[str] = []
    sent: set[str] = set()
    with relay_process("log.level=info", closed, f"tokens.secret={ours}", *query) as process:
        for request in tokens_in_secret():
            sent |= encoded_secrets(request)
            with connect(process.address) as wire:
                wire.send(request)
                answer = wire.read_answer()
            assert answer.status in {400, 401, 403}
            said.append(f"{answer.headers} {answer.body.decode()}")
        said.append(ask_admin(process.private_address, "/metrics").body.decode())
        process.send_signal(signal.SIGTERM)
        assert process.exit_status() == 0
        said += [process.errors(), *process.output]

    assert [text for text in said if MARK in text or any(part in text for part in sent)] == []
    # It said something about each of them all the same.
    assert "the token does not do" in str(said)
    assert 'roomcast_tokens_total{outcome="malformed"}' in str(said)


def api_requests_with_secrets(key: str) -> Iterator[bytes]:
    """Yield requests of the API, good and bad, with secrets wherever there is a place for one."""
    paths = ("rooms", "room", "messages", "batch", "members", f"members/{secret()}", "revocations", secret())
    bodies = (secret(), json.dumps({"text": secret()}), json.dumps({secret(): secret()}), json.dumps([secret()]))
    queries = (
        secret(),
        "room=%2Frooms%2Flobby",
        f"room={secret()}",
        f"room=%2Frooms%2Fa%2F{secret()}",
        f"limit={secret()}",
    )
    authorizations = (f"Bearer {key}", f"Bearer {secret()}", secret())
    for path, query, body in product(paths, queries, bodies):
        for method, authorization in product(("GET", "POST", "DELETE"), authorizations):
            kind = "application/json" if body.startswith(("{", "[")) else "text/plain"
            yield (
                f"{method} /api/v1/{path}?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                f"Authorization: {authorization}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                f"Idempotency-Key: {secret()}\r\nCookie: {secret()}\r\n\r\n{body}"
            ).encode()


def everything_remembered(process: RelayProcess) -> str:
    """Return what is told to whoever asks why the last thousand were refused or closed."""
    key = {"Authorization": f"Bearer {KEY}"}
    answer = ask_admin(process.private_address, "/api/v1/why?of=127.0.0.1&limit=1000", headers=key)
    assert len(json.loads(answer.body)["endings"]) > 40
    return answer.body.decode()


def everything_said(process: RelayProcess) -> Iterator[str]:
    """Flood a relay with secrets and yield all that it tells to anybody but the members of a room."""
    chat_in_secret(process.address)
    for request in requests_with_secrets():
        with connect(process.address) as wire:
            wire.send(request)
            answer = wire.read_answer()
        assert answer.status != 101
        yield f"{answer.headers} {answer.body.decode()}"
    for path in ("/metrics", "/healthz", "/readyz", "/nothing", "/"):
        answer = ask_admin(process.private_address, f"{path}?token={secret()}")
        yield f"{answer.headers} {answer.body.decode()}"
        yield str(ask(process.private_address, get(f"{path}?{secret()}", "Connection: close", *header_lines())))
    posted = f"POST /metrics?{secret()} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: {secret()}\r\n\r\n"
    yield str(ask(process.private_address, posted.encode()))
    for request in api_requests_with_secrets(KEY):
        answer = ask(process.private_address, request)
        yield f"{answer.headers} {answer.body.decode()}"
    yield everything_remembered(process)
    process.send_signal(signal.SIGTERM)
    assert process.exit_status() == 0
    assert process.process.stderr is not None
    yield process.process.stderr.read()
    yield from process.output


def test_secrets_of_clients_are_told_to_nobody() -> None:
    with relay_process("log.level=info", "server.demo=true", f"admin.api_key={KEY}") as process:
        said = list(everything_said(process))

    assert [text for text in said if MARK in text or KEY in text] == []
    # The same lines, as people get them.
    records = [json.loads(line) | {"timestamp": 0.0} for line in process.output]
    for_people = "\n".join(render(record, console_line(is_coloured=False)) for record in records)
    assert MARK not in for_people
    # All of it was noticed: this is not the silence of a relay that logs nothing.
    for word in ("joined", "left", "refused", "403", "404", "431", "not_utf8", "too_big", "rate", "protocol"):
        assert word in for_people


def lines_about_everything(serve: Serve, addresses: str) -> list[str]:
    """Let in and refuse somebody for each kind of line that names an address; return the lines, in both forms."""
    report_only = '[[rooms]]\nname = "open"\npath = "/open/{x}"\norigins = { allow = ["https://evil.example"] }'
    relay = serve(f'[log]\naddresses = "{addresses}"\n[origins]\nenforce = false\n{report_only}')
    relay.join("/open/a", "Origin: https://other.example").close()
    relay.join_hixie76("/open/a").close()
    relay.ask(get("/nothing"))
    relay.ask(b"\x16\x03\x01")
    for event in ("joined", "left", "refused", "origin would be refused"):
        relay.diary.wait_for(event)
    relay.until(relay.is_empty)
    chains = (json_line(), console_line(is_coloured=False))
    return [render(record, chain) for record in relay.diary.read() for chain in chains]


@pytest.mark.parametrize(("addresses", "shown"), [("full", "127.0.0.1"), ("truncated", "127.0.0.0/24")])
def test_log_names_as_much_of_an_address_as_the_operator_wants(serve: Serve, addresses: str, shown: str) -> None:
    lines = lines_about_everything(serve, addresses)

    assert all(shown in line for line in lines)
    assert addresses == "full" or not any("127.0.0.1" in line for line in lines)


def test_log_names_no_address_where_the_operator_wants_none(serve: Serve) -> None:
    lines = lines_about_everything(serve, "none")

    assert lines
    assert not any("127.0.0" in line for line in lines)
    assert not any("address" in json.loads(line) for line in lines[::2])
