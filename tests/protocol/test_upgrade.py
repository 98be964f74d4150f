import pytest

from roomcast.protocol.deflate import Agreement
from roomcast.protocol.errors import HandshakeError
from roomcast.protocol.request import Request
from roomcast.protocol.upgrade import accept, accept_token, subprotocols


def test_the_example_of_the_rfc_is_answered_as_it_says() -> None:
    assert accept_token("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def request(*subprotocols: str) -> Request:
    headers = [("host", "relay.example"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]
    return Request("/rooms/lobby", (*headers, *(("sec-websocket-protocol", value) for value in subprotocols)))


def test_a_request_is_accepted_with_its_key_and_nothing_it_did_not_ask_for() -> None:
    assert accept(request()) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize("offered", [["Chat, v2"], ["Chat", "v2"], [" ,Chat,v2"]])
def test_the_first_subprotocol_offered_is_taken(offered: list[str]) -> None:
    assert accept(request(*offered)).endswith(b"\r\nSec-WebSocket-Protocol: Chat\r\n\r\n")


@pytest.mark.parametrize("offered", [["bearer.a.b.c, roomcast.raw"], ["roomcast.raw", "bearer.a.b.c"]])
def test_token_that_is_offered_as_a_subprotocol_is_not_answered(offered: list[str]) -> None:
    assert accept(request(*offered)).endswith(b"\r\nSec-WebSocket-Protocol: roomcast.raw\r\n\r\n")


def test_no_subprotocol_is_given_to_who_offered_none() -> None:
    assert b"Sec-WebSocket-Protocol" not in accept(request())


@pytest.mark.parametrize(
    "offered", [[""], [", ,"], ["a b"], ["a/b"], ['"a"'], ["\xe9"], ["a\tb"], ["a, a"], ["a", "a"]]
)
def test_subprotocols_that_are_no_list_of_different_tokens_are_refused(offered: list[str]) -> None:
    with pytest.raises(HandshakeError, match="not a list of different tokens") as caught:
        subprotocols(request(*offered))

    assert caught.value.status == 400


def test_what_was_agreed_on_about_compression_is_answered() -> None:
    assert accept(request(), Agreement(15)).endswith(
        b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        b"\r\n\r\n"
    )
