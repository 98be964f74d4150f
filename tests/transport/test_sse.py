"""Event streams: they hear what the room's other members hear, and go by the same rules."""

from __future__ import annotations

import json
import math

import pytest

from roomcast.relay.reasons import Reason
from roomcast.transport.goodbyes import LATE_READ_BYTES
from roomcast.transport.sse import RETRY_MS, SseMember
from tests.event_source import EventStream, open_stream, stream_head
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.answers import check_answer
from tests.transport.entrance import FailingClock, entrance
from tests.transport.rooms import LOBBY, SMALL_BUFFER, ended, number_of, numbered, rooms
from tests.wire import BINARY, Client, frame

pytestmark = OVER_TLS_TOO


# --- what is heard


def test_all_who_are_in_a_room_hear_the_same_whatever_they_speak(serve: Serve) -> None:
    relay = serve()
    ada, old, page, stream = relay.join(), relay.join_hixie76(), relay.join(), relay.stream()

    ada.say("from today")
    assert page.hear() == old.hear() == stream.hear() == "from today"
    old.say("from 2010")
    assert page.hear() == ada.hear() == stream.hear() == "from 2010"


def test_event_is_at_its_position_and_the_stream_begins_with_the_one_before(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()
    epoch = relay.server.hub.epoch
    first = relay.stream()
    assert first.begin() == f"{epoch}:0"
    assert first.source.reconnection_time_ms == RETRY_MS

    ada.say("one")
    assert first.next() == ("message", "one", f"{epoch}:1")
    second = relay.stream()
    ada.say("two")

    assert second.begin() == f"{epoch}:1"
    assert second.next() == first.next() == ("message", "two", f"{epoch}:2")


def test_text_of_several_lines_is_one_message_and_every_line_end_is_a_line_feed(serve: Serve) -> None:
    relay = serve()
    ada, stream = relay.join(), relay.stream()

    ada.say("one\r\ntwo\rthree\n")

    assert stream.hear() == "one\ntwo\nthree\n"


def test_binary_message_is_an_event_of_its_own_in_base64(serve: Serve) -> None:
    relay = serve()
    ada, stream = relay.join(), relay.stream()

    ada.wire.send(frame(BINARY, b"\x00\xff\r\n"))

    assert stream.hear() == b"\x00\xff\r\n"


def test_newcomer_is_greeted_first(serve: Serve) -> None:
    relay = serve(rooms(greeting="welcome"))

    stream = relay.stream()

    assert stream.hear() == "welcome"
    assert stream.source.last_event_id == f"{relay.server.hub.epoch}:0"


def test_answer_says_what_it_is_and_that_nobody_may_gather_it(serve: Serve) -> None:
    headers = serve().stream().headers

    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-store, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["connection"] == "close"
    assert "content-length" not in headers
    assert "access-control-allow-origin" not in headers


def test_metrics_and_log_name_event_streams_and_count_no_frames_for_them(serve: Serve) -> None:
    relay = serve()
    ada, stream = relay.join(), relay.stream()
    ada.say("hello")
    stream.hear()

    assert relay.metric('roomcast_connections{dialect="sse"}') == 1
    assert relay.metric('roomcast_handshakes_total{dialect="sse",outcome="accepted"}') == 1
    assert relay.template().delivered == 1
    assert relay.metric("roomcast_sent_bytes_total") > len("hello")
    assert 'roomcast_frames_sent_total{dialect="sse"' not in relay.ask_admin("/metrics").body.decode()
    joined = relay.diary.wait_for("joined", dialect="sse")
    assert (joined["room"], joined["members"]) == (LOBBY, 2)


# --- coming back


KEPT = rooms(history_messages=10)


def test_browser_that_comes_back_hears_what_it_missed_and_nothing_twice(serve: Serve) -> None:
    relay = serve(KEPT)
    ada, stream = relay.join(), relay.stream()
    ada.say("one")
    position = stream.next().last_event_id
    stream.wire.close()
    ada.say("two")

    again = relay.stream(LOBBY, f"Last-Event-ID: {position}")

    assert again.begin() == position
    ada.say("three")
    assert [again.hear(), again.hear()] == ["two", "three"]


def test_browser_that_broke_off_before_the_first_message_hears_it_when_it_comes_back(serve: Serve) -> None:
    relay = serve(KEPT)
    ada, stream = relay.join(), relay.stream()
    position = stream.begin()
    stream.wire.close()
    ada.say("one")

    assert relay.stream(LOBBY, f"Last-Event-ID: {position}").hear() == "one"


def test_position_of_the_browser_wins_over_the_one_in_its_url(serve: Serve) -> None:
    relay = serve(KEPT)
    ada, bob = relay.join(), relay.join()
    epoch = relay.server.hub.epoch
    for word in ("one", "two", "three"):
        ada.say(word)
        bob.hear()

    stream = relay.stream(f"{LOBBY}?since={epoch}:0", f"Last-Event-ID: {epoch}:2")

    assert stream.hear() == "three"


def test_newcomer_may_ask_for_the_past(serve: Serve) -> None:
    relay = serve(KEPT)
    ada, bob = relay.join(), relay.join()
    for word in ("one", "two", "three"):
        ada.say(word)
        bob.hear()

    stream = relay.stream(f"{LOBBY}?history=2")

    assert [stream.hear(), stream.hear()] == ["two", "three"]


def test_gap_is_told_and_then_the_stream_goes_on(serve: Serve) -> None:
    relay = serve(rooms(history_messages=2))
    ada, bob = relay.join(), relay.join()
    epoch = relay.server.hub.epoch
    for word in ("one", "two", "three", "four"):
        ada.say(word)
        bob.hear()

    stream = relay.stream(LOBBY, f"Last-Event-ID: {epoch}:1")

    assert stream.told("gap") == {"reason": "offset", "offset": 2}
    assert [stream.hear(), stream.hear()] == ["three", "four"]


def test_position_of_another_life_of_the_relay_is_a_gap(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()

    stream = relay.stream(LOBBY, "Last-Event-ID: another1:7")

    assert stream.told("gap") == {"reason": "epoch", "offset": 0}
    ada.say("hello")
    assert stream.hear() == "hello"


def test_position_that_is_none_is_refused_and_one_that_is_empty_is_none(serve: Serve) -> None:
    relay = serve()

    answer = relay.ask(stream_head(LOBBY, "Last-Event-ID: 7"))

    check_answer(answer, 400, "Last-Event-ID is epoch:offset")
    relay.stream(LOBBY, "Last-Event-ID:")


# --- slow readers


def stalled_stream(relay: Relay, publisher: Client) -> tuple[EventStream, int]:
    """Let somebody in who reads nothing, and publish until it is a laggard; return it, and how many it is owed."""
    stream, sent = relay.stream(receive_buffer_bytes=SMALL_BUFFER), 0
    while not relay.template().laggards:
        assert sent < 1000, "the kernel takes everything"
        publisher.say(numbered(sent))
        sent += 1
    return stream, sent


def number(stream: EventStream) -> int:
    text = stream.hear()
    assert isinstance(text, str)
    return number_of(text)


def test_stream_that_is_not_read_delays_nobody_and_catches_up(serve: Serve) -> None:
    relay = serve(rooms())
    ada, bob = relay.join(), relay.join()
    stream, sent = stalled_stream(relay, ada)

    assert [number_of(bob.hear()) for _ in range(sent)] == list(range(sent))

    assert [number(stream) for _ in range(sent)] == list(range(sent))
    relay.until(lambda: relay.server.hub.templates["rooms"].laggards == 0)
    ada.say("now")
    assert stream.hear() == "now"
    assert relay.template().dropped == {}


def test_stream_that_falls_too_far_behind_is_told_so_behind_whole_events(serve: Serve) -> None:
    relay = serve(rooms(lag_max_bytes=131_072) + "[limits]\nclose_timeout_s = 20")
    ada = relay.join()
    stream, sent = stalled_stream(relay, ada)
    for more in range(sent, sent + 50):
        ada.say(numbered(more))
    relay.until(lambda: relay.server.hub.templates["rooms"].dropped.get(Reason.LAGGING, 0) > 0)

    heard = 0
    while (event := stream.next()).type == "message":
        assert number_of(event.data) == heard
        heard += 1

    assert event.type == "goodbye"
    goodbye = {"reason": "lagging", "code": 1013, "reconnect_after_ms": 0, "id": f"{relay.server.hub.epoch}.2"}
    assert json.loads(event.data) == goodbye
    ends(stream)
    stream.wire.close()
    ended(relay, "lagging", "sse")


def test_stream_that_skips_is_told_what_it_goes_on_after(serve: Serve) -> None:
    relay = serve(rooms(lag_max_bytes=131_072, overflow="skip"))
    ada, bob = relay.join(), relay.join()
    stream = relay.stream(receive_buffer_bytes=SMALL_BUFFER)
    said = 0
    # Much more than its kernel takes, so that it is skipped as soon as it reads; and bob hears each, so that he is not.
    while not relay.template().laggards or said < 1000:
        ada.say(numbered(said))
        assert number_of(bob.hear()) == said
        said += 1

    heard = [-1]
    while (event := stream.next()).type == "message":
        heard.append(number_of(event.data))
    gap = json.loads(event.data)

    assert event.type == "gap"
    assert gap["reason"] == "lagging"
    # Offsets begin with 1, and the numbers in the messages with 0.
    assert number(stream) == gap["offset"] > heard[-1] + 1


def test_stream_that_takes_nothing_any_more_is_cut(serve: Serve) -> None:
    relay = serve(rooms())
    stalled_stream(relay, relay.join())

    def let_time_pass() -> None:
        [member] = relay.server.hub.budget.waiting
        assert isinstance(member, SseMember)
        member.progress_s = -math.inf
        relay.server.keep_alive.sweep()

    relay.call(let_time_pass)

    ended(relay, "write_timeout", "sse")


def test_what_is_no_rooms_waits_for_the_end_of_the_event_that_is_being_sent(serve: Serve) -> None:
    relay = serve(rooms())
    stream, sent = stalled_stream(relay, relay.join())

    def tell() -> None:
        [member] = relay.server.hub.budget.waiting
        assert isinstance(member, SseMember)
        member.expiring(2000)
        member.expiring(1000)

    relay.call(tell)
    events = [stream.next() for _ in range(sent + 2)]

    told = [event for event in events if event.type != "message"]
    assert [json.loads(event.data) for event in told] == [{"expires_in_ms": 2000}, {"expires_in_ms": 1000}]
    assert [number_of(event.data) for event in events if event.type == "message"] == list(range(sent))


# --- keeping it alive


AT_ONCE = "[limits]\nping_interval_s = 0.1\npong_timeout_s = 0.1\n"
NO_DEADLINE = "[limits]\nping_interval_s = 0.1\npong_timeout_s = 0\n"


def test_quiet_stream_is_sent_comments_and_needs_not_answer_them(serve: Serve) -> None:
    relay = serve(AT_ONCE)
    stream = relay.stream()

    for _ in range(5):
        stream.comment()

    assert relay.template().members == 1


def test_nothing_is_written_between_the_halves_of_an_event(serve: Serve) -> None:
    relay = serve(rooms() + NO_DEADLINE)
    ada = relay.join()
    stream, sent = stalled_stream(relay, ada)
    # Two rounds of the clockwork, by one that answers.
    other = relay.stream()
    for _ in range(2):
        other.comment()

    assert [number(stream) for _ in range(sent)] == list(range(sent))


# --- the end


def ends(stream: EventStream) -> None:
    """Wait for the end of the stream, which must come next."""
    with pytest.raises(EOFError):
        stream.next()


def test_stream_is_told_when_to_come_back_before_a_restart(serve: Serve) -> None:
    relay = serve("[server]\ndrain_s = 60")
    stream = relay.stream()
    stream.begin()

    relay.ask_to_stop()

    goodbye = stream.told("goodbye")
    assert (goodbye["reason"], goodbye["code"]) == ("restart", 1012)
    assert 59_000 < goodbye["reconnect_after_ms"] == stream.source.reconnection_time_ms
    ends(stream)
    stream.wire.close()
    relay.wait_for_end()
    assert relay.diary.wait_for("stopped")["cut"] == 0


def test_stream_that_was_sent_away_is_told_not_to_come_back(serve: Serve) -> None:
    relay = serve()
    stream = relay.stream()

    def kick() -> None:
        for member in relay.server.keep_alive:
            member.dismiss(Reason.KICKED, "action=read")

    relay.call(kick)

    assert stream.told("goodbye") == {
        "reason": "kicked",
        "code": 4403,
        "reconnect_after_ms": None,
        "id": f"{relay.server.hub.epoch}.1",
        "detail": "action=read",
    }
    ends(stream)
    stream.wire.close()
    ended(relay, "kicked", "sse")


def test_first_goodbye_decides(serve: Serve) -> None:
    relay = serve()
    stream = relay.stream()

    def dismiss() -> None:
        for member in relay.server.keep_alive:
            member.dismiss(Reason.KICKED)
            member.dismiss(Reason.RESTART, retry_after_ms=1)

    relay.call(dismiss)

    assert stream.told("goodbye")["reason"] == "kicked"
    ends(stream)


def test_fault_of_ours_ends_the_stream_in_which_it_happened(serve: Serve) -> None:
    relay, clock = serve(), FailingClock()
    with entrance(relay, clock=clock) as door:
        streams = [open_stream(door.visit("")) for _ in range(2)]
        for stream in streams:
            stream.begin()

        relay.call(clock.fail_next)
        streams[0].wire.send(b"what time is it?")

        goodbye = streams[0].told("goodbye")
        assert goodbye.pop("id").startswith(f"{relay.server.hub.epoch}.")
        assert goodbye == {"reason": "internal", "code": 1011, "reconnect_after_ms": 0}
        ends(streams[0])
        door.diary.wait_for("internal fault", error="RuntimeError", dialect="sse")
        relay.join().say("still here")
        assert streams[1].hear() == "still here"


@pytest.mark.parametrize("how", ["close", "reset", "shut"])
def test_stream_whose_reader_leaves_is_gone(serve: Serve, how: str) -> None:
    relay = serve()
    stream = relay.stream()
    stream.begin()

    {"close": stream.wire.close, "reset": stream.wire.reset, "shut": stream.wire.shut}[how]()

    ended(relay, "gone", "sse")
    assert not relay.server.hub.rooms


def test_what_comes_behind_the_request_is_thrown_away(serve: Serve) -> None:
    relay = serve()
    ada, wire = relay.join(), relay.connect()

    wire.send(stream_head() + stream_head("/rooms/other"))
    status, headers = wire.read_head()
    stream = EventStream(wire, headers)
    stream.begin()
    wire.send(bytes(LATE_READ_BYTES // 2))
    ada.say("still here")

    assert status == 200
    assert stream.hear() == "still here"
    assert list(relay.call(lambda: list(relay.server.hub.rooms))) == [LOBBY]


def test_flood_behind_the_request_ends_the_stream(serve: Serve) -> None:
    relay = serve()
    stream = relay.stream()

    stream.wire.send(bytes(LATE_READ_BYTES + 1))

    assert stream.told("goodbye")["detail"] == f"sent_bytes={LATE_READ_BYTES + 1}"
    ends(stream)
    stream.wire.close()
    ended(relay, "protocol", "sse")


def test_flood_in_one_segment_with_the_request_ends_the_stream_likewise(serve: Serve) -> None:
    relay = serve("[limits]\nhead_max_bytes = 1024")
    wire = relay.connect()

    wire.send(stream_head() + bytes(4 * LATE_READ_BYTES))

    _, headers = wire.read_head()
    assert EventStream(wire, headers).told("goodbye")["reason"] == "protocol"
    wire.close()
    ended(relay, "protocol", "sse")
