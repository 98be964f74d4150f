from __future__ import annotations

from itertools import product

from roomcast.metrics import NO_DIALECT, TransportCounters
from roomcast.relay.reasons import Reason
from tests.idle import idle_counters

DIALECTS = ("rfc6455", "hixie76")
SPOKEN = (*DIALECTS, "sse")


def test_handshakes_are_counted_by_dialect_even_before_there_is_one() -> None:
    assert set(idle_counters().handshakes) == set(product((*SPOKEN, NO_DIALECT), ("accepted", "origin")))


def test_connections_and_their_ends_have_a_dialect_each() -> None:
    counters = idle_counters()

    assert counters.connections == {"rfc6455": 0, "hixie76": 0, "sse": 0}
    assert set(counters.disconnects) == set(product(SPOKEN, Reason))


def test_door_may_know_other_reasons_than_rooms_have() -> None:
    counters = TransportCounters(DIALECTS, ["accepted"], reasons=["gone"])

    assert counters.disconnects == {("rfc6455", "gone"): 0, ("hixie76", "gone"): 0}


def test_each_dialect_and_no_event_stream_counts_every_opcode_in_a_list_of_its_own() -> None:
    counters = idle_counters()
    counters.frames_received["rfc6455"][0xF] += 1

    assert counters.frames_received == {"rfc6455": [0] * 15 + [1], "hixie76": [0] * 16}
    assert counters.frames_sent == {"rfc6455": [0] * 16, "hixie76": [0] * 16}
