"""Readers that there is no memory for: who is told, who is cut, and that the kernel lets go of what it kept."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from roomcast.relay.log import Log
from roomcast.relay.reasons import Reason
from tests.running import OVER_TLS_TOO, Relay, Serve
from tests.transport.rooms import SMALL_BUFFER, ended, number_of, numbered, rooms, stall
from tests.wire import CLOSE, TEXT, Rfc6455Client, goodbye_of

pytestmark = OVER_TLS_TOO

MIB = 1 << 20
# Some of that for laggards, and time to read all that the kernel holds before the close frame.
LITTLE = rooms() + f"[limits]\nlag_total_max_bytes = {4 * MIB}\nclose_timeout_s = 20\n"


def held_bytes(relay: Relay) -> int:
    return relay.call(lambda: relay.server.hub.budget.held_bytes)


def ends_of(client: Rfc6455Client) -> list[str]:
    """Return the relay's address and the client's, as the kernel lists them for the relay's end."""
    addresses = client.wire.socket.getpeername(), client.wire.socket.getsockname()
    return [f"0100007F:{port:04X}" for _, port in addresses]


def kernel_knows(ends: list[str]) -> bool:
    """Whether the relay's end of a connection is still there, with or without the relay."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(line.split()[1:3] == ends for line in lines)


def test_what_is_held_for_a_reader_that_stalls_includes_the_kernel_s_part(serve: Serve) -> None:
    relay = serve(rooms())
    stalled, sent = stall(relay, relay.join())

    [in_kernel] = relay.call(lambda: list(relay.server.hub.budget.waiting.values()))

    assert in_kernel > 65_536
    assert held_bytes(relay) > in_kernel
    while number_of(stalled.hear()) < sent - 1:
        pass
    relay.until(lambda: relay.server.hub.budget.held_bytes == 0)


def test_who_would_become_a_laggard_where_memory_is_tight_is_told_so(serve: Serve) -> None:
    relay = serve(LITTLE)
    ada, bob = relay.join(), relay.join()
    late = relay.join(receive_buffer_bytes=SMALL_BUFFER)
    log = Log()
    relay.call(lambda: relay.server.hub.budget.charge_log(log, 4 * MIB * 4 // 5 + 1))
    sent = 0
    while relay.template().dropped.get(Reason.OVERLOADED, 0) == 0:
        ada.say(numbered(sent))
        assert number_of(bob.hear()) == sent
        sent += 1

    heard = 0
    while (got := late.read_frame()).opcode == TEXT:
        assert number_of(got.payload.decode()) == heard
        heard += 1

    assert (got.opcode, goodbye_of(got.payload)) == (CLOSE, (1013, "overloaded"))
    late.say_goodbye(1013)
    assert late.wire.read_to_end() == b""
    ended(relay, "overloaded")
    template = relay.template()
    assert template.delivered + template.dropped[Reason.OVERLOADED] == 2 * sent
    assert relay.metric('roomcast_limit_hits_total{action="closed",limit="lag_total_max_bytes"}') == 1
    relay.call(lambda: relay.server.hub.budget.charge_log(log, 0))
    assert held_bytes(relay) == 0


def test_laggard_above_the_limit_is_reset_and_the_others_notice_nothing(serve: Serve) -> None:
    relay = serve(LITTLE)
    ada = relay.join()
    stalled, sent = stall(relay, ada)
    relay.until(lambda: relay.server.hub.templates["rooms"].received_text == sent)
    bob = relay.join()

    for number in range(sent, sent + 150):
        ada.say(numbered(number))
        assert number_of(bob.hear()) == number

    ended(relay, "overloaded")
    assert relay.template().dropped[Reason.OVERLOADED] > 0
    assert held_bytes(relay) == 0
    # Which of the two, is up to OpenSSL.
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        stalled.wire.read_to_end()


@pytest.mark.parametrize(
    ("limits", "reason"), [("write_timeout_s = 0.2", "write_timeout"), ("lag_total_max_bytes = 1048576", "overloaded")]
)
def test_kernel_lets_go_at_once_of_a_reader_that_is_cut(serve: Serve, limits: str, reason: str) -> None:
    relay = serve(rooms() + f"[limits]\n{limits}\n")
    ada = relay.join()
    stalled, sent = stall(relay, ada)
    ends = ends_of(stalled)
    before = kernel_knows(ends)

    for number in range(sent, sent + 50):
        ada.say(numbered(number))
    ended(relay, reason)

    # Left to itself, it would try for minutes to bring a peer that takes nothing what it has.
    assert (before, kernel_knows(ends)) == (True, False)


def test_kernel_lets_go_of_one_that_overflowed_when_its_time_is_over(serve: Serve) -> None:
    relay = serve(rooms(lag_max_bytes=131_072) + "[limits]\nclose_timeout_s = 0.1\n")
    ada = relay.join()
    stalled, sent = stall(relay, ada)
    ends = ends_of(stalled)

    for number in range(sent, sent + 50):
        ada.say(numbered(number))
    ended(relay, "lagging")

    assert not kernel_knows(ends)


def test_member_that_ends_well_is_not_reset_though_it_reads_late(serve: Serve) -> None:
    relay = serve(rooms() + "[limits]\nclose_timeout_s = 0.1\n")
    ada = relay.join()
    slow = relay.join(receive_buffer_bytes=SMALL_BUFFER)
    for number in range(4):
        ada.say(numbered(number))
    relay.until(lambda: relay.server.hub.templates["rooms"].delivered == 4)
    slow.say_goodbye()
    relay.until(lambda: relay.server.counters.disconnects["rfc6455", "peer"] == 1)

    assert [number_of(slow.hear()) for _ in range(4)] == [0, 1, 2, 3]
    assert slow.read_goodbye().reason == "peer"
    assert slow.wire.read_to_end() == b""
