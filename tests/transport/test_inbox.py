"""What is done about what a member sends: too much of it, too often, too late."""

from __future__ import annotations

from typing import cast

import pytest

from roomcast.relay.member import Publisher
from roomcast.relay.reasons import Reason
from tests.running import OVER_TLS_TOO, Serve
from tests.transport.entrance import entrance
from tests.transport.rooms import ended, rooms
from tests.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, goodbye_of, shake_hands_rfc6455

pytestmark = OVER_TLS_TOO

# --- messages


def test_message_of_exactly_the_limit_passes(serve: Serve) -> None:
    relay = serve(rooms(message_max_bytes=1024))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.say("a" * 1024)
    assert bob.hear() == "a" * 1024
    old.say("b" * 1024)
    assert ada.hear() == "b" * 1024


def test_more_messages_than_the_rate_allows_end_the_member_behind_those_that_passed(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1))
    ada, bob = relay.join(), relay.join()

    # A burst of twice the rate passes.
    ada.wire.send(b"".join(frame(TEXT, b"%d" % number) for number in range(5)) + frame(PING))

    assert [bob.hear(), bob.hear()] == ["0", "1"]
    assert ada.read_goodbye() == (1008, "rate limit=messages_per_s")
    ada.say_goodbye(1008)
    assert ada.wire.read_to_end() == b""
    ada.close()
    ended(relay, "rate")
    # The one too many, and the two that came with it.
    assert relay.template().dropped == {"rate": 3}


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_backlog_of_one_that_was_not_read_is_no_flood_of_its_own(serve: Serve) -> None:
    relay, clock = serve(), Clock()
    with entrance(relay, clock=clock) as door:
        ada = shake_hands_rfc6455(door.visit("192.0.2.1"), "/rooms/lobby")
        bob = shake_hands_rfc6455(door.visit("192.0.2.2"), "/rooms/lobby")
        held, _ = relay.call(lambda: list(door.membership.keep_alive))

        relay.call(lambda: held.room.hold_back(cast(Publisher, held)))
        ada.wire.send(b"".join(frame(TEXT, b"%d" % number) for number in range(501)))
        clock.now_s += 3
        relay.call(held.resume)

        # A hundred a second for three seconds, and the burst of twice that; not one more.
        assert [bob.hear() for _ in range(500)] == [str(number) for number in range(500)]
        assert ada.read_goodbye() == (1008, "rate limit=messages_per_s")


def test_more_bytes_than_the_rate_allows_end_the_member(serve: Serve) -> None:
    relay = serve(rooms(bytes_per_s=100, message_max_bytes=200))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.wire.send(frame(TEXT, b"a" * 200) + frame(TEXT, b"a" * 200))
    assert bob.hear() == "a" * 200
    assert ada.read_goodbye() == (1008, "rate limit=bytes_per_s")

    old.wire.send((b"\x00" + b"b" * 200 + b"\xff") * 2)
    assert old.hear() == "a" * 200
    old.read_goodbye()


def test_message_beyond_the_rate_is_dropped_where_the_room_says_so_and_its_sender_stays(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1, over_rate="drop"))
    ada, bob, old = relay.join(), relay.join(), relay.join_hixie76()

    ada.wire.send(b"".join(frame(TEXT, b"%d" % number) for number in range(50)))
    old.wire.send(b"".join(b"\x00%d\xff" % number for number in range(50)))

    assert sorted(bob.hear() for _ in range(4)) == ["0", "0", "1", "1"]
    relay.until(lambda: relay.server.hub.templates["rooms"].dropped.get(Reason.RATE) == 96)
    assert relay.counters.limit_hits["messages_per_s", "dropped"] == 96
    assert relay.template().received_text == 4
    # Whoever sends too much is read again after a moment, and hears the others meanwhile.
    bob.say("slow down")
    ada.wire.send(frame(PING, b"I do"))
    assert {ada.read_frame().payload for _ in range(4)} == {b"0", b"1", b"slow down", b"I do"}


def test_sender_whose_messages_are_dropped_is_not_read_for_a_moment(serve: Serve) -> None:
    relay = serve(rooms(messages_per_s=1, over_rate="drop"))
    ada = relay.join()

    # As much as many reads: were it read at once, it would be gone by the time the first pong is here.
    ada.wire.send(frame(TEXT) * 20_000 + frame(PING))

    relay.until(lambda: relay.server.hub.templates["rooms"].dropped.get(Reason.RATE, 0) > 2000)
    assert relay.counters.frames_received["rfc6455"][TEXT] < 20_000
    # Who leaves meanwhile is not read on.
    ada.close()
    relay.until(relay.is_empty)


@pytest.mark.parametrize("sent", [frame(PING) * 50, (frame(TEXT, is_final=False) + frame(CONTINUATION)) * 50])
def test_frames_that_bring_no_message_close_also_where_messages_are_dropped(serve: Serve, sent: bytes) -> None:
    toml = rooms(control_frames_per_s=1, messages_per_s=1, over_rate="drop")
    relay = serve(toml + "[limits]\nfragments_per_s = 1\nfragments_max = 2")
    ada = relay.join()

    ada.wire.send(sent)

    while (got := ada.read_frame()).opcode == PONG:
        pass
    assert got.opcode == CLOSE
    ada.close()
    ended(relay, "rate")


# --- frames that bring no message


FLOODS: dict[str, tuple[bytes, int, str]] = {
    "pings": (frame(PING), PING, "control_frames_per_s"),
    "pongs": (frame(PONG, b"x"), PONG, "control_frames_per_s"),
    "empty fragments": (frame(TEXT, is_final=False) + frame(CONTINUATION), TEXT, "fragments_per_s"),
    "tiny fragments": (frame(TEXT, b"x", is_final=False) + frame(CONTINUATION, b"x"), TEXT, "fragments_per_s"),
}


@pytest.mark.parametrize(("unit", "opcode", "limit"), FLOODS.values(), ids=FLOODS.keys())
def test_flood_of_frames_that_bring_no_message_ends_the_member_and_is_not_decoded(
    serve: Serve, unit: bytes, opcode: int, limit: str
) -> None:
    relay = serve(rooms(control_frames_per_s=5) + "[limits]\nfragments_per_s = 5\nfragments_max = 2")
    ada = relay.join()

    # One read, so that the clock has no time to give anything back.
    ada.wire.send(unit * 500)

    while (got := ada.read_frame()).opcode == PONG:
        pass
    assert (got.opcode, goodbye_of(got.payload)) == (CLOSE, (1008, f"rate limit={limit}"))
    assert relay.counters.frames_received["rfc6455"][opcode] <= 11
    ada.close()
    ended(relay, "rate")


@pytest.mark.parametrize("unit", [b"\x80\x00", b"\x01\xff"])
def test_flood_of_hixie76_frames_that_are_discarded_ends_the_member(serve: Serve, unit: bytes) -> None:
    relay = serve(rooms(control_frames_per_s=5))
    old = relay.join_hixie76()

    old.wire.send(unit * 1000)

    old.read_goodbye()
    assert old.wire.read_to_end() == b""
    assert relay.counters.frames_received["hixie76"][BINARY] <= 11
    assert relay.counters.limit_hits["control_frames_per_s", "closed"] == 1
    old.close()
    ended(relay, "rate", "hixie76")
