"""The relay as a process: signals, exit statuses, and life without descriptors."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from roomcast.policies.schedule import ENDING_S
from tests.processes import RelayProcess, relay_process, started
from tests.running import ask, ask_admin, metric
from tests.wire import (
    HANG_S,
    connect,
    get,
    rfc6455_head,
    shake_hands_hixie76,
    shake_hands_rfc6455,
)

LOBBY = "/rooms/lobby"
RESTART = re.compile(r"restart retry_after_ms=(\d+)")
# The first is due a quarter of a second after the start, and where a goodbye is waited for would come before it.
NO_PINGS = "limits.ping_interval_s=0"


def test_process_says_where_it_serves() -> None:
    with relay_process("server.demo=true", "server.host=0.0.0.0", "origins.allow=*") as process:
        assert process.wait_for("any origin")["level"] == "warning"
        assert '"any proxy"' not in "".join(process.output)

    [serving] = [json.loads(line) for line in process.output if '"serving"' in line]
    assert re.fullmatch(r"http://localhost:\d+/", serving["chat"])
    assert re.fullmatch(r"ws://localhost:\d+/rooms/\{room\}", serving["rooms"][0])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/metrics", serving["metrics"])
    assert not serving.keys() & {"public", "private"}


def test_process_warns_of_trust_in_everybody() -> None:
    with relay_process("server.trusted_proxies=10.0.0.0/8,0.0.0.0/0") as process:
        assert process.wait_for("any proxy")["level"] == "warning"


def test_process_warns_of_limits_that_it_only_reports() -> None:
    with relay_process("limits.report_only=members_max,bytes_per_s") as process:
        assert process.wait_for("limits are only reported")["limits"] == ["members_max", "bytes_per_s"]


def test_ipv6_process_says_where_it_serves() -> None:
    with relay_process("server.host=::", "admin.host=::1") as process:
        [serving] = [json.loads(line) for line in process.output if '"serving"' in line]

    assert re.fullmatch(r"ws://localhost:\d+/rooms/\{room\}", serving["rooms"][0])
    assert re.fullmatch(r"http://\[::1\]:\d+/metrics", serving["metrics"])


def test_process_says_which_paths_it_serves_and_what_is_there(tmp_path: Path) -> None:
    doors = (f"server.host=unix:{tmp_path}/http.sock", f"admin.host=unix:{tmp_path}/private.sock")
    with started(*doors, "server.demo=true") as process:
        assert process.stdout is not None
        serving = json.loads(process.stdout.readline())

    assert (serving["public"], serving["private"]) == (f"unix:{tmp_path}/http.sock", f"unix:{tmp_path}/private.sock")
    assert (serving["chat"], serving["rooms"], serving["metrics"]) == ("/", ["/rooms/{room}"], "/metrics")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_that_is_told_to_stop_says_goodbye_to_both_dialects_and_exits_with_0(number: signal.Signals) -> None:
    with relay_process("server.drain_s=10", NO_PINGS) as process:
        new = shake_hands_rfc6455(connect(process.address), LOBBY)
        old = shake_hands_hixie76(connect(process.address), LOBBY)

        process.send_signal(number)

        goodbye = new.read_goodbye()
        assert goodbye.code == 1012
        assert RESTART.fullmatch(goodbye.reason)
        # One of the two keeps it draining, until it has answered.
        old.read_goodbye()
        assert ask(process.address, get("/-/ready")).status == 503
        assert ask_admin(process.private_address, "/readyz").status == 503
        assert ask(process.address, rfc6455_head(LOBBY)).status == 503
        new.say_goodbye(1012)
        old.say_goodbye()
        assert new.wire.read_to_end() == old.wire.read_to_end() == b""
        new.close()
        old.close()
        assert process.exit_status() == 0
    assert '"event": "stopped"' in process.output[-1]


def test_second_signal_ends_the_process_at_once() -> None:
    endless = relay_process("server.drain_s=3600", "limits.close_timeout_s=300", NO_PINGS)
    with endless as process, connect(process.address) as wire:
        member = shake_hands_rfc6455(wire, LOBBY)
        process.send_signal(signal.SIGTERM)
        assert member.read_goodbye().code == 1012

        process.send_signal(signal.SIGTERM)

        assert process.exit_status() == 0


def test_process_with_whom_nobody_cooperates_ends_soon_after_its_drain() -> None:
    with relay_process("server.drain_s=0.5", "limits.close_timeout_s=60", NO_PINGS) as process:
        # Nobody reads its log any more, a scrape does not come to its end, a member does not go.
        stuff_log(process)
        with connect(process.private_address) as scrape, connect(process.address) as wire:
            scrape.send(b"POST /readyz HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            assert scrape.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 405 ")
            member = shake_hands_rfc6455(wire, LOBBY)

            begin_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert member.read_goodbye().code == 1012
            assert process.process.wait(HANG_S) == 0

            assert 0.5 < time.monotonic() - begin_s < 0.5 + ENDING_S


def stuff_log(process: RelayProcess) -> None:
    """Have it write more lines than its pipe takes."""
    fcntl.fcntl(process.lines, fcntl.F_SETPIPE_SZ, 4096)
    for _ in range(100):
        assert ask(process.address, get(LOBBY)).status == 426


def test_process_without_members_ends_at_once() -> None:
    with relay_process("server.drain_s=3600") as process:
        process.send_signal(signal.SIGTERM)

        assert process.exit_status() == 0


def test_process_whose_port_is_taken_exits_with_2_and_names_who_holds_it() -> None:
    with relay_process() as process, started(f"server.port={process.address[1]}") as other:
        output, errors = other.communicate(timeout=HANG_S)

        assert (other.returncode, output) == (2, "")
        assert f"[server] cannot listen on 127.0.0.1 port {process.address[1]}" in errors
        assert f"(pid {process.process.pid})" in errors
        assert "--set server.port=" in errors
        assert "Traceback" not in errors


# --- without descriptors

FILES_MAX = 64


def test_newcomers_get_503_before_the_descriptors_run_out() -> None:
    with relay_process(files_max=FILES_MAX) as process:
        wires = [connect(process.address) for _ in range(FILES_MAX // 2)]
        members = [shake_hands_rfc6455(wire, LOBBY) for wire in wires]

        assert ask(process.address, rfc6455_head(LOBBY)).status == 503
        assert metric(process.private_address, "roomcast_connections_limit") == FILES_MAX // 2

        members[0].close()
        members[1].close()
        members[2].say("hello")
        assert members[3].hear() == "hello"
        # One more may be let in as soon as the relay has seen that one has left.
        assert process.wait_for("left")
        with connect(process.address) as wire:
            assert shake_hands_rfc6455(wire, LOBBY)
        for wire in wires:
            wire.close()


def test_newcomers_wait_while_there_are_no_descriptors_and_the_processor_is_idle() -> None:
    with relay_process("limits.connections_max=0", files_max=FILES_MAX) as process:
        wires = [connect(process.address) for _ in range(FILES_MAX)]
        for wire in wires:
            wire.send(rfc6455_head(LOBBY))
        wait_for_want(process, "public")
        # A scrape that finds no descriptor waits as well, and costs nothing either.
        scrape = connect(process.private_address)
        scrape.send(get("/healthz", "Connection: close"))
        wait_for_want(process, "private")
        before_s = process.cpu_s()
        # Five times refused by the system is a second in which nothing could be done.
        for _ in range(5):
            wait_for_want(process, "public")
        assert process.cpu_s() - before_s < 0.2

        for wire in wires[: FILES_MAX // 2]:
            wire.close()

        for wire in wires[FILES_MAX // 2 :]:
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
            wire.close()
        assert scrape.read_answer().status == 200
        scrape.close()
        process.send_signal(signal.SIGTERM)
        assert process.exit_status() == 0
        assert process.errors() == ""


def wait_for_want(process: RelayProcess, door: str) -> None:
    """Wait until a door has found that there are no descriptors."""
    record = process.wait_for("cannot accept")
    while record["door"] != door:
        record = process.wait_for("cannot accept")
    assert (record["error"], record["again_in_s"]) == ("Too many open files", 0.2)


def test_process_takes_all_the_descriptors_that_it_may() -> None:
    with relay_process() as process, open(f"/proc/{process.process.pid}/limits", encoding="ascii") as limits:
        [line] = [line for line in limits if line.startswith("Max open files")]

    soft, hard = line.split()[3:5]
    assert soft == hard
    assert os.sysconf("SC_OPEN_MAX") <= int(hard)
