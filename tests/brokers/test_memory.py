from roomcast.brokers.memory import MemoryBroker
from roomcast.relay.message import Kind, Message


def test_message_is_delivered_before_publish_returns() -> None:
    delivered: list[Message] = []
    broker = MemoryBroker(delivered.append)
    broker.open("/rooms/a")

    broker.publish("/rooms/a", Kind.TEXT, b"hello", None)

    assert [message.payload for message in delivered] == [b"hello"]


def test_room_that_closed_is_forgotten() -> None:
    broker = MemoryBroker(lambda _: None)
    broker.open("/rooms/a")
    broker.publish("/rooms/a", Kind.TEXT, b"hello", None)
    broker.close("/rooms/a")

    assert broker.open("/rooms/a") == 0
