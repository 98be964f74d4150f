from __future__ import annotations

import pytest

from roomcast.protocol.errors import HandshakeError, HandshakeFault
from roomcast.protocol.request import Request, parse
from tests.protocol.heads import HIXIE_KEYS, REFUSED_TOGETHER, with_lines

HOSTS = [
    b"relay.example",
    b"relay.example.",
    b"RELAY.example:1",
    b"127.0.0.1:65535",
    b"[::1]",
    b"[2001:db8::1]:8080",
    b"[::ffff:192.0.2.1]:80",
    b"relay_1:8080",
    b"xn--bcher-kva.example",
    b"a" * 63 + b".example",
]

REFUSED_HOSTS = [
    b"",
    b":8080",
    b"relay.example:",
    b"relay.example:0",
    b"relay.example:65536",
    b"relay.example:99999999999",
    b"relay.example:http",
    b"user@relay.example",
    b"user:secret@relay.example",
    b"relay .example",
    b"relay.example, other.example",
    b"relay.example/path",
    b"relay..example",
    b".relay.example",
    b"b\xc3\xbccher.example",
    b"%72elay.example",
    b"::1",
    b"[::1",
    b"[::1]x",
    b"[1::2::3]",
    b"[fe80::1%25eth0]",
    b"[relay.example]",
    b"a" * 64 + b".example",
    b"a." * 127 + b"aa",
]


def refusal(head: bytes) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        parse(head)
    return caught.value


def test_header_that_is_missing_is_none_and_one_that_is_empty_is_not() -> None:
    request = parse(with_lines(b"X-Empty:\r\n"))

    assert request.get("x-empty") == ""
    assert request.get("x-missing") is None
    assert request.origin is None


def test_host_of_a_request_made_by_hand_without_one_is_empty() -> None:
    assert Request("/", ()).host == ""


def test_tokens_are_gathered_from_all_lines_in_lower_case() -> None:
    request = parse(with_lines(b"Connection: Keep-Alive ,, \r\nAccept: x\r\nCONNECTION: \tUpgrade\r\n"))

    assert request.all("Connection") == ["Keep-Alive ,,", "Upgrade"]
    assert request.tokens("connection") == ["keep-alive", "upgrade"]
    assert request.tokens("upgrade") == []


@pytest.mark.parametrize(("lines", "message"), REFUSED_TOGETHER.values(), ids=REFUSED_TOGETHER)
def test_headers_that_are_refused_together(lines: bytes, message: str) -> None:
    error = refusal(with_lines(lines))

    assert message in str(error)
    assert error.status == 400
    assert error.fault is HandshakeFault.INVALID_HEADER_LINE


def test_missing_host_is_one_of_the_missing_keys() -> None:
    error = refusal(b"GET / HTTP/1.1\r\nOrigin: null\r\n\r\n")

    assert str(error) == "the Host header is missing"
    assert (error.status, error.fault) == (400, HandshakeFault.MISSING_HEADER_KEYS)


@pytest.mark.parametrize("host", HOSTS)
def test_host_may_be_a_name_or_an_address_and_have_a_port(host: bytes) -> None:
    assert parse(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").host == host.decode()


@pytest.mark.parametrize("host", REFUSED_HOSTS)
def test_host_that_is_anything_else_is_refused(host: bytes) -> None:
    error = refusal(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")

    assert str(error) == "the Host header is not a name or an address, and perhaps a port"
    assert error.status == 400


@pytest.mark.parametrize(
    "lines", [b"Content-Length: 0\r\n", HIXIE_KEYS + b"Content-Length: 8\r\n", HIXIE_KEYS + b"Content-Length: 0\r\n"]
)
def test_empty_body_and_the_eight_bytes_may_be_announced(lines: bytes) -> None:
    assert parse(with_lines(lines)).get("content-length") in ("0", "8")


def test_eight_bytes_are_announced_by_a_get_only() -> None:
    head = with_lines(HIXIE_KEYS + b"Content-Length: 8\r\n").replace(b"GET", b"OPTIONS")

    assert "Content-Length is neither 0 nor" in str(refusal(head))


def test_refusal_by_h11_does_not_carry_its_cause() -> None:
    error = refusal(with_lines(b"Content-Length: hunter2\r\n"))

    assert error.__cause__ is None
    assert error.__suppress_context__
