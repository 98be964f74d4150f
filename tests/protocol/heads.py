"""Heads of requests, and what is refused of them for its headers taken together."""

from __future__ import annotations

HEAD = (
    b"GET /rooms/lobby?since=7 HTTP/1.1\r\n"
    b"Host: relay.example:8080\r\n"
    b"Connection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\n"
    b"Origin: https://app.example\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"\r\n"
)
KEY1 = b"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
KEY2 = b"Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"
HIXIE_KEYS = KEY1 + KEY2

REFUSED_TOGETHER = {
    "two origins": (b"Origin: null\r\norigin: null\r\n", "there are two origin headers, not one"),
    "two upgrades": (b"Upgrade: websocket\r\nUpgrade: websocket\r\n", "there are two upgrade headers"),
    "two keys": (b"Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a\r\n", "there are two sec-websocket-key headers"),
    "two first keys": (KEY1 + KEY1, "there are two sec-websocket-key1 headers"),
    "two second keys": (KEY2 + KEY2, "there are two sec-websocket-key2 headers"),
    "two versions": (b"Sec-WebSocket-Version: 13\r\n" * 2, "there are two sec-websocket-version headers"),
    "two positions": (b"Last-Event-ID: a:1\r\nLast-Event-ID: a:2\r\n", "there are two last-event-id headers"),
    "two sites": (b"Sec-Fetch-Site: none\r\n" * 2, "there are two sec-fetch-site headers"),
    "two methods": (b"Access-Control-Request-Method: GET\r\n" * 2, "two access-control-request-method headers"),
    "two hosts": (b"HOST: relay.example\r\n", "there are 2 host headers, not one"),
    "chunked body": (b"Transfer-Encoding: chunked\r\n", "Transfer-Encoding is refused"),
    "body in a coding unknown to h11": (b"Transfer-Encoding: gzip\r\n", "in a form that cannot be read"),
    "body": (b"Content-Length: 1\r\n", "Content-Length is neither 0 nor, with two keys, 8"),
    "empty body in two digits": (b"Content-Length: 00\r\n", "Content-Length is neither 0 nor"),
    "eight bytes without keys": (b"Content-Length: 8\r\n", "Content-Length is neither 0 nor"),
    "eight bytes with one key": (b"Content-Length: 8\r\n" + KEY1, "Content-Length is neither 0 nor"),
    "nine bytes with keys": (b"Content-Length: 9\r\n" + HIXIE_KEYS, "Content-Length is neither 0 nor"),
    "two lengths": (b"Content-Length: 0\r\nContent-Length: 8\r\n", "in a form that cannot be read"),
    "one length twice": (b"Content-Length: 0\r\ncontent-length:\t0\r\n", "there is more than one Content-Length"),
    "two lengths in a line": (b"Content-Length: 0, 0\r\n", "there is more than one Content-Length"),
    "length beyond every integer": (b"Content-Length: " + b"9" * 5000 + b"\r\n", "in a form that cannot be read"),
    "negative length": (b"Content-Length: -1\r\n", "in a form that cannot be read"),
}


def with_lines(lines: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: relay.example\r\n" + lines + b"\r\n"
