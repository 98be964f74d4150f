"""How other HTTP parsers read a head: where they and we read one head differently, requests are smuggled.

A proxy in front of us judges a request by its own reading, and passes on what
it judged. So of a head that we accept, every other reader must see the same
target, the same headers and the same end, or refuse it. Three are asked:

* ``httptools``, which is llhttp, the parser of Node.js
* ``http.server`` of the standard library, which reads like a mail program
* ``websockets``, whose parser was written for handshakes and nothing else
"""

import io
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from typing import Final, NamedTuple

import httptools
from websockets.exceptions import SecurityError
from websockets.http11 import Request as WebsocketsRequest
from websockets.streams import StreamReader


class Refusal(Exception):
    """This reader wants nothing to do with the head. Its words are the reader's own."""


class Reading(NamedTuple):
    """A head as one reader understands it. Values are without the blanks around them."""

    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    head_bytes: int


def reading(target: bytes, headers: Iterable[tuple[bytes, bytes]], head_bytes: int) -> Reading:
    """Return a reading in which the case of names and the blanks around values do not count."""
    return Reading(target, tuple((name.lower(), value.strip(b" \t")) for name, value in headers), head_bytes)


def read_with_httptools(data: bytes) -> Reading:
    """Read as llhttp does, byte by byte, which tells where it sees the end."""
    seen = _Seen()
    parser = httptools.HttpRequestParser(seen)
    for position in range(len(data)):
        try:
            parser.feed_data(data[position : position + 1])
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            raise Refusal(str(error)) from error
        if seen.is_complete:
            return reading(seen.target, seen.headers, position + 1)
    raise Refusal("the head does not end")


class _Seen:
    """What llhttp calls back with."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_complete = True


class _Handler(BaseHTTPRequestHandler):
    """A handler without a server, a socket, or anything to say."""

    def __init__(self, data: bytes) -> None:
        self.rfile = io.BufferedReader(io.BytesIO(data))
        self.refusal = "not a request"

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.refusal = f"{code} {message}"

    def read(self) -> Reading:
        self.raw_requestline = self.rfile.readline()
        if not self.parse_request():
            raise Refusal(self.refusal)
        headers = ((name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items())
        return reading(self.path.encode("latin-1"), headers, self.rfile.tell())


def read_with_http_server(data: bytes) -> Reading:
    """Read as the standard library does."""
    return _Handler(data).read()


def read_with_websockets(data: bytes) -> Reading:
    """Read as ``websockets`` does."""
    stream = StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    try:
        next(WebsocketsRequest.parse(stream.read_line))
    except StopIteration as done:
        request = done.value
    except (EOFError, ValueError, RuntimeError, SecurityError) as error:
        raise Refusal(str(error)) from error
    headers = ((name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.raw_items())
    return reading(request.path.encode(), headers, len(data) - len(stream.buffer))


READERS: Final[dict[str, Callable[[bytes], Reading]]] = {
    "httptools": read_with_httptools,
    "http.server": read_with_http_server,
    "websockets": read_with_websockets,
}
