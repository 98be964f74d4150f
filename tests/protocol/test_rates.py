"""Frames that bring no message, and too many of them: where decoding stops, in both dialects."""

import pytest

from roomcast.protocol.connection import Connection, Event, Message, Ping, Pong
from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.handshake import Dialect
from tests.protocol.clients import frame, told

TEXT, CONTINUATION, PING, PONG = Opcode.TEXT, Opcode.CONTINUATION, Opcode.PING, Opcode.PONG
SECOND = 1 / 8
"""What each frame adds to a number that begins at 0; a binary fraction, so that sums are exact."""


class AtMost:
    """Lets so many frames of each kind pass, ever. The number that it is handed is all that it knows of a peer."""

    def __init__(self, frames: int, *, may_exceed: bool = False) -> None:
        self._most = frames * SECOND
        self._may_exceed = may_exceed

    def control(self, even_s: float) -> float:
        return self._admit(even_s, "control_frames_per_s")

    def fragment(self, even_s: float) -> float:
        return self._admit(even_s, "fragments_per_s")

    def may_exceed(self, limit: str) -> bool:
        return self._may_exceed

    def _admit(self, even_s: float, limit: str) -> float:
        if even_s >= self._most:
            raise FrameError(f"more than {limit}", CloseCode.POLICY_VIOLATION, limit=limit)
        return even_s + SECOND


def connection(dialect: Dialect, rates: AtMost | None, counts: list[int] | None = None) -> Connection:
    return Connection(dialect, message_max_bytes=0, fragments_max=0, frame_counts=counts, rates=rates)


def too_many(limit: str) -> tuple[CloseCode, str]:
    return CloseCode.POLICY_VIOLATION, f"more than {limit}"


FLOODS: dict[str, tuple[Dialect, bytes, str, list[Event]]] = {
    "pings": (Dialect.RFC6455, frame(PING), "control_frames_per_s", [Ping(b"")] * 3),
    "pongs": (Dialect.RFC6455, frame(PONG, b"x"), "control_frames_per_s", [Pong(b"x")] * 3),
    "frames with a length": (Dialect.HIXIE76, b"\x80\x00", "control_frames_per_s", []),
    "frames with an end": (Dialect.HIXIE76, b"\x01\xff", "control_frames_per_s", []),
}


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 10_000])
@pytest.mark.parametrize(("dialect", "unit", "limit", "passed"), FLOODS.values(), ids=FLOODS.keys())
def test_decoding_stops_at_the_first_frame_too_many_however_the_bytes_arrive(
    dialect: Dialect, unit: bytes, limit: str, passed: list[Event], chunk_size: int
) -> None:
    member, stream = connection(dialect, AtMost(3)), unit * 1000

    events: list[Event] = []
    for start in range(0, len(stream), chunk_size):
        events += member.receive(stream[start : start + chunk_size])

    assert told(events) == [*passed, too_many(limit)]


@pytest.mark.parametrize(("dialect", "unit", "limit", "passed"), FLOODS.values(), ids=FLOODS.keys())
def test_as_many_frames_as_may_come_do(dialect: Dialect, unit: bytes, limit: str, passed: list[Event]) -> None:
    assert connection(dialect, AtMost(3)).receive(unit * 3) == passed
    assert len(connection(dialect, None).receive(unit * 1000)) == 1000 * bool(passed)


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_fragments_are_counted_where_they_do_not_end_their_message(payload: bytes) -> None:
    message = frame(TEXT, payload, is_final=False) + frame(CONTINUATION, payload)

    events = connection(Dialect.RFC6455, AtMost(2)).receive(message * 3)

    assert told(events) == [Message(TEXT, payload * 2)] * 2 + [too_many("fragments_per_s")]


def test_messages_and_goodbyes_are_not_counted() -> None:
    rfc6455, hixie76 = connection(Dialect.RFC6455, AtMost(0)), connection(Dialect.HIXIE76, AtMost(0))

    assert len(rfc6455.receive(frame(TEXT) * 5 + frame(Opcode.CLOSE))) == 6
    assert len(hixie76.receive(b"\x00\xff" * 5 + b"\xff\x00")) == 6


def test_pings_among_fragments_have_a_number_of_their_own() -> None:
    stream = frame(TEXT, is_final=False) + frame(PING) + frame(CONTINUATION, is_final=False) + frame(PONG)

    assert connection(Dialect.RFC6455, AtMost(2)).receive(stream) == [Ping(b""), Pong(b"")]


def test_one_peer_s_frames_do_not_count_for_another_under_the_same_rates() -> None:
    rates = AtMost(1)

    assert [connection(Dialect.RFC6455, rates).receive(frame(PING)) for _ in range(3)] == [[Ping(b"")]] * 3


def test_what_is_refused_is_not_decoded() -> None:
    counts = [0] * 16

    connection(Dialect.RFC6455, AtMost(3), counts).receive(frame(PING) * 1000)

    assert counts[PING] == 3


@pytest.mark.parametrize("may_exceed", [False, True])
def test_fragments_max_is_enforced_unless_it_may_be_exceeded(may_exceed: bool) -> None:
    rates = AtMost(1000, may_exceed=may_exceed)
    member = Connection(Dialect.RFC6455, message_max_bytes=0, fragments_max=2, rates=rates)

    [event] = member.receive(
        frame(TEXT, is_final=False) + frame(CONTINUATION, is_final=False) * 5 + frame(CONTINUATION)
    )

    assert (event == Message(TEXT, b"")) is may_exceed
