"""What is read again while a relay serves: its certificate, and nobody who is there notices."""

from __future__ import annotations

import re
import signal
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.certificates import Files, issue, trusting
from tests.processes import command, relay_process
from tests.running import Relay, metric, settings
from tests.transport.rooms import LOBBY
from tests.wire import HANG_S, connect, shake_hands_rfc6455

ENDS = datetime(2100, 1, 1, tzinfo=UTC)


def serial_number(relay: Relay) -> str:
    """Return that of the certificate which a newcomer is shown."""
    with connect(relay.address, tls=trusting()) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        certificate = wire.socket.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return issue(tmp_path)


def test_newcomers_get_the_new_certificate_and_members_notice_nothing(files: Files) -> None:
    relay = Relay(settings(files.toml), trusting())
    try:
        old = serial_number(relay)
        ada = relay.join()

        issue(files.certificate.parent, ends=ENDS)
        assert serial_number(relay) == old
        relay.call(relay.server.reload)

        assert serial_number(relay) != old
        bob = relay.join()
        bob.say("hello")
        assert ada.hear() == "hello"
        ada.say("hello yourself")
        assert bob.hear() == "hello yourself"
        assert relay.metric('roomcast_tls_reloads_total{outcome="done"}') == 1
        assert relay.metric("roomcast_tls_certificate_expiry_timestamp_seconds") == ENDS.timestamp()
    finally:
        relay.stop()


def test_new_pair_that_does_not_fit_leaves_the_old_one(files: Files) -> None:
    relay = Relay(settings(files.toml), trusting())
    try:
        old = serial_number(relay)
        files.key.write_text("what was I to write here?")

        relay.call(relay.server.reload)

        assert serial_number(relay) == old
        assert relay.diary.wait_for("certificate refused", level="error")["message"].startswith("[tls] key: ")
        assert relay.metric('roomcast_tls_reloads_total{outcome="failed"}') == 1
    finally:
        relay.stop()


def test_hangup_signal_has_the_certificate_read_again_and_ends_nobody(files: Files) -> None:
    # A ping would come between its last words and ours.
    with relay_process("limits.ping_interval_s=0", *files.assignments) as process:
        with connect(process.address, tls=trusting()) as wire:
            member = shake_hands_rfc6455(wire, LOBBY)
            process.send_signal(signal.SIGHUP)
            assert process.wait_for("certificate loaded")["expires"]
            member.say_goodbye()
            assert member.read_goodbye() == (1000, "peer")
        assert metric(process.private_address, 'roomcast_tls_reloads_total{outcome="done"}') == 1
        process.send_signal(signal.SIGTERM)
        assert process.exit_status() == 0


def test_hangup_signal_says_that_there_is_nothing_to_reload_where_there_is_no_certificate() -> None:
    with relay_process() as process:
        process.send_signal(signal.SIGHUP)

        assert process.wait_for("nothing to reload")["level"] == "info"
        process.send_signal(signal.SIGTERM)
        assert process.exit_status() == 0


def test_hangup_signal_ends_a_relay_that_somebody_tries_out_in_a_terminal() -> None:
    with command("serve", "--dev", "--set", "server.port=0", "--set", "admin.port=0") as process:
        assert process.stdout is not None
        process.stdout.readline()

        process.send_signal(signal.SIGHUP)

        assert process.wait(HANG_S) == 0


def test_process_says_with_which_schemes_it_serves(files: Files) -> None:
    with relay_process("server.demo=true", *files.assignments) as process:
        [serving] = [line for line in process.output if '"serving"' in line]

    assert re.search(r'"chat": "https://127', serving)
    assert re.search(r'"wss://127', serving)
    assert re.search(r'"metrics": "http://127', serving)
