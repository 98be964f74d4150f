"""What ``relay.broker.Broker`` promises, asked of every broker there is."""

import time
from collections.abc import Callable

import pytest

from roomcast.brokers.epoch import new_epoch
from roomcast.brokers.memory import MemoryBroker
from roomcast.relay.author import Author
from roomcast.relay.broker import Broker, Deliver
from roomcast.relay.message import Kind, Message
from tests.relay.fake_wire import BracketFormat, FakeMember

BROKERS: dict[str, Callable[[Deliver], Broker]] = {
    "memory": lambda deliver: MemoryBroker(deliver, new_epoch(), time.time),
}
A, B = "/rooms/a", "/rooms/b"


class Node:
    """A broker, and what it delivered."""

    def __init__(self, make_broker: Callable[[Deliver], Broker]) -> None:
        self.delivered: list[Message] = []
        self.broker = make_broker(self.delivered.append)

    def say(self, room: str, payload: bytes = b"") -> None:
        self.broker.publish(room, Kind.TEXT, payload, None)

    def offsets(self, room: str) -> list[int]:
        return [message.offset for message in self.delivered if message.room == room]


@pytest.fixture(params=BROKERS)
def node(request: pytest.FixtureRequest) -> Node:
    return Node(BROKERS[request.param])


def test_message_comes_back_as_it_was_published(node: Node) -> None:
    sender = Author(FakeMember(BracketFormat()))
    node.broker.open(A)

    node.broker.publish(A, Kind.BINARY, b"\x00\xff", sender)

    (message,) = node.delivered
    assert (message.room, message.kind, message.payload) == (A, Kind.BINARY, b"\x00\xff")
    assert message.sender is sender


def test_first_message_follows_the_offset_that_open_returned(node: Node) -> None:
    head = node.broker.open(A)

    node.say(A)

    assert node.offsets(A) == [head + 1]


def test_offsets_have_no_gaps_and_messages_keep_their_order(node: Node) -> None:
    head = node.broker.open(A)

    for payload in (b"one", b"two", b"three"):
        node.say(A, payload)

    assert node.offsets(A) == [head + 1, head + 2, head + 3]
    assert [message.payload for message in node.delivered] == [b"one", b"two", b"three"]


def test_rooms_do_not_count_each_others_messages(node: Node) -> None:
    heads = node.broker.open(A), node.broker.open(B)

    for room in (A, B, B, A):
        node.say(room)

    assert node.offsets(A) == [heads[0] + 1, heads[0] + 2]
    assert node.offsets(B) == [heads[1] + 1, heads[1] + 2]


def test_open_room_that_is_opened_again_goes_on_counting(node: Node) -> None:
    node.broker.open(A)
    node.say(A)

    assert node.broker.open(A) == node.offsets(A)[-1]


def test_room_that_was_never_opened_is_not_delivered(node: Node) -> None:
    node.say(A)

    assert node.delivered == []


def test_nothing_is_delivered_after_close(node: Node) -> None:
    node.broker.open(A)
    node.broker.open(B)
    node.broker.close(A)

    node.say(A)
    node.say(B)

    assert [message.room for message in node.delivered] == [B]


def test_room_that_was_closed_can_be_opened_again(node: Node) -> None:
    node.broker.open(A)
    node.say(A)
    node.broker.close(A)
    head = node.broker.open(A)
    node.delivered.clear()

    node.say(A)

    assert node.offsets(A) == [head + 1]


def test_closing_a_room_that_is_not_open_does_nothing(node: Node) -> None:
    node.broker.close(A)


def test_publish_returns_the_offset_that_the_message_got(node: Node) -> None:
    node.broker.open(A)

    returned = [node.broker.publish(A, Kind.TEXT, payload, None) for payload in (b"one", b"two")]

    assert returned == node.offsets(A)


def test_offsets_of_a_room_grow_also_after_it_was_closed(node: Node) -> None:
    node.broker.open(A)
    before = node.broker.publish(A, Kind.TEXT, b"one", None)
    node.broker.close(A)
    node.broker.open(A)

    assert node.broker.publish(A, Kind.TEXT, b"two", None) > before


def test_every_broker_has_an_epoch_of_its_own() -> None:
    epochs = [BROKERS[name](lambda _: None).epoch for name in BROKERS for _ in range(2)]

    assert len(set(epochs)) == len(epochs)
    assert all(epoch.isalnum() for epoch in epochs)
