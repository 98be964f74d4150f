import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roomcast.protocol.errors import HandshakeError, HandshakeFault
from roomcast.protocol.http import GET_AND_OPTIONS, HeadDecoder, is_token, response
from roomcast.protocol.request import Request
from tests.protocol.heads import HEAD, HIXIE_KEYS, REFUSED_TOGETHER, with_lines

REFUSED_STARTS = {
    "TLS ClientHello": (b"\x16\x03\x01\x02\x00\x01", 400, "0x16, a TLS handshake"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "begins as HTTP/2"),
    "PROXY header, version 1": (b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n", 400, "begins with a PROXY header"),
    "PROXY header, version 2": (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 400, "byte 0x0d cannot be in an HTTP method"),
    "POST": (b"POST / HTTP/1.1\r\n", 405, "the method is POST, not GET"),
    "OPTIONS, where nobody takes it": (b"OPTIONS / HTTP/1.1\r\n", 405, "the method is OPTIONS, not GET"),
    "method in lower case": (b"get / HTTP/1.1\r\n", 405, "the method is get, not GET"),
    "method too long": (b"A" * 17, 400, "the method is longer than 16 bytes"),
    "NUL": (b"\x00", 400, "byte 0x00 cannot be in an HTTP method"),
    "byte beyond ASCII in the method": (b"G\xc3\x89T / HTTP/1.1\r\n", 400, "byte 0xc3 cannot be"),
    "space first": (b" GET / HTTP/1.1\r\n", 400, "byte 0x20 cannot be"),
    "tab after the method": (b"GET\t/ HTTP/1.1\r\n", 400, "byte 0x09 cannot be"),
    "LF first": (b"\nGET / HTTP/1.1\r\n", 400, "byte 0x0a cannot be"),
    "CR first": (b"\rGET / HTTP/1.1\r\n", 400, "byte 0x0d cannot be"),
    "two empty lines first": (b"\r\n\r\nGET / HTTP/1.1\r\n", 400, "byte 0x0d cannot be"),
}

REFUSED_REQUEST_LINES = {
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n", "the version is HTTP/1.0, not HTTP/1.1"),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\n", "the version is HTTP/2.0, not HTTP/1.1"),
    "no version": (b"GET /\r\n", "the request line is not GET, a path"),
    "no target": (b"GET  HTTP/1.1\r\n", "the request line is not GET, a path"),
    "absolute target": (b"GET http://relay.example/ HTTP/1.1\r\n", "a path that begins with a slash"),
    "asterisk": (b"GET * HTTP/1.1\r\n", "a path that begins with a slash"),
    "authority": (b"GET relay.example:80 HTTP/1.1\r\n", "a path that begins with a slash"),
    "fragment": (b"GET /rooms/lobby#now HTTP/1.1\r\n", "the target holds a fragment, or a character"),
    "fragment of a query": (b"GET /rooms/lobby?a#now HTTP/1.1\r\n", "the target holds a fragment, or a character"),
    "quotes in the path": (b'GET /rooms/"a" HTTP/1.1\r\n', "a character that is percent-encoded"),
    "braces in the path": (b"GET /rooms/{a} HTTP/1.1\r\n", "a character that is percent-encoded"),
    "backslash in the path": (b"GET /rooms\\a HTTP/1.1\r\n", "a character that is percent-encoded"),
    "angle brackets in the query": (b"GET /rooms/a?<b> HTTP/1.1\r\n", "a character that is percent-encoded"),
    "space in the target": (b"GET /rooms/my room HTTP/1.1\r\n", "with one space between them"),
    "target beyond ASCII": (b"GET /rooms/\xc3\xa9 HTTP/1.1\r\n", "a path that begins with a slash"),
    "trailing space": (b"GET / HTTP/1.1 \r\n", "with one space between them"),
    "bare LF": (b"GET / HTTP/1.1\n", "the request line ends with LF, not CRLF"),
    "NUL in the target": (b"GET /\x00 HTTP/1.1\r\n", "the request line holds the control character 0x00"),
    "bare CR": (b"GET /\r HTTP/1.1\r\n", "the request line holds the control character 0x0d"),
}

REFUSED_OPTIONS = {
    "POST": (b"POST / HTTP/1.1\r\n", 405, "the method is POST, not GET"),
    "longer method": (b"OPTIONSX / HTTP/1.1\r\n", 405, "the method is OPTIONSX, not GET"),
    "tab after the method": (b"OPTIONS\t/ HTTP/1.1\r\n", 400, "byte 0x09 cannot be"),
    "SIP": (b"OPTIONS sip:relay.example SIP/2.0\r\n", 400, "the request line is not OPTIONS, a path"),
    "asterisk and more": (b"OPTIONS */ HTTP/1.1\r\n", 400, "the request line is not OPTIONS, a path"),
    "HTTP/1.0": (b"OPTIONS / HTTP/1.0\r\n", 400, "the version is HTTP/1.0, not HTTP/1.1"),
    "fragment": (b"OPTIONS /a#b HTTP/1.1\r\n", 400, "the target holds a fragment, or a character"),
    "asterisk of a GET": (b"GET * HTTP/1.1\r\n", 400, "the request line is not GET, a path"),
}

REFUSED_HEADER_LINES = {
    "bare LF": (b"A: b\n", "line 3 ends with LF, not CRLF"),
    "empty line of a bare LF": (b"\n", "line 3 ends with LF, not CRLF"),
    "bare CR": (b"A: b\rc\r\n", "line 3 holds the control character 0x0d"),
    "CR before CRLF": (b"\r\r\n", "line 3 holds the control character 0x0d"),
    "NUL": (b"A: \x00\r\n", "line 3 holds the control character 0x00"),
    "vertical tab": (b"A: b\x0bc\r\n", "line 3 holds the control character 0x0b"),
    "delete": (b"A: \x7f\r\n", "line 3 holds the control character 0x7f"),
    "folded with a space": (b" folded: yes\r\n", "line 3 begins with a blank: folded"),
    "folded with a tab": (b"\tfolded: yes\r\n", "line 3 begins with a blank: folded"),
    "no colon": (b"A\r\n", "line 3 is not name: value"),
    "no name": (b": b\r\n", "line 3 is not name: value"),
    "space before the colon": (b"A : b\r\n", "line 3 is not name: value"),
    "name beyond ASCII": (b"\xc3\x84: b\r\n", "line 3 is not name: value"),
}

BLANKS = b" " * 1_000_000
LONG_LINES = {
    "blanks between two lengths": b"Content-Length: 0" + BLANKS + b",0\r\n",
    "blanks behind a length": b"Content-Length: 0" + BLANKS + b"\r\n",
    "lengths": b"Content-Length: 0" + b",0" * 500_000 + b"\r\n",
    "blanks in a value": b"A: b" + BLANKS + b"c\r\n",
    "tokens": b"Connection: " + b"a, " * 300_000 + b"\r\n",
}


def decode(head: bytes, *, head_max_bytes: int = 16384, headers_max: int = 100) -> Request:
    request = HeadDecoder(head_max_bytes, headers_max).receive(head)
    assert request is not None
    return request


def refusal(data: bytes, *, head_max_bytes: int = 16384, headers_max: int = 100) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        HeadDecoder(head_max_bytes, headers_max).receive(data)
    return caught.value


def outcome(chunks: Iterator[bytes]) -> object:
    """Everything a caller can tell apart about one stream."""
    decoder = HeadDecoder(head_max_bytes=200, headers_max=5)
    try:
        for chunk in chunks:
            if request := decoder.receive(chunk):
                return request, decoder.rest + b"".join(chunks)
    except HandshakeError as error:
        return error.status, error.fault, str(error)
    return None


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for start, end in pairwise(edges):
        yield data[start:end]


def test_head_becomes_a_request() -> None:
    request = decode(HEAD)

    assert request.target == "/rooms/lobby?since=7"
    assert request.path == "/rooms/lobby"
    assert request.host == "relay.example:8080"
    assert request.origin == "https://app.example"
    assert request.headers[1] == ("connection", "keep-alive, Upgrade")
    assert len(request.headers) == 6


def test_head_without_its_blank_line_is_not_complete() -> None:
    assert HeadDecoder(16384, 100).receive(HEAD[:-1]) is None


def test_what_follows_the_blank_line_is_kept() -> None:
    decoder = HeadDecoder(16384, 100)

    decoder.receive(HEAD + b"\r\n\r\n\x00\xff\n")

    assert decoder.rest == b"\r\n\r\n\x00\xff\n"


def test_one_leading_empty_line_is_skipped() -> None:
    assert decode(b"\r\n" + HEAD) == decode(HEAD)


def test_values_keep_their_inner_blanks_and_lose_the_outer_ones() -> None:
    request = decode(with_lines(b"Sec-WebSocket-Key1:\t 4 @1  46546xW%0l 1 5 \r\n"))

    assert request.get("Sec-WebSocket-Key1") == "4 @1  46546xW%0l 1 5"


def test_values_beyond_ascii_can_be_turned_back_into_the_bytes_they_were() -> None:
    value = bytes(range(0x80, 0x100))

    request = decode(with_lines(b"X-Name: " + value + b"\r\n"))

    assert (request.get("x-name") or "").encode("latin-1") == value


@pytest.mark.parametrize(("start", "status", "message"), REFUSED_STARTS.values(), ids=REFUSED_STARTS)
def test_first_bytes_that_cannot_be_a_get_are_refused_before_the_line_ends(
    start: bytes, status: int, message: str
) -> None:
    error = refusal(start)

    assert message in str(error)
    assert error.status == status
    assert error.fault is HandshakeFault.INVALID_GET_REQUEST
    assert error.headers == ((("Allow", "GET"),) if status == 405 else ())


@pytest.mark.parametrize("start", [b"", b"\r", b"\r\n", b"P", b"PRI", b"A" * 16, b"\r\nGET"])
def test_first_bytes_that_may_still_become_a_get_or_a_method_are_waited_for(start: bytes) -> None:
    assert HeadDecoder(16384, 100).receive(start) is None


@pytest.mark.parametrize(("line", "message"), REFUSED_REQUEST_LINES.values(), ids=REFUSED_REQUEST_LINES)
def test_request_line_is_refused_before_the_head_ends(line: bytes, message: str) -> None:
    error = refusal(line)

    assert message in str(error)
    assert error.status == 400
    assert error.fault is HandshakeFault.INVALID_GET_REQUEST


@pytest.mark.parametrize(("line", "status", "message"), REFUSED_OPTIONS.values(), ids=REFUSED_OPTIONS)
def test_request_line_is_held_to_the_same_rules_where_options_is_taken_too(
    line: bytes, status: int, message: str
) -> None:
    with pytest.raises(HandshakeError, match=re.escape(message)) as caught:
        HeadDecoder(16384, 100, GET_AND_OPTIONS).receive(line)

    assert caught.value.status == status
    assert caught.value.fault is HandshakeFault.INVALID_GET_REQUEST


@pytest.mark.parametrize("cuts", [[], [1], [7], [8], list(range(100))])
@pytest.mark.parametrize(("method", "target"), [("GET", "/a?b"), ("OPTIONS", "/a?b"), ("OPTIONS", "*")])
def test_request_says_by_which_method_it_was_made(method: str, target: str, cuts: list[int]) -> None:
    decoder = HeadDecoder(16384, 100, GET_AND_OPTIONS)
    head = f"\r\n{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()

    [request] = filter(None, map(decoder.receive, pieces(head, cuts)))

    assert (request.method, request.target) == (method, target)


# The last is all that browsers leave as it is, beyond RFC 3986.
@pytest.mark.parametrize("target", ["/", "/rooms/a;b=c,d@e:f", "/a?", "/a?b?/..", "/%22|[]^?{}|\\^`[]'"])
def test_target_that_browsers_send_is_taken(target: str) -> None:
    assert decode(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: relay.example\r\n\r\n").target == target


@pytest.mark.parametrize(("text", "expected"), [("chat.v2", True), ("", False), ("a b", False), ("\xe9", False)])
def test_token_is_told_from_other_words(text: str, expected: bool) -> None:
    assert is_token(text) is expected


@pytest.mark.parametrize(("lines", "message"), REFUSED_HEADER_LINES.values(), ids=REFUSED_HEADER_LINES)
def test_header_lines_that_are_refused(lines: bytes, message: str) -> None:
    error = refusal(with_lines(lines))

    assert message in str(error)
    assert error.status == 400
    assert error.fault is HandshakeFault.INVALID_HEADER_LINE


def test_bad_header_line_is_refused_before_the_head_ends() -> None:
    assert "line 2 ends with LF" in str(refusal(b"GET / HTTP/1.1\r\nHost: relay.example\n"))


def test_announced_eight_bytes_are_left_to_the_dialect() -> None:
    decoder = HeadDecoder(16384, 100)

    decoder.receive(with_lines(HIXIE_KEYS + b"Content-Length: 8\r\n") + b"^n:ds[4U\x00hi\xff")

    assert decoder.rest == b"^n:ds[4U\x00hi\xff"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("line", LONG_LINES.values(), ids=LONG_LINES)
def test_longest_head_there_may_be_is_judged_in_time_that_grows_no_faster_than_it(line: bytes) -> None:
    # The most that head_max_bytes can be. What looked at each byte again for each byte would take an hour.
    decoder = HeadDecoder(1 << 20, 100)

    with suppress(HandshakeError):
        assert decoder.receive(with_lines(line)) is not None


def test_head_as_long_as_the_limit_passes() -> None:
    assert decode(HEAD, head_max_bytes=len(HEAD)).path == "/rooms/lobby"


def test_head_one_byte_too_long_is_refused_though_it_is_complete() -> None:
    error = refusal(HEAD, head_max_bytes=len(HEAD) - 1)

    assert str(error) == f"the head is longer than head_max_bytes = {len(HEAD) - 1}"
    assert (error.status, error.limit) == (431, "head_max_bytes")


def test_head_without_end_is_refused_at_the_limit() -> None:
    endless = b"GET /" + b"a" * 95

    assert HeadDecoder(101, 100).receive(endless) is None
    assert refusal(endless, head_max_bytes=100).status == 431


def test_bytes_after_the_head_do_not_count_towards_its_limit() -> None:
    assert decode(HEAD + b"x" * 70000, head_max_bytes=len(HEAD)).path == "/rooms/lobby"


def test_as_many_header_lines_as_the_limit_pass() -> None:
    assert len(decode(HEAD, headers_max=6).headers) == 6


def test_one_header_line_too_many_is_refused() -> None:
    error = refusal(HEAD, headers_max=5)

    assert str(error) == "the head has more lines than headers_max = 5"
    assert (error.status, error.limit) == (431, "headers_max")


def test_errors_do_not_quote_what_may_be_secret() -> None:
    for secret in (
        b"GET /?token=hunter2 HTTP/1.0\r\n",
        with_lines(b"Cookie hunter2\r\n"),
        with_lines(b"A: hunter2\x00"),
    ):
        assert "hunter2" not in str(refusal(secret + b"\r\n"))


HEADS = [
    HEAD[: HEAD.index(b"Sec-")] + b"\r\n\x00rest",
    with_lines(HIXIE_KEYS + b"Content-Length: 8\r\n") + b"^n:ds[4U",
    b"\r\n" + with_lines(b""),
    with_lines(b"A: b\r\n" * 5),
    with_lines(b"A: " + b"b" * 200 + b"\n"),
    with_lines(b"A: \x00\r\nB\r\n"),
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"\r\n\r\nGET / HTTP/1.1\r\n",
    *(start for start, _, _ in REFUSED_STARTS.values()),
    *(with_lines(lines) for lines, _ in (REFUSED_HEADER_LINES | REFUSED_TOGETHER).values()),
]


@given(st.sampled_from(HEADS), st.lists(st.integers(1, 250)))
def test_outcome_does_not_depend_on_how_the_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    assert outcome(pieces(data, cuts)) == outcome(iter([data]))


@pytest.mark.parametrize("data", HEADS)
def test_outcome_is_the_same_byte_by_byte(data: bytes) -> None:
    assert outcome(pieces(data, list(range(len(data))))) == outcome(iter([data]))


BYTES = st.one_of(
    st.binary(max_size=250),
    st.lists(
        st.sampled_from([b"GET ", b"/", b" HTTP/1.1", b"\r\n", b"Host: a", b":", b"\n", b"\r", b" ", b"\x00"])
    ).map(b"".join),
    st.lists(st.binary(max_size=12)).map(
        lambda values: with_lines(b"".join(b"A: " + value + b"\r\n" for value in values))
    ),
)


@given(BYTES, st.lists(st.integers(0, 250)))
@example(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [])
def test_arbitrary_bytes_raise_nothing_but_a_handshake_error(data: bytes, cuts: list[int]) -> None:
    assert outcome(pieces(data, cuts)) == outcome(iter([data]))


def test_response_is_a_whole_answer_after_which_the_connection_is_closed() -> None:
    assert response(403, [("Content-Type", "text/plain")], b"no\n") == (
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"
    )


def test_response_without_content_has_no_length() -> None:
    assert response(204, [("Vary", "Origin")]) == (
        b"HTTP/1.1 204 No Content\r\nVary: Origin\r\nConnection: close\r\n\r\n"
    )


def test_response_that_names_an_upgrade_says_so_in_connection() -> None:
    assert response(426, [("Upgrade", "websocket")]) == (
        b"HTTP/1.1 426 Upgrade Required\r\n"
        b"Upgrade: websocket\r\n"
        b"Content-Length: 0\r\n"
        b"Connection: close, Upgrade\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize(
    "header",
    [
        ("A", "b\r\nSet-Cookie: c"),
        ("A", "b\rc"),
        ("A", "b\nc"),
        ("A", "\x00"),
        ("A\r\nB", "c"),
        ("A: b", "c"),
        ("", ""),
    ],
)
def test_header_that_would_begin_another_line_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="would not stay on its line"):
        response(400, [header])


def test_status_that_http_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="999"):
        response(999)


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=8)), max_size=3), st.binary(max_size=20))
def test_an_answer_is_read_as_it_was_meant_or_not_made(headers: list[tuple[str, str]], body: bytes) -> None:
    meant = [(f"X-{name}", value) for name, value in headers]
    try:
        answer = response(403, meant, body)
    except ValueError:
        return

    head, end, sent = answer.partition(b"\r\n\r\n")
    assert (end, sent) == (b"\r\n\r\n", body)
    lines = [f"{name}: {value}" for name, value in [*meant, ("Content-Length", len(body)), ("Connection", "close")]]
    assert head.decode("latin-1").split("\r\n")[1:] == lines
