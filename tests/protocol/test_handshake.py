import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.protocol.deflate import Agreement
from roomcast.protocol.errors import HandshakeError, HandshakeFault
from roomcast.protocol.handshake import Dialect, accept, recognise
from roomcast.protocol.http import HeadDecoder
from roomcast.protocol.request import Request

Headers = dict[str, str]

RFC6455: Headers = {
    "host": "relay.example",
    "connection": "keep-alive, Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}
HIXIE76: Headers = {
    "host": "relay.example",
    "connection": "Upgrade",
    "upgrade": "WebSocket",
    "origin": "http://app.example",
    "sec-websocket-key1": "4 @1  46546xW%0l 1 5",
    "sec-websocket-key2": "12998 5 Y3 1  .P00",
}


def request(headers: Headers, *without: str, **changed: str) -> Request:
    """These headers, less some, plus or changed others: underscores stand for hyphens."""
    merged = headers | {name.replace("_", "-"): value for name, value in changed.items()}
    return Request("/rooms/lobby?a=b", tuple((name, value) for name, value in merged.items() if name not in without))


def refusal(asked: Request) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        recognise(asked)
    return caught.value


def test_one_key_and_version_13_are_rfc6455() -> None:
    assert recognise(request(RFC6455)) is Dialect.RFC6455


def test_two_keys_and_an_origin_are_hixie76() -> None:
    assert recognise(request(HIXIE76)) is Dialect.HIXIE76


@pytest.mark.parametrize("headers", [RFC6455, HIXIE76], ids=["rfc6455", "hixie76"])
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "WEBSOCKET", "h2c, websocket"])
@pytest.mark.parametrize("connection", ["Upgrade", "upgrade", "keep-alive, UPGRADE"])
def test_upgrade_and_connection_are_lists_in_any_case(headers: Headers, upgrade: str, connection: str) -> None:
    assert recognise(request(headers, upgrade=upgrade, connection=connection)) is not None


@pytest.mark.parametrize(
    "asked",
    [
        request({"host": "relay.example"}),
        request(RFC6455, "upgrade"),
        request(RFC6455, "upgrade", "connection"),
        request(HIXIE76, "upgrade", "connection"),
        request(RFC6455, upgrade="h2c"),
        request(RFC6455, upgrade="websocket/13"),
    ],
)
def test_request_that_asks_for_no_websocket_is_a_plain_get(asked: Request) -> None:
    assert recognise(asked) is None


@pytest.mark.parametrize("headers", [RFC6455, HIXIE76], ids=["rfc6455", "hixie76"])
@pytest.mark.parametrize("connection", ["keep-alive", "", "upgraded"])
def test_upgrade_that_connection_does_not_name_is_refused(headers: Headers, connection: str) -> None:
    error = refusal(request(headers, connection=connection))

    assert str(error) == "Connection does not say Upgrade, as it must beside Upgrade: websocket"
    assert (error.status, error.fault) == (400, HandshakeFault.MISSING_HEADER_KEYS)


@pytest.mark.parametrize("version", ["8", "7", "0", "14", "013", "13, 8", "", "thirteen"])
def test_version_other_than_13_is_told_which_to_ask_in(version: str) -> None:
    error = refusal(request(RFC6455, sec_websocket_version=version))

    assert str(error) == "Sec-WebSocket-Version is not 13"
    assert (error.status, error.fault) == (426, HandshakeFault.INVALID_HEADER_LINE)
    assert error.headers == (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))


def test_missing_version_is_told_which_to_ask_in() -> None:
    error = refusal(request(RFC6455, "sec-websocket-version"))

    assert (error.status, error.fault) == (426, HandshakeFault.MISSING_HEADER_KEYS)
    assert ("Sec-WebSocket-Version", "13") in error.headers


def test_wrong_version_counts_before_a_missing_key() -> None:
    assert refusal(request(RFC6455, "sec-websocket-key", sec_websocket_version="8")).status == 426


def test_missing_key_is_refused() -> None:
    error = refusal(request(RFC6455, "sec-websocket-key"))

    assert str(error) == "Sec-WebSocket-Key is missing"
    assert (error.status, error.fault) == (400, HandshakeFault.MISSING_HEADER_KEYS)


def test_request_with_neither_keys_nor_version_is_refused() -> None:
    # This is what the dialect before hixie-76 sent.
    error = refusal(request(HIXIE76, "sec-websocket-key1", "sec-websocket-key2"))

    assert str(error) == "Sec-WebSocket-Key is missing, and so are -Key1 and -Key2"
    assert (error.status, error.fault) == (400, HandshakeFault.MISSING_HEADER_KEYS)


BAD_KEYS = {
    "empty": "",
    "15 bytes": "AAAAAAAAAAAAAAAAAAAA",
    "17 bytes": "AAAAAAAAAAAAAAAAAAAAAAA=",
    "no padding": "dGhlIHNhbXBsZSBub25jZQ",
    "too much padding": "dGhlIHNhbXBsZSBub25jZQ===",
    "not base64": "dGhlIHNhbXBsZSBub25jZ!==",
    "base64url": "__________________-_-_==",
    "blank inside": "dGhlIHNhbXBs ZSBub25jZQ==",
    "two keys": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    "bits behind the last byte": "dGhlIHNhbXBsZSBub25jZR==",
    "beyond ASCII": "é" * 22 + "==",
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
def test_key_that_is_not_16_bytes_in_base64_is_refused(key: str) -> None:
    error = refusal(request(RFC6455, sec_websocket_key=key))

    assert str(error) == "Sec-WebSocket-Key is not 16 bytes in base64"
    assert (error.status, error.fault) == (400, HandshakeFault.BAD_FIRST_SECURITY_KEY)


def test_subprotocol_that_is_no_token_is_refused() -> None:
    assert refusal(request(RFC6455, sec_websocket_protocol="chat room")).status == 400


@pytest.mark.parametrize("headers", [RFC6455, HIXIE76])
def test_request_that_offers_nothing_but_a_token_is_refused(headers: Headers) -> None:
    error = refusal(request(headers, sec_websocket_protocol="bearer.a.b.c"))

    assert error.status == 400
    assert "a.b.c" not in str(error)


@pytest.mark.parametrize("missing", ["sec-websocket-key1", "sec-websocket-key2", "origin"])
def test_half_a_hixie76_request_is_refused(missing: str) -> None:
    error = refusal(request(HIXIE76, missing))

    assert str(error).lower() == f"{missing} is missing"
    assert (error.status, error.fault) == (400, HandshakeFault.MISSING_HEADER_KEYS)


def test_empty_origin_is_not_a_missing_one() -> None:
    assert recognise(request(HIXIE76, origin="")) is Dialect.HIXIE76


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("sec_websocket_key1", HandshakeFault.BAD_FIRST_SECURITY_KEY),
        ("sec_websocket_key2", HandshakeFault.BAD_SECOND_SECURITY_KEY),
    ],
)
@pytest.mark.parametrize("key", ["4@146546xW%0l15", "4 @1  46546xW%0l 1 5 x", "a b", "85899 34592x", ""])
def test_hixie76_key_without_a_number_is_refused_by_its_name(name: str, fault: HandshakeFault, key: str) -> None:
    error = refusal(request(HIXIE76, **{name: key}))

    assert (error.status, error.fault) == (400, fault)


@pytest.mark.parametrize("without", ["", "sec-websocket-key1", "sec-websocket-key2"])
def test_keys_of_both_dialects_are_refused(without: str) -> None:
    error = refusal(request(HIXIE76 | RFC6455, without))

    assert "speaks two dialects" in str(error)
    assert (error.status, error.fault) == (400, HandshakeFault.INVALID_HEADER_LINE)


def test_rfc6455_is_accepted_in_its_own_words() -> None:
    assert accept(request(RFC6455), Dialect.RFC6455) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


def test_hixie76_is_accepted_in_its_own_words() -> None:
    assert accept(request(HIXIE76), Dialect.HIXIE76, is_secure=True) == (
        b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
        b"Upgrade: WebSocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Origin: http://app.example\r\n"
        b"Sec-WebSocket-Location: wss://relay.example/rooms/lobby?a=b\r\n"
        b"\r\n"
    )


def test_rfc6455_is_told_what_was_agreed_on_and_hixie76_knows_no_extensions() -> None:
    extensions = b"\r\nSec-WebSocket-Extensions: " + Agreement(10, is_window_named=True).header.encode() + b"\r\n"

    assert extensions in accept(request(RFC6455), Dialect.RFC6455, agreement=Agreement(10, is_window_named=True))
    assert b"Extensions" not in accept(request(HIXIE76), Dialect.HIXIE76, agreement=Agreement())


@pytest.mark.parametrize(("headers", "dialect"), [(RFC6455, Dialect.RFC6455), (HIXIE76, Dialect.HIXIE76)])
def test_first_subprotocol_is_named(headers: Headers, dialect: Dialect) -> None:
    asked = request(
        headers, sec_websocket_protocol="chat superchat" if dialect is Dialect.HIXIE76 else "chat, superchat"
    )

    assert b"\r\nSec-WebSocket-Protocol: chat\r\n" in accept(asked, dialect)


VALUES = st.one_of(
    st.sampled_from([*RFC6455.values(), *HIXIE76.values(), "", "8", "1 1", "a b"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")),
)


def status_of(asked: Request | None) -> int | None:
    """The status of the answer, None while there is nothing to answer."""
    dialect = recognise(asked) if asked else None
    return int(accept(asked, dialect)[9:12]) if asked and dialect else None


@given(st.dictionaries(st.sampled_from(sorted(RFC6455 | HIXIE76)), VALUES))
def test_arbitrary_headers_can_be_accepted_or_raise_nothing_but_a_handshake_error(headers: Headers) -> None:
    try:
        status = status_of(Request("/", tuple(headers.items())))
    except HandshakeError as error:
        status = error.status

    assert status in (None, 101, 400, 426)


@given(st.binary(max_size=60), st.booleans())
def test_arbitrary_bytes_raise_nothing_but_a_handshake_error(junk: bytes, is_inside: bool) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    try:
        status = status_of(HeadDecoder(1000, 10).receive(head + junk + b"\r\n\r\n" if is_inside else junk))
    except HandshakeError as error:
        status = error.status

    assert status in (None, 101, 400, 405, 426, 431)
