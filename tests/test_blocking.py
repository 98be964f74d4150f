import gc
import socket
import ssl
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import roomcast
from roomcast import (
    HandshakeError,
    HandshakeFault,
    blocking,
    create_response,
    create_token,
    get_frame,
    get_message,
    get_request,
    put_frame,
    put_response,
    shake_hands,
)
from tests.wire import KEY1, KEY2, KEY3, TOKEN, hixie76_head, rfc6455_head

Pair = tuple[socket.socket, socket.socket]

RFC6455 = rfc6455_head("/rooms/lobby?a=b")
RFC6455_RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)
HIXIE76 = hixie76_head("/demo?a=b", origin="http://example.com", host="example.com")
HIXIE76_HEAD = (
    b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
    b"Upgrade: WebSocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Origin: http://example.com\r\n"
    b"Sec-WebSocket-Location: ws://example.com/demo?a=b\r\n"
    b"\r\n"
)

HANDSHAKES = pytest.mark.parametrize("handshake", [RFC6455, HIXIE76 + KEY3], ids=["rfc6455", "hixie76"])

# The key of zeros is a legal mask, under which a payload stays readable.
MASK = b"\x00\x00\x00\x00"


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A server's socket and its client's; no test waits for more than ten seconds."""
    server, client = socket.socketpair()
    with server, client:
        server.settimeout(10)
        client.settimeout(10)
        yield server, client


def read(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, or fewer at the end of the stream."""
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


def read_to_end(server: socket.socket, client: socket.socket) -> bytes:
    """All that the server has written, and will ever have."""
    server.close()
    return read(client, 1 << 20)


def accepted(pair: Pair, handshake: bytes, *, message_max_bytes: int = 65536) -> Pair:
    server, client = pair
    client.sendall(handshake)
    shake_hands(server, message_max_bytes=message_max_bytes)
    read(client, len(RFC6455_RESPONSE if handshake is RFC6455 else HIXIE76_HEAD + TOKEN))
    return server, client


def test_importing_the_package_imports_none_of_what_its_functions_need() -> None:
    # What __main__ patches must not have been imported before it.
    script = "import sys; old = set(sys.modules); import roomcast; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    modules = set(done.stdout.split())

    assert "roomcast" in modules
    assert not modules & {"gevent", "h11", "socket", "threading", "roomcast.blocking", "roomcast.protocol"}


def test_package_exports_what_it_says() -> None:
    assert all(hasattr(roomcast, name) for name in roomcast.__all__)
    assert roomcast.get_frame is blocking.get_frame
    assert roomcast.HandshakeFault is blocking.HandshakeFault
    assert not hasattr(roomcast, "get_frames")


def test_rfc6455_handshake_is_accepted(pair: Pair) -> None:
    server, client = pair
    client.sendall(RFC6455)

    request = shake_hands(server)

    assert (request.host, request.path, request.origin) == ("relay.example", "/rooms/lobby?a=b", None)
    assert (request.key1, request.key2, request.token) == ("dGhlIHNhbXBsZSBub25jZQ==", "", b"")
    assert read_to_end(server, client) == RFC6455_RESPONSE


def test_hixie76_handshake_is_accepted(pair: Pair) -> None:
    server, client = pair
    client.sendall(HIXIE76 + KEY3)

    request = shake_hands(server)

    assert (request.host, request.path, request.origin) == ("example.com", "/demo?a=b", "http://example.com")
    assert (request.key1, request.key2) == (KEY1, KEY2)
    assert request.token == KEY3
    assert read_to_end(server, client) == HIXIE76_HEAD + TOKEN


@HANDSHAKES
def test_handshake_may_come_byte_by_byte(pair: Pair, handshake: bytes) -> None:
    server, client = pair
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(shake_hands, server)
        for byte in handshake:
            client.send(bytes((byte,)))

        assert request.result().host in ("relay.example", "example.com")


@HANDSHAKES
def test_request_can_be_looked_at_before_it_is_accepted(pair: Pair, handshake: bytes) -> None:
    server, client = pair
    client.sendall(handshake)

    request = get_request(server)
    response = create_response(request)
    put_response(server, request)

    assert read_to_end(server, client) == response
    assert create_token(request) in response


def test_head_of_a_request_does_not_show_in_its_representation(pair: Pair) -> None:
    server, client = pair
    client.sendall(HIXIE76.replace(b"Origin", b"Cookie: secret\r\nOrigin") + KEY3)

    assert "secret" not in repr(get_request(server))


def test_get_request_does_not_wait_long_for_the_eight_bytes(pair: Pair) -> None:
    server, client = pair
    client.sendall(HIXIE76 + KEY3[:7])

    request = get_request(server)

    assert request.token == b""
    assert server.gettimeout() == 10
    with pytest.raises(ValueError, match="key3 is 0 bytes, not 8"):
        create_response(request)
    with pytest.raises(ValueError, match="key3 is 0 bytes, not 8"):
        create_token(request)


def test_head_is_sent_to_whoever_holds_the_eight_bytes_until_it_comes(pair: Pair) -> None:
    server, client = pair
    client.sendall(HIXIE76)
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(shake_hands, server)
        head = read(client, len(HIXIE76_HEAD))
        client.sendall(KEY3[:3])
        client.sendall(KEY3[3:] + b"\x00glued\xff")

        assert head == HIXIE76_HEAD
        assert read(client, 16) == TOKEN
        assert request.result().token == KEY3
        assert get_frame(server) == b"glued"


@pytest.mark.parametrize(
    ("handshake", "frames"),
    [(RFC6455, b"\x81\x83" + MASK + b"one\x81\x83" + MASK + b"two"), (HIXIE76 + KEY3, b"\x00one\xff\x00two\xff")],
    ids=["rfc6455", "hixie76"],
)
def test_bytes_read_beyond_the_handshake_come_first(pair: Pair, handshake: bytes, frames: bytes) -> None:
    server, client = pair
    client.sendall(handshake + frames)
    client.shutdown(socket.SHUT_WR)

    shake_hands(server)

    assert [get_frame(server), get_frame(server), get_frame(server)] == [b"one", b"two", b""]


REFUSED = {
    "other method": (b"POST" + RFC6455[3:], 405, HandshakeFault.INVALID_GET_REQUEST),
    "other version": (RFC6455.replace(b"HTTP/1.1", b"HTTP/1.0"), 400, HandshakeFault.INVALID_GET_REQUEST),
    "folded line": (RFC6455.replace(b"Upgrade:", b" Upgrade:"), 400, HandshakeFault.INVALID_HEADER_LINE),
    "head too long": (b"GET /" + b"a" * 16384, 431, HandshakeFault.INVALID_HEADER_LINE),
    "plain GET": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426, HandshakeFault.MISSING_HEADER_KEYS),
    "no origin": (HIXIE76.replace(b"Origin", b"X-Origin"), 400, HandshakeFault.MISSING_HEADER_KEYS),
    "bad first key": (HIXIE76.replace(b"[  8\r", b"[  9\r"), 400, HandshakeFault.BAD_FIRST_SECURITY_KEY),
    "bad second key": (HIXIE76.replace(b"` 0\r", b"` 1\r"), 400, HandshakeFault.BAD_SECOND_SECURITY_KEY),
    "bad key": (RFC6455.replace(b"dGhl", b"dGh"), 400, HandshakeFault.BAD_FIRST_SECURITY_KEY),
}


@pytest.mark.parametrize(("handshake", "status", "fault"), REFUSED.values(), ids=REFUSED)
def test_handshake_that_fails_has_a_kind_and_no_answer(
    pair: Pair, handshake: bytes, status: int, fault: HandshakeFault
) -> None:
    server, client = pair
    client.sendall(handshake)

    with pytest.raises(HandshakeError) as caught:
        shake_hands(server)

    assert (caught.value.status, caught.value.fault) == (status, fault)
    assert read_to_end(server, client) == b""


@pytest.mark.parametrize("start", [b"", RFC6455[:-1], HIXIE76, HIXIE76 + KEY3[:7]])
def test_stream_that_ends_in_the_handshake_is_an_io_error(pair: Pair, start: bytes) -> None:
    server, client = pair
    client.sendall(start)
    client.shutdown(socket.SHUT_WR)

    with pytest.raises(HandshakeError, match="I/O error: the stream ended in the handshake") as caught:
        shake_hands(server)

    assert caught.value.fault is HandshakeFault.IO_ERROR


def test_stream_that_ends_before_the_late_eight_bytes_is_an_io_error(pair: Pair) -> None:
    server, client = pair
    client.sendall(HIXIE76)
    request = get_request(server)
    client.shutdown(socket.SHUT_WR)

    with pytest.raises(HandshakeError, match="the stream ended in the handshake") as caught:
        put_response(server, request)

    assert caught.value.fault is HandshakeFault.IO_ERROR
    assert read_to_end(server, client) == HIXIE76_HEAD


def test_socket_that_fails_in_the_handshake_is_an_io_error(pair: Pair) -> None:
    server, client = pair
    client.sendall(RFC6455)
    request = get_request(server)
    client.close()

    with pytest.raises(HandshakeError) as caught:
        put_response(server, request)

    assert caught.value.fault is HandshakeFault.IO_ERROR
    assert isinstance(caught.value.__cause__, OSError)


def test_socket_that_times_out_in_the_handshake_is_an_io_error(pair: Pair) -> None:
    server, client = pair
    client.sendall(RFC6455[:-1])
    server.settimeout(0.01)

    with pytest.raises(HandshakeError) as caught:
        shake_hands(server)

    assert (caught.value.status, caught.value.fault) == (408, HandshakeFault.IO_ERROR)


def test_nothing_but_the_handshake_may_come_first(pair: Pair) -> None:
    server, client = pair
    with pytest.raises(ValueError, match="no handshake was made"):
        put_frame(server, b"hello")
    with pytest.raises(ValueError, match="no handshake was made"):
        get_frame(server)

    client.sendall(RFC6455)
    request = get_request(server)

    with pytest.raises(ValueError, match="no handshake was made"):
        put_frame(server, b"hello")
    with pytest.raises(ValueError, match="no request was read from this socket"):
        put_response(client, request)


def test_request_is_answered_once(pair: Pair) -> None:
    server, client = pair
    client.sendall(RFC6455)
    request = get_request(server)
    put_response(server, request)

    with pytest.raises(ValueError, match="answered already"):
        put_response(server, request)


@pytest.mark.parametrize(
    ("handshake", "frame"),
    [(RFC6455, b"\x81\x0bWell, hello"), (HIXIE76 + KEY3, b"\x00Well, hello\xff")],
    ids=["rfc6455", "hixie76"],
)
def test_put_frame_sends_a_text(pair: Pair, handshake: bytes, frame: bytes) -> None:
    server, client = accepted(pair, handshake)

    put_frame(server, b"Well, hello")

    assert read_to_end(server, client) == frame


@HANDSHAKES
def test_data_that_is_not_utf8_is_not_sent(pair: Pair, handshake: bytes) -> None:
    server, client = accepted(pair, handshake)

    with pytest.raises(ValueError, match="can't decode byte 0xff in position 2"):
        put_frame(server, b"ab\xff")

    assert read_to_end(server, client) == b""


EMPTY_THEN_ONE = [(RFC6455, b"\x81\x80" + MASK + b"\x81\x83" + MASK + b"one"), (HIXIE76 + KEY3, b"\x00\xff\x00one\xff")]


@pytest.mark.parametrize(("handshake", "frames"), EMPTY_THEN_ONE, ids=["rfc6455", "hixie76"])
def test_get_frame_skips_empty_messages_and_is_empty_at_the_end(pair: Pair, handshake: bytes, frames: bytes) -> None:
    server, client = accepted(pair, handshake)
    client.sendall(frames)
    client.shutdown(socket.SHUT_WR)

    assert [get_frame(server), get_frame(server), get_frame(server)] == [b"one", b"", b""]


@pytest.mark.parametrize(("handshake", "frames"), EMPTY_THEN_ONE, ids=["rfc6455", "hixie76"])
def test_get_message_tells_an_empty_message_from_the_end(pair: Pair, handshake: bytes, frames: bytes) -> None:
    server, client = accepted(pair, handshake)
    client.sendall(frames)
    client.shutdown(socket.SHUT_WR)

    assert [get_message(server) for _ in range(4)] == [b"", b"one", None, None]


def test_message_may_come_in_fragments_with_a_ping_between_them(pair: Pair) -> None:
    server, client = accepted(pair, RFC6455)
    client.sendall(b"\x01\x82" + MASK + b"on\x89\x84" + MASK + b"ping\x8a\x80" + MASK + b"\x80\x81" + MASK + b"e")

    assert get_frame(server) == b"one"
    assert read_to_end(server, client) == b"\x8a\x04ping"


GOODBYES = {
    "rfc6455 with a code": (RFC6455, b"\x88\x85" + MASK + b"\x03\xe9bye", b"\x88\x02\x03\xe9"),
    "rfc6455 without a code": (RFC6455, b"\x88\x80" + MASK, b"\x88\x00"),
    "rfc6455 that breaks a rule": (RFC6455, b"\x81\x00", b"\x88\x02\x03\xea"),
    "rfc6455 with a bad text": (RFC6455, b"\x81\x81" + MASK + b"\xff", b"\x88\x02\x03\xef"),
    "rfc6455 with a binary message": (RFC6455, b"\x82\x81" + MASK + b"a", b"\x88\x02\x03\xeb"),
    "rfc6455 with a message too long": (RFC6455, b"\x81\xfe\x03\xe9", b"\x88\x02\x03\xf1"),
    "hixie76": (HIXIE76 + KEY3, b"\xff\x00", b"\xff\x00"),
    "hixie76 with a message too long": (HIXIE76 + KEY3, b"\x00" + b"a" * 1001, b"\xff\x00"),
}


@pytest.mark.parametrize(("handshake", "last", "answer"), GOODBYES.values(), ids=GOODBYES)
def test_goodbye_is_answered_and_is_the_end_of_the_stream(
    pair: Pair, handshake: bytes, last: bytes, answer: bytes
) -> None:
    server, client = accepted(pair, handshake, message_max_bytes=1000)
    client.sendall(last)

    assert get_message(server) is None
    assert get_frame(server) == b""
    with pytest.raises(BrokenPipeError, match="closing handshake"):
        put_frame(server, b"too late")
    assert read_to_end(server, client) == answer


@HANDSHAKES
def test_message_as_long_as_the_limit_is_taken(pair: Pair, handshake: bytes) -> None:
    server, client = accepted(pair, handshake, message_max_bytes=3)
    client.sendall(b"\x81\x83" + MASK + b"one" if handshake is RFC6455 else b"\x00one\xff")

    assert get_frame(server) == b"one"


def test_limit_is_that_of_a_room_unless_said_otherwise(pair: Pair) -> None:
    server, client = pair
    client.sendall(RFC6455 + b"\x81\xff" + (65537).to_bytes(8, "big") + MASK)

    shake_hands(server)

    assert get_message(server) is None
    assert read_to_end(server, client) == RFC6455_RESPONSE + b"\x88\x02\x03\xf1"


def test_answers_to_messages_go_out_before_the_answer_to_a_goodbye_behind_them(pair: Pair) -> None:
    server, client = accepted(pair, RFC6455)
    client.sendall(b"\x81\x83" + MASK + b"one\x88\x80" + MASK)

    while frame := get_frame(server):
        put_frame(server, frame)

    assert read_to_end(server, client) == b"\x81\x03one\x88\x00"


def test_goodbye_of_a_peer_that_is_gone_is_the_end_as_well(pair: Pair) -> None:
    server, client = accepted(pair, RFC6455)
    client.sendall(b"\x88\x80" + MASK)
    client.close()

    assert get_message(server) is None


def test_socket_that_fails_after_the_handshake_says_so(pair: Pair) -> None:
    server, client = accepted(pair, RFC6455)
    put_frame(server, b"never read")
    client.close()

    with pytest.raises(ConnectionResetError):
        get_frame(server)


def test_half_a_message_survives_a_timeout(pair: Pair) -> None:
    server, client = accepted(pair, RFC6455)
    client.sendall(b"\x81\x83" + MASK + b"on")
    server.settimeout(0.01)
    with pytest.raises(TimeoutError):
        get_frame(server)

    client.sendall(b"e")

    assert get_frame(server) == b"one"


def test_frames_of_several_threads_do_not_mix(pair: Pair) -> None:
    server, client = accepted(pair, HIXIE76 + KEY3)
    # Longer than what the kernel takes in one go, so that each has to wait in its middle.
    messages = [letter * 1_000_000 for letter in (b"a", b"b", b"c", b"d")]
    with ThreadPoolExecutor(len(messages)) as pool:
        done = [pool.submit(put_frame, server, message) for message in messages]
        frames = [read(client, 1_000_002) for _ in done]

    assert sorted(frames) == [b"\x00" + message + b"\xff" for message in messages]


def test_nothing_is_kept_when_the_socket_is_gone() -> None:
    server, client = socket.socketpair()
    with server, client:
        client.sendall(RFC6455)
        shake_hands(server)
    gone = weakref.ref(server)

    del server
    gc.collect()

    assert gone() is None


def anonymous(protocol: int) -> ssl.SSLContext:
    """TLS without certificates, which a socket pair in one process does not need."""
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return context


def test_tls_socket_is_answered_with_wss(pair: Pair) -> None:
    server, client = pair
    with ThreadPoolExecutor(1) as pool:
        wrapping = pool.submit(anonymous(ssl.PROTOCOL_TLS_SERVER).wrap_socket, server, server_side=True)
        with (
            anonymous(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(client) as secure_client,
            wrapping.result() as secure_server,
        ):
            # In one record, so that the eight bytes are decrypted with the head.
            secure_client.sendall(HIXIE76 + KEY3)

            request = shake_hands(secure_server)

            assert request.is_secure
            assert request.token == KEY3
            assert b"\r\nSec-WebSocket-Location: wss://example.com/demo?a=b\r\n" in secure_client.recv(4096)


def test_two_threads_may_read_and_write(pair: Pair) -> None:
    server, client = accepted(pair, RFC6455)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(get_frame(server)))
    reader.start()

    put_frame(server, b"from another thread")
    assert read(client, 21) == b"\x81\x13from another thread"
    client.sendall(b"\x81\x83" + MASK + b"one")
    reader.join()

    assert received == [b"one"]
