"""Every limit of the configuration on both sides of it: what keeps it passes uncounted, what exceeds it is told so.

One line of ``CASES`` for each pair that ``roomcast_limit_hits_total`` can count, so that a limit
which is missing here fails a test. What each outcome looks like in detail, and in both dialects,
is tested where the code is: ``transport/test_entry_limits.py``, ``transport/test_websocket_ends.py``
and their neighbours.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import pytest

from roomcast.policies.hits import no_hits
from tests.running import Relay, Serve
from tests.transport.rooms import LOBBY, numbered, rooms, stall
from tests.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Goodbye,
    Rfc6455Client,
    frame,
    goodbye_of,
    rfc6455_head,
)

NEXT_DOOR = "/rooms/next-door"
"""A room in which nobody exceeds anything."""

Hits = dict[tuple[str, str], float]
Steps = Callable[[Relay], Iterator[None]]


class Case(NamedTuple):
    """One limit and what is done about it.

    Attributes:
        toml: Its setting, among others that it needs.
        steps: What is done up to the limit, then a ``yield``, then one step beyond it. Two members
            of another room are there already.
    """

    limit: str
    action: str
    toml: str
    steps: Steps

    def __str__(self) -> str:
        return f"{self.limit} {self.action}"


def hits(relay: Relay) -> Hits:
    """Return the series of the metric that are not at zero."""
    text = relay.ask_admin("/metrics").body.decode()
    series = re.findall(r'^roomcast_limit_hits_total\{action="(\w+)",limit="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {(limit, action): float(value) for action, limit, value in series if float(value)}


def _is_flushed(relay: Relay, received: int) -> bool:
    hub = relay.server.hub
    return hub.templates["rooms"].received_text == received and hub.rooms[LOBBY].pending_bytes == 0


def check_refused(relay: Relay, status: int, request: bytes | None = None) -> None:
    assert relay.ask(request).status == status


# --- the door


def third_connection_and_fourth(relay: Relay) -> Iterator[None]:
    relay.join()
    yield
    check_refused(relay, 503)


def second_connection_of_an_address_and_third(relay: Relay) -> Iterator[None]:
    # Loopback is a proxy, and says for whom it speaks.
    ada = "X-Forwarded-For: 203.0.113.9"
    relay.join(LOBBY, ada)
    relay.join(LOBBY, ada)
    yield
    check_refused(relay, 429, rfc6455_head(LOBBY, ada))
    relay.join(LOBBY, "X-Forwarded-For: 203.0.113.10")


def second_handshake_in_flight_and_third(relay: Relay) -> Iterator[None]:
    relay.connect().send(b"GET /")
    relay.join().close()
    yield
    relay.connect().send(b"GET /")
    check_refused(relay, 503)


def handshake_in_time_and_too_slow(relay: Relay) -> Iterator[None]:
    relay.join()
    yield
    slow = relay.connect()
    slow.send(b"GET / HTTP/1.1\r\n")
    assert slow.read_answer().status == 408


def head_of_the_size_and_one_byte_more(relay: Relay) -> Iterator[None]:
    padding = "x" * (1024 - len(rfc6455_head(LOBBY, "X: ")))
    relay.join(LOBBY, f"X: {padding}")
    yield
    check_refused(relay, 431, rfc6455_head(LOBBY, f"X: {padding}x"))


def eight_header_lines_and_nine(relay: Relay) -> Iterator[None]:
    lines = ("A: 1", "B: 2", "C: 3")
    relay.join(LOBBY, *lines)
    yield
    check_refused(relay, 431, rfc6455_head(LOBBY, *lines, "D: 4"))


def second_room_and_third(relay: Relay) -> Iterator[None]:
    relay.join()
    yield
    check_refused(relay, 503, rfc6455_head("/rooms/third"))


def second_member_and_third(relay: Relay) -> Iterator[None]:
    relay.join()
    relay.join()
    yield
    check_refused(relay, 503, rfc6455_head(LOBBY))


# --- what a member sends


def check_echoed(member: Rfc6455Client, messages: list[bytes], sent: bytes) -> None:
    member.wire.send(sent)
    assert [member.read_frame().payload for _ in messages] == messages


def check_closed(member: Rfc6455Client, sent: bytes, code: int, reason: str) -> None:
    member.wire.send(sent)
    assert member.read_goodbye() == Goodbye(code, reason)
    member.close()


def message_of_the_size_and_one_byte_more(relay: Relay) -> Iterator[None]:
    member = relay.join()
    check_echoed(member, [b"x" * 1000], frame(BINARY, b"x" * 1000))
    yield
    check_closed(member, frame(BINARY, b"x" * 1001), 1009, "too_big")


def inflated_message_of_the_size_and_one_byte_more(relay: Relay) -> Iterator[None]:
    member = relay.join(LOBBY, "Sec-WebSocket-Extensions: permessage-deflate")
    # Less than a tenth of the limit arrives: what counts is what comes out of it.
    check_echoed(member, [bytes(1000)], compressed(bytes(1000)))
    yield
    check_closed(member, compressed(bytes(1001)), 1009, "too_big")


def compressed(payload: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    deflated = (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")
    assert len(deflated) < 100
    first, *rest = frame(BINARY, deflated)
    return bytes([first | 0x40, *rest])


def hixie76_message_of_the_size_and_one_byte_more(relay: Relay) -> Iterator[None]:
    old = relay.join_hixie76()
    old.say("x" * 1000)
    assert old.hear() == "x" * 1000
    yield
    old.say("x" * 1001)
    old.read_goodbye()


def hixie76_frames_that_are_discarded_and_more(relay: Relay) -> Iterator[None]:
    old = relay.join_hixie76()
    old.wire.send(b"\x80\x00\x01\xff")
    old.say("still here")
    assert old.hear() == "still here"
    yield
    old.wire.send(b"\x80\x00" * 50)
    old.read_goodbye()


def three_fragments_and_four(relay: Relay) -> Iterator[None]:
    member = relay.join()
    first, middle, last = frame(TEXT, b"a", is_final=False), frame(CONTINUATION, is_final=False), frame(CONTINUATION)
    check_echoed(member, [b"a"], first + middle + last)
    yield
    check_closed(member, first + middle + middle + last, 1009, "too_big")


# What is one too many comes with many more: the clock goes on meanwhile, and gives a little back.


def burst_of_messages_and_more(relay: Relay) -> Iterator[None]:
    member = relay.join()
    check_echoed(member, [b"1", b"2"], frame(TEXT, b"1") + frame(TEXT, b"2"))
    yield
    member.wire.send(frame(TEXT, b"3") * 50)
    assert read_to_goodbye(member) == Goodbye(1008, "rate limit=messages_per_s")


def burst_of_bytes_and_more(relay: Relay) -> Iterator[None]:
    member = relay.join()
    check_echoed(member, [b"x" * 1000] * 2, frame(BINARY, b"x" * 1000) * 2)
    yield
    member.wire.send(frame(BINARY, b"x" * 1000) * 50)
    assert read_to_goodbye(member) == Goodbye(1008, "rate limit=bytes_per_s")


def burst_of_pings_and_more(relay: Relay) -> Iterator[None]:
    member = relay.join()
    check_echoed(member, [b"1", b"2"], frame(PING, b"1") + frame(PING, b"2"))
    yield
    member.wire.send(frame(PING) * 50)
    assert read_to_goodbye(member) == Goodbye(1008, "rate limit=control_frames_per_s")


def burst_of_fragments_and_more(relay: Relay) -> Iterator[None]:
    member = relay.join()
    message = frame(TEXT, b"a", is_final=False) + frame(CONTINUATION, b"b")
    check_echoed(member, [b"ab"] * 2, message * 2)
    yield
    member.wire.send(message * 50)
    assert read_to_goodbye(member) == Goodbye(1008, "rate limit=fragments_per_s")


def read_to_goodbye(member: Rfc6455Client) -> Goodbye:
    """Return what the close frame says, behind all that passed; how much that is, is the clock's business."""
    while (got := member.read_frame()).opcode != CLOSE:
        pass
    member.close()
    return goodbye_of(got.payload)


# --- what is dropped, and what is only reported


def burst_of_messages_and_what_is_dropped(relay: Relay) -> Iterator[None]:
    member = relay.join()
    check_echoed(member, [b"1", b"2"], frame(TEXT, b"1") + frame(TEXT, b"2"))
    yield
    member.wire.send(frame(TEXT, b"3") * 50 + frame(PING, b"still here"))
    assert next(got for got in iter(member.read_frame, None) if got.opcode == PONG).payload == b"still here"


def burst_of_bytes_and_what_is_dropped(relay: Relay) -> Iterator[None]:
    member = relay.join()
    check_echoed(member, [b"x" * 1000] * 2, frame(BINARY, b"x" * 1000) * 2)
    yield
    member.wire.send(frame(BINARY, b"x" * 1000) * 10 + frame(PING, b"still here"))
    assert next(got for got in iter(member.read_frame, None) if got.opcode == PONG).payload == b"still here"


def second_connection_of_an_address_and_others(relay: Relay) -> Iterator[None]:
    ada = "X-Forwarded-For: 203.0.113.9"
    relay.join(LOBBY, ada)
    relay.join(LOBBY, ada)
    yield
    relay.join(LOBBY, ada)


def second_member_and_others(relay: Relay) -> Iterator[None]:
    relay.join()
    relay.join()
    yield
    relay.join()
    # It is seen twice, at its head and behind the eight bytes, and counted once.
    relay.join_hixie76()
    assert hits(relay) == {("members_max", "reported"): 2}


def three_fragments_and_a_message_of_more(relay: Relay) -> Iterator[None]:
    member = relay.join()
    first, middle, last = frame(TEXT, b"a", is_final=False), frame(CONTINUATION, is_final=False), frame(CONTINUATION)
    check_echoed(member, [b"a"], first + middle + last)
    yield
    check_echoed(member, [b"a"], first + middle * 5 + last)


def burst_and_whatever_comes(message: bytes, heard: bytes) -> Steps:
    """Return steps that send the message twice, which is a burst, and then fifty times."""

    def steps(relay: Relay) -> Iterator[None]:
        member = relay.join()
        check_echoed(member, [heard] * 2, message * 2)
        yield
        check_echoed(member, [heard] * 50, message * 50)

    return steps


# --- what a member does not read


def publish_too_much(relay: Relay, publisher: Rfc6455Client) -> None:
    """Publish more than is kept for anybody, and wait until all of it is in the room's log."""
    template = relay.server.hub.templates["rooms"]
    before = relay.call(lambda: template.received_text)
    for number in range(100):
        publisher.say(numbered(number))
    relay.until(lambda: template.received_text == before + 100)


def reader_behind_and_too_far_behind(relay: Relay) -> Iterator[None]:
    publisher = relay.join()
    stall(relay, publisher)
    yield
    publish_too_much(relay, publisher)
    relay.until(lambda: relay.server.hub.templates["rooms"].laggards == 0)


def reader_behind_and_what_it_misses(relay: Relay) -> Iterator[None]:
    publisher = relay.join()
    stalled, _ = stall(relay, publisher)
    yield
    publish_too_much(relay, publisher)
    # It goes on, at the newest.
    publisher.say("now")
    while stalled.hear() != "now":
        pass


def newcomer_to_the_past_and_one_where_memory_is_tight(relay: Relay) -> Iterator[None]:
    publisher = relay.join()
    _, sent = stall(relay, publisher)
    relay.until(partial(_is_flushed, relay, sent))
    newcomer = relay.join(f"{LOBBY}?history=1")
    assert newcomer.hear() == numbered(sent - 1)
    newcomer.close()
    yield
    hub = relay.server.hub
    while not relay.call(lambda: hub.budget.is_tight):
        publisher.say(numbered(sent))
        sent += 1
        relay.until(partial(_is_flushed, relay, sent))
    check_refused(relay, 503, rfc6455_head(f"{LOBBY}?history=1"))
    # Who wants nothing of the past costs nothing.
    relay.join()


def reported(limit: str, limits: str, **room: object) -> str:
    """Return the TOML of a relay that only reports this limit, with a room that echoes and believes its proxies."""
    proxies = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
    return f'{rooms(echo=True, **room)}{proxies}[limits]\nreport_only = ["{limit}"]\n{limits}'


FRAGMENTS = "[limits]\nfragments_max = 2\nfragments_per_s = 1"

CASES = [
    Case("connections_max", "refused", "[limits]\nconnections_max = 3", third_connection_and_fourth),
    Case(
        "connections_per_address",
        "refused",
        '[server]\ntrusted_proxies = ["127.0.0.1"]\n[limits]\nconnections_per_address = 2',
        second_connection_of_an_address_and_third,
    ),
    Case("handshakes_max", "refused", "[limits]\nhandshakes_max = 2", second_handshake_in_flight_and_third),
    Case("handshake_timeout_s", "refused", "[limits]\nhandshake_timeout_s = 0.2", handshake_in_time_and_too_slow),
    Case("head_max_bytes", "refused", "[limits]\nhead_max_bytes = 1024", head_of_the_size_and_one_byte_more),
    Case("headers_max", "refused", "[limits]\nheaders_max = 8", eight_header_lines_and_nine),
    Case("rooms_max", "refused", "[limits]\nrooms_max = 2", second_room_and_third),
    Case("members_max", "refused", rooms(members_max=2), second_member_and_third),
    Case(
        "message_max_bytes", "closed", rooms(echo=True, message_max_bytes=1000), message_of_the_size_and_one_byte_more
    ),
    Case(
        "message_max_bytes",
        "closed",
        rooms(echo=True, message_max_bytes=1000) + "[deflate]\nenabled = true\nmin_bytes = 4096",
        inflated_message_of_the_size_and_one_byte_more,
    ),
    Case(
        "message_max_bytes",
        "closed",
        rooms(echo=True, message_max_bytes=1000),
        hixie76_message_of_the_size_and_one_byte_more,
    ),
    Case(
        "control_frames_per_s",
        "closed",
        rooms(echo=True, control_frames_per_s=1),
        hixie76_frames_that_are_discarded_and_more,
    ),
    Case("fragments_max", "closed", rooms(echo=True) + "[limits]\nfragments_max = 3", three_fragments_and_four),
    Case("control_frames_per_s", "closed", rooms(control_frames_per_s=1), burst_of_pings_and_more),
    Case("fragments_per_s", "closed", rooms(echo=True) + FRAGMENTS, burst_of_fragments_and_more),
    Case("messages_per_s", "closed", rooms(echo=True, messages_per_s=1), burst_of_messages_and_more),
    Case(
        "messages_per_s",
        "dropped",
        rooms(echo=True, messages_per_s=1, over_rate="drop"),
        burst_of_messages_and_what_is_dropped,
    ),
    Case(
        "bytes_per_s",
        "dropped",
        rooms(echo=True, bytes_per_s=1000, message_max_bytes=2000, over_rate="drop"),
        burst_of_bytes_and_what_is_dropped,
    ),
    Case(
        "connections_per_address",
        "reported",
        reported("connections_per_address", "connections_per_address = 2"),
        second_connection_of_an_address_and_others,
    ),
    Case("members_max", "reported", reported("members_max", "", members_max=2), second_member_and_others),
    Case(
        "fragments_max",
        "reported",
        reported("fragments_max", "fragments_max = 3"),
        three_fragments_and_a_message_of_more,
    ),
    Case(
        "control_frames_per_s",
        "reported",
        reported("control_frames_per_s", "", control_frames_per_s=1),
        burst_and_whatever_comes(frame(PING, b"x"), b"x"),
    ),
    Case(
        "fragments_per_s",
        "reported",
        reported("fragments_per_s", "fragments_max = 2\nfragments_per_s = 1"),
        burst_and_whatever_comes(frame(TEXT, b"a", is_final=False) + frame(CONTINUATION, b"b"), b"ab"),
    ),
    Case(
        "messages_per_s",
        "reported",
        reported("messages_per_s", "", messages_per_s=1),
        burst_and_whatever_comes(frame(TEXT, b"x"), b"x"),
    ),
    Case(
        "bytes_per_s",
        "reported",
        reported("bytes_per_s", "", bytes_per_s=1000, message_max_bytes=2000),
        burst_and_whatever_comes(frame(TEXT, b"x" * 1000), b"x" * 1000),
    ),
    Case("bytes_per_s", "closed", rooms(echo=True, bytes_per_s=1000, message_max_bytes=2000), burst_of_bytes_and_more),
    Case("lag_max_bytes", "closed", rooms(lag_max_bytes=131_072), reader_behind_and_too_far_behind),
    Case(
        "lag_total_max_bytes",
        "closed",
        rooms() + "[limits]\nlag_total_max_bytes = 1_048_576",
        reader_behind_and_too_far_behind,
    ),
    Case(
        "lag_total_max_bytes",
        "refused",
        rooms(history_messages=1) + "[limits]\nlag_total_max_bytes = 2_097_152",
        newcomer_to_the_past_and_one_where_memory_is_tight,
    ),
    Case("lag_max_bytes", "dropped", rooms(lag_max_bytes=131_072, overflow="skip"), reader_behind_and_what_it_misses),
]

ELSEWHERE = {("handshakes_per_address", "refused"), ("handshakes_per_address", "reported")}
"""What loopback cannot exceed, since its address is not counted: see ``transport/test_places.py``."""


def test_every_limit_has_its_line() -> None:
    assert {(case.limit, case.action) for case in CASES} | ELSEWHERE == set(no_hits())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_limit_is_passed_uncounted_and_exceeded_with_its_outcome_while_others_go_on(serve: Serve, case: Case) -> None:
    relay = serve(case.toml)
    ada, bob = relay.join(NEXT_DOOR), relay.join(NEXT_DOOR)
    steps = case.steps(relay)

    next(steps)
    assert hits(relay) == {}

    assert list(steps) == []
    assert set(hits(relay)) == {(case.limit, case.action)}
    ada.say("still here")
    assert bob.hear() == "still here"
