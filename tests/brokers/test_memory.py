from collections.abc import Callable

from roomcast.brokers.memory import MemoryBroker
from roomcast.relay.message import Kind, Message

A, B = "/rooms/a", "/rooms/b"


def broker(deliver: Callable[[Message], None] = lambda _: None, now_s: float = 0.0) -> MemoryBroker:
    return MemoryBroker(deliver, "k7c2m9qa", lambda: now_s)


def say(to: MemoryBroker, room: str) -> int:
    return to.publish(room, Kind.TEXT, b"hello", None)


def test_message_is_delivered_before_publish_returns() -> None:
    delivered: list[Message] = []
    memory = broker(delivered.append)
    memory.open(A)

    say(memory, A)

    assert [message.payload for message in delivered] == [b"hello"]


def test_message_is_stamped_with_the_time_of_its_publication() -> None:
    delivered: list[Message] = []
    memory = broker(delivered.append, now_s=1_700_000_000.5)
    memory.open(A)

    say(memory, A)

    assert delivered[0].published_s == 1_700_000_000.5


def test_room_that_is_opened_again_counts_on_from_where_any_room_ended() -> None:
    memory = broker()
    for room, messages in ((A, 3), (B, 1)):
        memory.open(room)
        for _ in range(messages):
            say(memory, room)
        memory.close(room)

    assert (memory.open(B), memory.open(A)) == (4, 4)


def test_nothing_of_a_closed_room_is_held_but_a_number() -> None:
    memory = broker()
    memory.open(A)
    memory.close(A)

    assert memory._heads == {}


def test_message_into_a_room_that_is_not_open_has_an_offset_that_no_later_one_has() -> None:
    memory = broker()

    offset = say(memory, A)
    memory.open(A)

    assert say(memory, A) == offset + 1
