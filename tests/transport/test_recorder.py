"""What is remembered of members and visitors: over real sockets, and until it is too old."""

from __future__ import annotations

from roomcast.metrics.record import AT_ONCE, TEXT_MAX_CHARS, Ending, Record
from roomcast.transport.recorder import Recorder
from tests.running import Relay, Serve
from tests.wire import get


def endings(relay: Relay, address: str = "127.0.0.1") -> list[Ending]:
    return relay.call(lambda: relay.server.counters.record.find("address", address, 99))


def test_member_that_sends_too_fast_is_remembered_with_the_limit(serve: Serve) -> None:
    relay = serve('[origins]\nallow = ["*"]\n[limits]\nmessages_per_s = 1\n')
    client = relay.join("/rooms/lobby", "Origin: http://127.0.0.1:1")
    for _ in range(9):
        client.say("x")
    relay.until(lambda: relay.server.counters.disconnects["rfc6455", "rate"] == 1)

    [ending] = endings(relay)

    assert (ending.reason, ending.code, ending.limit) == ("rate", 1008, "messages_per_s")
    assert ending.origin == "http://127.0.0.1:1"


def test_member_of_each_kind_is_remembered(serve: Serve) -> None:
    relay = serve('[origins]\nallow = ["*"]\n')
    relay.join()
    relay.join_hixie76()
    relay.stream()
    relay.call(lambda: relay.server.hub.close_room("/rooms/lobby"))
    relay.until(lambda: len(relay.server.counters.record) == 3)

    assert sorted(str(ending.dialect) for ending in endings(relay)) == ["hixie76", "rfc6455", "sse"]
    assert {(ending.reason, ending.code) for ending in endings(relay)} == {("room_closed", 4404)}


def test_long_path_is_cut(serve: Serve) -> None:
    relay = serve()
    relay.ask(get("/" + "a" * 300))

    [ending] = endings(relay)

    assert ending.kind == "refused"
    assert ending.room is not None
    assert len(ending.room) == TEXT_MAX_CHARS


def test_query_string_is_not_remembered(serve: Serve) -> None:
    relay = serve()
    relay.ask(get("/nothing?token=s3cr3t"))

    [ending] = endings(relay)

    assert "s3cr3t" not in repr(ending)


def test_old_endings_are_forgotten_while_nothing_new_comes() -> None:
    now_s = 0.0
    record = Record(10, 60)
    recorder = Recorder(record, lambda: now_s)
    record.add(Ending(id="a.1", kind="closed", at_s=0.0, reason="gone", code=None, age_s=0.0))

    recorder.forget_old()
    assert len(record) == 1

    now_s = 61.0
    recorder.forget_old()
    assert len(record) == 0
    recorder.stop()


def test_flood_that_has_grown_old_is_forgotten_to_its_end(serve: Serve) -> None:
    relay = serve()
    recorder = relay.server._membership.recorder

    def flood() -> None:
        for number in range(2 * AT_ONCE + 1):
            recorder.record.add(Ending(id=f"a.{number}", kind="closed", at_s=-1e9, reason="gone", code=None, age_s=0.0))
        recorder.forget_old()

    relay.call(flood)

    relay.until(lambda: len(recorder.record) == 0)


def test_record_that_shrinks_does_so_at_once_and_to_its_end(serve: Serve) -> None:
    relay = serve()
    recorder = relay.server._membership.recorder

    def flood_and_shrink() -> int:
        for number in range(2 * AT_ONCE):
            recorder.record.add(Ending(id=f"a.{number}", kind="closed", at_s=1e9, reason="gone", code=None, age_s=0.0))
        recorder.limit(2, 60)
        return len(recorder.record)

    # In the turn of a reload no more than in any other.
    assert relay.call(flood_and_shrink) == AT_ONCE

    relay.until(lambda: len(recorder.record) == 1)
