"""TLS on one connection: what a peer hears and is heard of, whatever it does."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from roomcast.transport.tls import RECORD_BYTES, TlsError, TlsServer
from tests.certificates import trusting
from tests.transport.key_changes import ANSWER_WANTED, KeyChanges, logging_client
from tests.transport.tls_ends import READ_BYTES, Ends, server_with
from tests.wire import HANG_S

LARGE = bytes(range(256)) * 16_384
"""More than any kernel takes of a connection that nobody reads."""

Connect = Callable[..., Ends]


@pytest.fixture
def server(tmp_path: Path) -> TlsServer:
    return server_with(tmp_path)


@pytest.fixture
def meet(server: TlsServer) -> Iterator[Connect]:
    """Connect, with Ends' own arguments; nobody has said anything yet."""
    opened: list[Ends] = []

    def open_ends(client: ssl.SSLContext | None = None, **options: int) -> Ends:
        opened.append(Ends(server, client, **options))
        return opened[-1]

    yield open_ends
    for ends in opened:
        ends.close()


@pytest.fixture
def connect(meet: Connect) -> Connect:
    """Likewise, with the handshake done."""

    def open_ends(client: ssl.SSLContext | None = None, **options: int) -> Ends:
        ends = meet(client, **options)
        ends.shake_hands()
        return ends

    return open_ends


def only(version: ssl.TLSVersion) -> ssl.SSLContext:
    client = trusting()
    client.minimum_version = client.maximum_version = version
    return client


# --- the handshake


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_carry_data_both_ways(connect: Connect, version: ssl.TLSVersion) -> None:
    ends = connect(only(version))

    ends.peer.send(b"hello")
    assert ends.receive() == b"hello"
    assert ends.ours.send(b"hello yourself") == 14
    assert ends.hear() == b"hello yourself"


def test_client_older_than_tls_1_2_is_told_which_versions_there_are(meet: Connect) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client = only(ssl.TLSVersion.TLSv1_1)
    # Its own library holds it for unsafe, too.
    client.set_ciphers("ALL:@SECLEVEL=0")
    ends = meet(client)

    with pytest.raises(TlsError, match="unsupported protocol"):
        ends.step()
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        ends.peer.do_handshake()


def test_client_that_does_not_trust_us_says_so(meet: Connect) -> None:
    ends = meet(ssl.create_default_context())
    ends.step()

    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        ends.peer.do_handshake()
    with pytest.raises(TlsError, match="unknown ca"):
        ends.answer()


def test_what_is_no_tls_behind_its_first_byte_is_none(meet: Connect) -> None:
    ends = meet()

    with pytest.raises(TlsError):
        ends.ours.shake_hands(b"\x16" + b"GET / HTTP/1.1\r\n" * 10)


@pytest.mark.parametrize(("offered", "agreed"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)])
def test_http_1_1_is_agreed_on_where_it_is_offered(meet: Connect, offered: list[str], agreed: str | None) -> None:
    client = trusting()
    if offered:
        client.set_alpn_protocols(offered)
    ends = meet(client)

    ends.shake_hands()

    assert ends.peer.selected_alpn_protocol() == agreed


def test_data_behind_the_handshake_is_not_lost(meet: Connect) -> None:
    ends = meet(only(ssl.TLSVersion.TLSv1_3))
    ends.step()
    ends.peer.do_handshake()
    ends.peer.send(b"at once")

    ends.step()

    assert ends.early == b"at once"


def test_handshakes_that_take_turns_do_not_get_into_each_other(meet: Connect) -> None:
    first, second, third = meet(), meet(), meet()
    for ends in (first, second, third):
        ends.step()
    with pytest.raises(TlsError):
        second.ours.shake_hands(b"\x17\x03\x03\x00\x01\x00" * 10)
    third.shake_hands()
    first.shake_hands()

    first.peer.send(b"one")
    third.peer.send(b"three")

    assert (third.receive(), first.receive()) == (b"three", b"one")


# --- what is heard of a peer


def test_largest_record_is_read_whole(connect: Connect) -> None:
    ends = connect()
    ends.peer.send(LARGE[:RECORD_BYTES])

    heard = ends.receive()
    while len(heard) < RECORD_BYTES:
        heard += ends.receive()

    assert heard == LARGE[:RECORD_BYTES]


def test_record_that_arrives_byte_by_byte_is_no_data_before_its_end(connect: Connect, tmp_path: Path) -> None:
    ends = connect(logging_client(tmp_path / "secrets"))
    record = changes(ends, tmp_path).data(b"hello")
    for byte in record[:-1]:
        ends.send_raw(bytes([byte]))
        assert ends.is_readable(1)
        with pytest.raises(BlockingIOError):
            ends.ours.recv(READ_BYTES)

    ends.send_raw(record[-1:])

    assert ends.receive() == b"hello"


def test_many_records_are_read_at_once(connect: Connect, tmp_path: Path) -> None:
    ends = connect(logging_client(tmp_path / "secrets"))
    keys = changes(ends, tmp_path)
    ends.send_raw(b"".join(keys.data(b"word ") for _ in range(100)))

    assert ends.receive() == b"word " * 100


def test_nothing_to_read_is_no_end(connect: Connect) -> None:
    ends = connect()

    with pytest.raises(BlockingIOError):
        ends.ours.recv(READ_BYTES)


def test_end_that_is_announced_comes_behind_the_data_before_it(connect: Connect) -> None:
    ends = connect()
    ends.peer.send(b"last words")
    with suppress(ssl.SSLWantReadError):
        ends.peer.unwrap()

    assert ends.receive() == b"last words"
    # TCP has not ended, and still the loop calls.
    assert ends.receive() == b""
    assert ends.receive() == b""


def test_end_that_is_not_announced_is_one_as_well(connect: Connect) -> None:
    ends = connect()
    ends.peer.close()

    assert ends.receive() == b""


def test_record_that_is_forged_ends_the_connection_behind_what_came_before(connect: Connect) -> None:
    ends = connect()
    ends.peer.send(b"good")
    ends.send_raw(b"\x17\x03\x03\x00\x20" + bytes(32))

    assert ends.receive() == b"good"
    assert ends.receive() == b""
    with pytest.raises(ssl.SSLError, match="ALERT_BAD_RECORD_MAC"):
        ends.peer.recv(100)


# --- changes of keys


def changes(ends: Ends, directory: Path) -> KeyChanges:
    cipher = ends.peer.cipher()
    assert cipher is not None
    return KeyChanges(directory / "secrets", cipher[0].rpartition("_")[2].lower())


def test_peer_may_change_its_keys_and_have_us_change_ours(connect: Connect, tmp_path: Path) -> None:
    ends = connect(logging_client(tmp_path / "secrets"))
    keys = changes(ends, tmp_path)

    ends.send_raw(keys.change(ANSWER_WANTED) + keys.data(b"new keys"))

    assert ends.receive() == b"new keys"
    ends.ours.send(b"and ours")
    assert ends.hear() == b"and ours"


def test_peer_that_only_changes_keys_is_closed_after_one_record_s_worth_of_them(
    connect: Connect, tmp_path: Path
) -> None:
    ends = connect(logging_client(tmp_path / "secrets"))
    keys = changes(ends, tmp_path)
    flood = b"".join(keys.change() for _ in range(2000))
    ends.send_raw(flood)

    reads = 0
    while True:
        reads += 1
        try:
            end = ends.ours.recv(READ_BYTES)
        except BlockingIOError:
            continue
        break

    # Of 54,000 bytes.
    assert (end, reads) == (b"", 3)


@pytest.mark.parametrize(("changes_per_byte", "heard"), [(0, "all"), (1, "a part"), (100, "a part")])
def test_peer_may_send_single_bytes_but_not_change_its_keys_for_each_of_them(
    connect: Connect, tmp_path: Path, changes_per_byte: int, heard: str
) -> None:
    ends = connect(logging_client(tmp_path / "secrets"))
    keys = changes(ends, tmp_path)

    received = 0
    for _ in range(1500):
        ends.send_raw(b"".join(keys.change() for _ in range(changes_per_byte)) + keys.data(b"x"))
        data = ends.receive()
        if not data:
            break
        received += len(data)

    assert ("all" if received == 1500 else "a part") == heard


def test_peer_that_wants_answers_and_reads_none_is_closed(connect: Connect, tmp_path: Path) -> None:
    ends = connect(logging_client(tmp_path / "secrets"), buffer_bytes=4096)
    keys = changes(ends, tmp_path)
    ends.ours.send(LARGE)
    assert ends.ours.unsent

    # With a word each time, or it would be closed for its silence.
    while True:
        ends.send_raw(keys.change(ANSWER_WANTED) + keys.data(b"word"))
        if ends.receive() == b"":
            break
        assert len(ends.ours.unsent) < 128 * 1024


# --- what a peer hears


def test_what_is_written_in_pieces_arrives_whole(connect: Connect) -> None:
    ends = connect()
    taken, heard = 0, b""

    while taken < len(LARGE):
        with suppress(BlockingIOError):
            taken += ends.ours.send(memoryview(LARGE)[taken:])
        heard += ends.hear()
    while not ends.ours.flush():
        heard += ends.hear()

    assert heard + ends.hear() == LARGE


def test_piece_that_the_kernel_does_not_take_counts_as_taken_and_no_other_does(connect: Connect) -> None:
    ends = connect()

    taken = ends.ours.send(LARGE)

    assert 0 < len(ends.ours.unsent) <= RECORD_BYTES + 256
    assert taken % RECORD_BYTES == 0
    assert taken < len(LARGE)
    with pytest.raises(BlockingIOError):
        ends.ours.send(b"more")


def test_nothing_unsent_is_flushed_at_once(connect: Connect) -> None:
    assert connect().ours.flush()


def test_writing_to_one_who_left_is_an_error_of_the_system(connect: Connect) -> None:
    ends = connect()
    ends.peer.close()
    assert ends.receive() == b""

    # The first is answered with a reset.
    ends.ours.send(b"hello")
    assert ends.is_readable(HANG_S)
    with pytest.raises(ConnectionError):
        ends.ours.send(b"hello")


# --- the end of ours


def test_our_end_is_announced_and_what_comes_then_is_not_decrypted(connect: Connect) -> None:
    ends = connect()

    ends.ours.send(b"goodbye")
    ends.ours.shutdown(socket.SHUT_WR)

    assert ends.peer.recv(100) == b"goodbye"
    assert ends.peer.recv(100) == b""
    ends.peer.send(b"too late")
    assert b"too late" not in ends.receive()
    ends.peer.close()
    assert ends.receive() == b""


def test_closing_announces_the_end(connect: Connect) -> None:
    ends = connect()

    ends.ours.close()

    assert ends.peer.recv(100) == b""


def test_closing_announces_nothing_that_would_stand_in_the_middle_of_a_record(connect: Connect) -> None:
    ends = connect()
    ends.ours.send(LARGE)

    ends.ours.close()

    with pytest.raises(ssl.SSLEOFError):
        ends.hear()
