"""Clients that other people wrote: what they take for RFC 6455 has to be what we take for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from tests.running import Relay, Serve
from tests.transport.rooms import LOBBY, rooms
from tests.wire import HANG_S, Wire


def url(relay: Relay, path: str = LOBBY) -> str:
    assert isinstance(relay.address, tuple)
    return f"ws://{relay.address[0]}:{relay.address[1]}{path}"


@contextmanager
def witness(relay: Relay, path: str = LOBBY) -> Iterator[ClientConnection]:
    """A client of the library websockets, as it is out of the box: it offers compression, too."""
    with connect(url(relay, path), open_timeout=HANG_S, close_timeout=HANG_S, proxy=None) as client:
        yield client


def test_websockets_sends_and_hears_every_kind_of_message(serve: Serve) -> None:
    relay = serve(rooms())
    with witness(relay) as ada, witness(relay) as bob:
        old = relay.join_hixie76()
        ada.send("grüß dich")
        assert bob.recv(HANG_S) == old.hear() == "grüß dich"
        ada.send(b"\x00\xff" * 30_000)
        assert bob.recv(HANG_S) == b"\x00\xff" * 30_000
        ada.send(["in ", "three ", "fragments"])
        assert bob.recv(HANG_S) == old.hear() == "in three fragments"
        old.say("from 2010")
        assert ada.recv(HANG_S) == bob.recv(HANG_S) == "from 2010"
        assert ada.ping(b"there?").wait(HANG_S)


def test_websockets_is_content_with_our_answer_to_its_goodbye(serve: Serve) -> None:
    relay = serve()
    with witness(relay) as client:
        client.close(3001, "enough")

        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(HANG_S)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (3001, "peer")


def test_websockets_understands_why_it_was_closed(serve: Serve) -> None:
    relay = serve(rooms(message_max_bytes=10))
    with witness(relay) as client:
        client.send("x" * 11)

        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(HANG_S)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1009, "too_big")


def test_websockets_understands_a_restart(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 20")
    with witness(relay) as client:
        relay.ask_to_stop()

        with pytest.raises((ConnectionClosedError, ConnectionClosedOK)) as closed:
            client.recv(HANG_S)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    relay.wait_for_end()


def test_websockets_understands_a_refusal(serve: Serve) -> None:
    relay = serve()

    with (
        pytest.raises(InvalidStatus) as refused,
        connect(url(relay), origin=Origin("https://evil.example"), proxy=None),
    ):
        pass

    assert refused.value.response.status_code == 403
    assert b"https://evil.example" in (refused.value.response.body or b"")


class WsprotoClient:
    """A client of the library wsproto, which has no input and output of its own."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    def send(self, event: Event) -> None:
        self.wire.send(self._protocol.send(event))

    def receive(self) -> Event:
        while not self._events:
            self._protocol.receive_data(self.wire.socket.recv(65_536) or None)
            self._events = list(self._protocol.events())
        return self._events.pop(0)


def test_wsproto_agrees_from_its_request_to_its_goodbye(serve: Serve) -> None:
    relay = serve()
    client, ada = WsprotoClient(relay.connect()), relay.join()

    client.send(Request(host="relay.example", target=LOBBY, subprotocols=["chat"]))
    accepted = client.receive()
    assert isinstance(accepted, AcceptConnection)
    assert accepted.subprotocol == "chat"
    client.send(TextMessage(data="in "))
    assert ada.hear() == "in "
    ada.say("héllo")
    assert client.receive() == TextMessage(data="héllo")
    ada.wire.send(b"\x82\x82\0\0\0\0\x00\xff")
    assert client.receive() == BytesMessage(data=bytearray(b"\x00\xff"))
    client.send(Ping(payload=b"there?"))
    assert client.receive() == Pong(payload=b"there?")
    client.send(CloseConnection(code=1001, reason="bye"))
    assert client.receive() == CloseConnection(code=1001, reason="peer")


def test_wsproto_understands_a_refusal(serve: Serve) -> None:
    client = WsprotoClient(serve().connect())

    client.send(Request(host="relay.example", target="/nothing"))

    refused = client.receive()
    assert isinstance(refused, RejectConnection)
    assert refused.status_code == 404
