"""Members that agreed to compression: what they send, what they are sent, and what they cannot do to the others."""

from __future__ import annotations

import zlib

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from roomcast.protocol.deflate import Agreement
from roomcast.protocol.handshake import Dialect
from roomcast.protocol.rfc6455 import INFLATED_PER_TURN_BYTES
from roomcast.relay.reasons import Reason
from roomcast.transport.websocket import WebSocketMember
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import LARGE, LOBBY, SMALL_BUFFER, ended, number_of, numbered, rooms
from tests.wire import BINARY, CLOSE, HANG_S, TEXT, Client, Frame, Rfc6455Client, frame, rfc6455_head

PATIENT = "[limits]\nclose_timeout_s = 300\n"
ON = "[deflate]\nenabled = true\n"
OFFER = "permessage-deflate; client_max_window_bits"
ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
WORDY = "It was the best of times, it was the worst of times, " * 20


def compressed(opcode: int, payload: bytes, *, level: int = 6) -> bytes:
    """A client's frame with a whole message, compressed."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    data = (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]
    plain = frame(opcode, data)
    return bytes([plain[0] | 0x40]) + plain[1:]


class DeflateClient(Rfc6455Client):
    """A member that agreed to compression, and inflates in a window that is no larger than was agreed."""

    def __init__(self, relay: Relay, window_bits: int = 0, path: str = LOBBY, *, receive_buffer_bytes: int = 0) -> None:
        super().__init__(relay.connect(receive_buffer_bytes=receive_buffer_bytes))
        self.window_bits = window_bits or 15
        self.compressed = 0
        named = f"; server_max_window_bits={window_bits}" if window_bits else ""
        self.wire.send(rfc6455_head(path, f"Sec-WebSocket-Extensions: {OFFER}{named}"))
        head = self.wire.read_until(b"\r\n\r\n").decode()
        assert f"\r\nSec-WebSocket-Extensions: {ANSWER}{named}\r\n" in head

    def say(self, text: str) -> None:
        self.wire.send(compressed(TEXT, text.encode()))

    def read_frame(self) -> Frame:
        first = self.wire.read(1)[0]
        is_compressed = first & 0x40 != 0
        # All that is left of the frame is what it would be without compression.
        self.wire.unread(bytes([first & ~0x40]))
        opcode, payload = super().read_frame()
        if not is_compressed:
            return Frame(opcode, payload)
        assert opcode in (TEXT, BINARY)
        self.compressed += 1
        return Frame(opcode, self._inflate(payload + b"\x00\x00\xff\xff"))

    def _inflate(self, data: bytes) -> bytes:
        # In small steps: what one step gives may refer to all of itself, whatever the window.
        stream = zlib.decompressobj(-self.window_bits)
        message = b""
        while piece := stream.decompress(data, 64):
            message += piece
            data = stream.unconsumed_tail
        return message


# --- agreeing


def test_without_the_setting_nothing_is_agreed_on(serve: Serve) -> None:
    relay = serve()
    wire = relay.connect()
    wire.send(rfc6455_head(LOBBY, f"Sec-WebSocket-Extensions: {OFFER}"))

    assert b"Sec-WebSocket-Extensions" not in wire.read_until(b"\r\n\r\n")
    wire.send(compressed(TEXT, b"hello"))
    assert Rfc6455Client(wire).read_goodbye() == (1002, "protocol")


@pytest.mark.parametrize("toml", ["", ON])
def test_offers_that_nobody_can_read_are_400_with_the_setting_and_without(serve: Serve, toml: str) -> None:
    answer = serve(toml).ask(rfc6455_head(LOBBY, "Sec-WebSocket-Extensions: permessage-deflate; ="))

    assert answer.status == 400
    assert answer.body == b"Sec-WebSocket-Extensions is not a list of names with parameters\n"


def test_an_offer_that_cannot_be_kept_is_declined_and_the_member_let_in(serve: Serve) -> None:
    relay = serve(ON)
    ada = relay.join(LOBBY, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8")
    bob = DeflateClient(relay)

    bob.say(WORDY)

    assert ada.hear() == WORDY


@OVER_TLS_TOO
@pytest.mark.parametrize("window_bits", range(9, 16))
def test_every_window_that_a_client_asks_for_is_kept(serve: Serve, window_bits: int) -> None:
    relay = serve(ON + rooms(echo=True))
    ada = DeflateClient(relay, window_bits)
    long = "".join(f"{number * number}, " for number in range(6000))

    for text in (WORDY, long, WORDY, "short"):
        ada.say(text)
        assert ada.hear() == text
    assert ada.compressed == 3


def test_greeting_is_not_compressed_for_each_newcomer(serve: Serve) -> None:
    relay = serve(ON + rooms(greeting=WORDY))
    ada = DeflateClient(relay)

    assert ada.hear() == WORDY
    assert ada.compressed == 0
    assert relay.counters.frames_sent["rfc6455"][TEXT] == 1


# --- a room of all kinds


def test_all_kinds_of_members_hear_the_same(serve: Serve) -> None:
    relay = serve(ON + rooms())
    plain, old = relay.join(), relay.join_hixie76()
    wide, wide_too, narrow = DeflateClient(relay), DeflateClient(relay, 15), DeflateClient(relay, 9)
    everybody: list[Client] = [plain, old, wide, wide_too, narrow]

    for speaker in everybody:
        for text in (f"{WORDY}{id(speaker)}", "short: €"):
            speaker.say(text)
            heard = {member.hear() for member in everybody if member is not speaker}
            assert heard == {text}

    assert (wide.compressed, wide_too.compressed, narrow.compressed) == (4, 4, 4)
    # Once for each window, not for each member.
    assert relay.counters.deflated_messages == 10
    assert relay.metric("roomcast_deflated_messages_total") == 10
    assert relay.metric("roomcast_deflate_input_bytes_total") > 5 * relay.metric("roomcast_deflate_output_bytes_total")


def test_binary_messages_are_compressed_too_and_noise_is_not(serve: Serve) -> None:
    relay = serve(ON + rooms())
    ada, bob = relay.join(), DeflateClient(relay)

    for payload in (bytes(1000), bytes(range(256))):
        ada.wire.send(frame(BINARY, payload))
        assert bob.read_frame() == (BINARY, payload)

    assert bob.compressed == 1


def test_reader_that_stalls_inside_of_a_compressed_frame_catches_up(serve: Serve) -> None:
    relay = serve(ON + rooms(lag_max_bytes=16_777_216))
    ada, bob = relay.join(), DeflateClient(relay)
    stalled = DeflateClient(relay, receive_buffer_bytes=SMALL_BUFFER)
    # Digits in an order of their own, so that compressing leaves enough to stall somebody.
    noise = "".join(str(number * number * 7919 % 1_000_003) for number in range(LARGE // 5))
    sent = 0
    while not relay.template().laggards:
        assert sent < 2000, "the kernel takes everything"
        ada.say(numbered(sent)[:8] + noise[: LARGE - 8])
        assert bob.hear()[:8] == f"{sent:08}"
        sent += 1

    assert [number_of(stalled.hear().ljust(LARGE)) for _ in range(sent)] == list(range(sent))
    relay.until(lambda: relay.server.hub.templates["rooms"].laggards == 0)
    ada.say("now")
    assert stalled.hear() == bob.hear() == "now"


# --- what compression could do to the relay


def test_bomb_is_too_big_and_nobody_hears_of_it(serve: Serve) -> None:
    relay = serve(ON + rooms())
    ada, bob = relay.join(), DeflateClient(relay)

    bob.say("before")
    bob.wire.send(compressed(BINARY, bytes(16 << 20), level=9))

    assert ada.hear() == "before"
    assert bob.read_goodbye() == (1009, "too_big")
    ended(relay, "too_big")
    assert relay.metric('roomcast_limit_hits_total{action="closed",limit="message_max_bytes"}') == 1


def test_data_that_is_not_deflate_ends_the_member(serve: Serve) -> None:
    relay = serve(ON)
    bob = DeflateClient(relay)

    bob.wire.send(b"\xc1" + frame(TEXT, b"\x07")[1:])

    assert bob.read_goodbye() == (1002, "protocol")
    ended(relay, "protocol")


@OVER_TLS_TOO
def test_message_that_inflates_to_nothing_counts_as_what_it_came_in(serve: Serve) -> None:
    relay = serve(ON + rooms(bytes_per_s=32_768, message_max_bytes=65_536))
    eve = DeflateClient(relay)
    hollow = frame(BINARY, b"\x00\x00\x00\xff\xff" * 8000 + b"\x00")

    # A burst of twice the rate passes: one of them.
    eve.wire.send((bytes([hollow[0] | 0x40]) + hollow[1:]) * 2)

    assert eve.read_goodbye() == (1008, "rate limit=bytes_per_s")
    assert relay.template().received_binary == 1


def test_segment_of_small_bombs_is_inflated_in_several_turns_and_all_of_it_heard(serve: Serve) -> None:
    relay = serve(ON + rooms(echo=True, message_max_bytes=0, lag_max_bytes=67_108_864, pending_max_bytes=67_108_864))
    bob = DeflateClient(relay)
    bombs = 8
    sizes = [INFLATED_PER_TURN_BYTES + number for number in range(bombs)]

    bob.wire.send(b"".join(compressed(BINARY, bytes(size), level=9) for size in sizes))
    bob.wire.send(frame(TEXT, b"and behind them"))

    assert [len(bob.read_frame().payload) for _ in range(bombs)] == sizes
    assert bob.hear() == "and behind them"


def test_segment_of_small_bombs_is_not_read_on_while_the_room_owes_too_much(serve: Serve) -> None:
    pending_max_bytes = INFLATED_PER_TURN_BYTES // 2
    relay = serve(ON + rooms(echo=True, message_max_bytes=65_536, pending_max_bytes=pending_max_bytes, gather_max_s=0))
    bob = DeflateClient(relay)
    room = relay.server.hub.rooms[LOBBY]
    highest = [0]

    def look() -> bool:
        highest[0] = max(highest[0], room.pending_bytes)
        return relay.server.hub.templates["rooms"].publishers_paused == 1

    with relay.noticing(look):
        bob.wire.send(compressed(BINARY, bytes(65_536), level=9) * 60)
        assert [len(bob.read_frame().payload) for _ in range(60)] == [65_536] * 60

    assert highest[0] < pending_max_bytes + INFLATED_PER_TURN_BYTES + 2 * 65_536


def test_goodbye_behind_small_bombs_is_heard(serve: Serve) -> None:
    relay = serve(ON + rooms(message_max_bytes=0, lag_max_bytes=67_108_864, pending_max_bytes=67_108_864))
    ada, bob = relay.join(), DeflateClient(relay)

    bob.wire.send(compressed(BINARY, bytes(INFLATED_PER_TURN_BYTES), level=9) * 3 + frame(CLOSE, b"\x0f\xa0"))

    assert [len(ada.read_frame().payload) for _ in range(3)] == [INFLATED_PER_TURN_BYTES] * 3
    assert bob.read_goodbye() == (4000, "peer")
    assert bob.wire.read_to_end() == b""


def test_goodbye_behind_small_bombs_is_heard_by_one_who_has_said_goodbye_meanwhile(serve: Serve) -> None:
    # Who does not hear it waits for five minutes.
    relay = serve(ON + rooms(message_max_bytes=0, lag_max_bytes=67_108_864, pending_max_bytes=67_108_864) + PATIENT)
    bob = DeflateClient(relay)
    [member] = relay.server.hub.rooms[LOBBY]._cohorts[relay.server._entry._formats.find(Dialect.RFC6455, Agreement())]
    assert isinstance(member, WebSocketMember)

    def dismiss_it_as_soon_as_something_waits() -> bool:
        if member._early is not None:
            member.dismiss(Reason.RESTART)
        return not member.is_in_room

    with relay.noticing(dismiss_it_as_soon_as_something_waits):
        bob.wire.send(compressed(BINARY, bytes(INFLATED_PER_TURN_BYTES), level=9) * 3 + frame(CLOSE, b"\x0f\xa0"))
        assert bob.read_goodbye() == (1012, "restart")
        assert bob.wire.read_to_end() == b""


def test_who_sends_too_much_is_not_inflated_any_further(serve: Serve) -> None:
    relay = serve(ON + '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\n')
    ada, bob = relay.join(), DeflateClient(relay)

    bob.wire.send(compressed(BINARY, bytes(65_536), level=9) * 100)

    assert bob.read_goodbye() == (1008, "rate limit=bytes_per_s")
    assert [len(ada.read_frame().payload) for _ in range(8)] == [65_536] * 8
    ended(relay, "rate")
    # The one that was too much, and what came out of its turn.
    assert relay.template().dropped[Reason.RATE] <= INFLATED_PER_TURN_BYTES // 65_536


def test_rest_of_a_segment_of_small_bombs_is_read_a_moment_after_one_was_dropped(serve: Serve) -> None:
    relay = serve(ON + rooms(messages_per_s=1, over_rate="drop"))
    bob = DeflateClient(relay)

    bob.wire.send(compressed(BINARY, bytes(65_536), level=9) * 60 + frame(CLOSE, b"\x0f\xa0"))

    assert bob.read_goodbye() == (4000, "peer")
    assert relay.template().dropped[Reason.RATE] >= 50


# --- outside witnesses


@pytest.mark.parametrize("window_bits", [None, *range(9, 16)])
def test_websockets_compresses_and_inflates(serve: Serve, window_bits: int | None) -> None:
    relay = serve(ON + rooms(echo=True))
    assert isinstance(relay.address, tuple)
    url = f"ws://{relay.address[0]}:{relay.address[1]}{LOBBY}"
    extensions = [ClientPerMessageDeflateFactory(server_max_window_bits=window_bits, client_max_window_bits=True)]

    with connect(url, compression=None, extensions=extensions, open_timeout=HANG_S, proxy=None) as client:
        for message in (WORDY, WORDY.encode(), "", "€", WORDY):
            client.send(message)
            assert client.recv(HANG_S) == message
        client.send([WORDY, "in", " fragments"])
        assert client.recv(HANG_S) == WORDY + "in fragments"
        assert "permessage-deflate" in str(client.response and client.response.headers["Sec-WebSocket-Extensions"])

    assert relay.counters.deflated_messages == 4


@pytest.mark.parametrize("window_bits", [None, 9, 15])
def test_wsproto_compresses_and_inflates(serve: Serve, window_bits: int | None) -> None:
    relay = serve(ON + rooms(echo=True))
    wire = relay.connect()
    protocol = WSConnection(ConnectionType.CLIENT)
    deflate = PerMessageDeflate(server_max_window_bits=window_bits)

    def said(event: Event, until: type[Event]) -> list[Event]:
        wire.send(protocol.send(event))
        events: list[Event] = []
        while not events or not isinstance(events[-1], until) or not getattr(events[-1], "message_finished", True):
            protocol.receive_data(wire.socket.recv(65_536) or None)
            events += protocol.events()
        return events

    [accepted] = said(Request(host="relay.example", target=LOBBY, extensions=[deflate]), AcceptConnection)
    assert isinstance(accepted, AcceptConnection)
    assert accepted.extensions == [deflate]
    for text in (WORDY, "€", WORDY):
        heard = [event.data for event in said(TextMessage(data=text), TextMessage) if isinstance(event, TextMessage)]
        assert "".join(heard) == text
