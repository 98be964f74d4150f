"""A configuration that changes while a relay serves: all of it or nothing, and nobody who is there notices."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import gevent
import pytest
from gevent.event import Event
from gevent.hub import get_hub

from roomcast.logs import Journal
from roomcast.policies.forwarded import Forwarding
from roomcast.server.plan import InUse
from roomcast.server.reload import Prepared, Reloading
from roomcast.settings import Loaded
from roomcast.transport.websocket import WebSocketMember
from tests.certificates import Files, issue, trusting
from tests.idle import idle_counters
from tests.processes import RelayProcess, command, relay_process
from tests.running import Relay, Serve, ask, metric, settings
from tests.tokens import SECRET
from tests.transport.rooms import LOBBY
from tests.wire import HANG_S, connect, get, rfc6455_head, shake_hands_rfc6455

ENDS = datetime(2100, 1, 1, tzinfo=UTC)
PAGE = "Origin: https://app.example"


def take(relay: Relay, toml: str) -> None:
    """Have a relay take these settings."""
    done = relay.counters.config_reloads["done"]
    relay.reload(settings(toml))
    assert relay.counters.config_reloads["done"] == done + 1, relay.diary.read()


def refuse(relay: Relay, toml: str) -> str:
    """Have a relay refuse these settings; return why."""
    relay.reload(settings(toml))
    return str(relay.diary.wait_for("configuration refused", level="error")["message"])


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


# --- nobody who is there notices


def test_members_of_all_kinds_go_on_talking_across_a_reload(serve: Serve) -> None:
    relay = serve()
    ada, bob, json = relay.join(), relay.join_hixie76(), relay.join(LOBBY, "Sec-WebSocket-Protocol: roomcast.json")
    stream = relay.stream()
    stream.begin()
    assert '"welcome"' in json.hear()

    take(relay, '[origins]\nallow = ["https://app.example"]\nsame_origin = false\n[deflate]\nenabled = true')
    newcomer = relay.join(LOBBY, PAGE)
    newcomer.say("hello")

    assert (ada.hear(), bob.hear()) == ("hello", "hello")
    assert '"hello"' in json.hear()
    assert stream.hear() == "hello"


def test_newcomers_meet_the_new_origins(serve: Serve) -> None:
    relay = serve()
    assert relay.ask(rfc6455_head(LOBBY, PAGE)).status == 403

    take(relay, '[origins]\nallow = ["https://app.example"]')

    assert relay.join(LOBBY, PAGE)
    record = relay.diary.wait_for("configuration reloaded")
    assert record["changes"] == ['origins.allow: [] -> ["https://app.example"]']


def test_template_that_is_gone_keeps_its_members_and_gets_no_new_ones(serve: Serve) -> None:
    relay = serve()
    ada, bob = relay.join(), relay.join()

    take(relay, '[[rooms]]\nname = "desks"\npath = "/desks/{desk}"')

    ada.say("hello")
    assert bob.hear() == "hello"
    assert relay.ask(rfc6455_head(LOBBY)).status == 404
    assert relay.join("/desks/one")
    assert relay.diary.wait_for("configuration reloaded")["changes"] == ["rooms.desks: added", "rooms.rooms: removed"]


def test_rules_of_a_room_change_for_those_who_are_in_it(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()

    take(relay, '[[rooms]]\nname = "rooms"\npath = "/rooms/{room}"\necho = true')
    relay.until(lambda: relay.server.hub.rooms[LOBBY].rules.echo)

    ada.say("hello")
    assert ada.hear() == "hello"


def test_limits_of_the_process_count_those_who_are_there(serve: Serve) -> None:
    relay = serve()
    relay.join()

    take(relay, "[limits]\nconnections_max = 1")
    assert relay.ask(rfc6455_head(LOBBY)).status == 503
    assert relay.metric("roomcast_connections_limit") == 1
    take(relay, "[limits]\nconnections_max = 2")

    assert relay.join()


def test_pings_begin_and_end_as_the_settings_say(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()

    relay.configured = Loaded(settings("").model_copy(update={"limits": settings("").limits.model_copy(update=PINGS)}))
    relay.call(relay.server.reload)

    assert ada.read_frame() == (9, b"")


def test_newcomers_are_probed_for_as_the_settings_say(serve: Serve) -> None:
    relay = serve("[limits]\nping_interval_s = 25\npong_timeout_s = 9")
    take(relay, "[limits]\nping_interval_s = 40\npong_timeout_s = 30")
    relay.join_hixie76()

    [member] = relay.server.keep_alive

    assert isinstance(member, WebSocketMember)
    told = [member._raw.getsockopt(socket.IPPROTO_TCP, name, 4) for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]
    assert [int.from_bytes(value, sys.byteorder) for value in told] == [40, 10]


PINGS = {"ping_interval_s": 0.2, "pong_timeout_s": 0.0}


def test_tokens_can_be_asked_for_from_now_on_and_no_more(serve: Serve) -> None:
    relay = serve()
    ada = relay.join()
    closed = f'[tokens]\nsecret = "{SECRET}"\n[[rooms]]\nname = "rooms"\npath = "/rooms/{{room}}"\naccess = "token"'

    take(relay, closed)
    assert relay.ask(rfc6455_head(LOBBY)).status == 401
    assert SECRET not in str(relay.diary.read())
    take(relay, "")

    relay.join().say("hello")
    assert ada.hear() == "hello"


def test_level_of_the_log_changes_at_once(serve: Serve) -> None:
    relay = serve()

    relay.configured = Loaded(settings('[log]\nlevel = "error"'))
    relay.call(relay.server.reload)
    relay.until(lambda: relay.server.counters.config_reloads["done"] == 1)
    relay.join()

    assert relay.records("joined") == []


def test_record_forgets_addresses_of_which_it_may_name_less_from_now_on(serve: Serve) -> None:
    relay = serve()
    relay.ask(get(LOBBY, PAGE))
    record = relay.server.counters.record

    take(relay, "[log]\nlines_per_s = 7")
    assert [ending.address for ending in record.find("origin", "https://app.example", 9)] == ["127.0.0.1"]
    take(relay, '[log]\naddresses = "truncated"')
    assert relay.call(lambda: len(record)) == 0

    relay.ask(get(LOBBY, PAGE))
    assert [ending.address for ending in record.find("origin", "https://app.example", 9)] == ["127.0.0.0/24"]


def test_handshake_across_a_reload_ends_with_as_much_of_its_address_as_may_be_named_then(serve: Serve) -> None:
    relay = serve()

    with connect(relay.address) as wire:
        wire.send(get(LOBBY, PAGE)[:-1])
        relay.until(lambda: relay.server.in_use().connections == 1)
        take(relay, '[log]\naddresses = "none"')
        wire.send(b"\n")
        assert wire.read_answer().status == 403

    record = relay.server.counters.record
    assert [ending.address for ending in record.find("origin", "https://app.example", 9)] == [""]
    assert relay.diary.wait_for("refused", level="warning")["address"] == ""


def test_what_is_warned_of_at_start_is_when_a_reload_brings_it(serve: Serve) -> None:
    relay = serve()

    take(relay, '[origins]\nallow = ["*"]\n[limits]\nreport_only = ["members_max"]')

    assert relay.diary.wait_for("any origin", level="warning")
    assert relay.diary.wait_for("limits are only reported", limits=["members_max"])
    assert relay.records("any proxy") == []


def test_reload_is_counted(serve: Serve) -> None:
    relay = serve()
    assert relay.metric("roomcast_config_last_reload_successful") == 1
    started_s = relay.metric("roomcast_config_last_reload_timestamp_seconds")

    refuse(relay, '[origins]\nallow = ["nowhere"]')
    assert relay.metric("roomcast_config_last_reload_successful") == 0
    assert relay.metric("roomcast_config_last_reload_timestamp_seconds") == started_s
    take(relay, "")

    assert relay.metric("roomcast_config_last_reload_successful") == 1
    assert relay.metric("roomcast_config_last_reload_timestamp_seconds") > started_s
    assert relay.metric('roomcast_config_reloads_total{outcome="done"}') == 1
    assert relay.metric('roomcast_config_reloads_total{outcome="refused"}') == 1


def test_reload_that_a_fault_ends_is_counted_as_refused(serve: Serve) -> None:
    relay = serve()
    # It finds nothing at all where it is configured: no mistake of anybody's in the file.
    del relay.configured

    relay.reload()

    assert relay.metric("roomcast_config_last_reload_successful") == 0
    assert relay.diary.wait_for("internal fault", level="error")["error"] == "AttributeError"


def test_storm_of_signals_is_one_reload_and_the_next(serve: Serve) -> None:
    relay = serve()

    def storm() -> None:
        for _ in range(100):
            relay.server.reload()

    relay.call(storm)
    relay.until(lambda: relay.server.counters.config_reloads["done"] > 0)
    take(relay, "[server]\ndemo = true")

    assert relay.counters.config_reloads["done"] == 2


class Unchanging:
    """A relay that takes whatever there is."""

    loaded = Loaded(settings(""))

    def change(self, prepared: Prepared) -> None:
        self.loaded = prepared.loaded

    def in_use(self, forwarding: Forwarding) -> InUse:
        raise AssertionError("nobody plans here")


def test_who_asks_while_files_are_read_has_them_read_once_more() -> None:
    loop, is_reading, may_go_on = get_hub().loop, Event(), threading.Event()
    found = [Loaded(settings("")), Loaded(settings("[server]\ndemo = true"))]

    def read(_: str | None) -> Loaded:
        loop.run_callback_threadsafe(is_reading.set)
        assert may_go_on.wait(HANG_S)
        return found.pop(0)

    reloading = Reloading(Unchanging(), read, Journal(print), idle_counters())
    first = gevent.spawn(reloading.reload)
    assert is_reading.wait(HANG_S)
    later = [gevent.spawn(reloading.reload) for _ in range(10)]
    may_go_on.set()

    assert first.get() == []
    assert [[change.key for change in each.get()] for each in later] == [["server.demo"]] * 10
    assert found == []


# --- all or nothing

GOOD = '[origins]\nallow = ["https://app.example"]\n'


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        ('[origins]\nallow = ["https://app.example", "nowhere"]', 'allow "nowhere"'),
        (GOOD + '[[rooms]]\nname = "a"\npath = "/a/{x}"\n[[rooms]]\nname = "b"\npath = "/a/{y}"', "ambiguous"),
        (GOOD + '[server]\ntrusted_proxies = ["nobody"]', "nobody"),
        (GOOD + '[admin]\nhosts = ["a:b"]', "a:b"),
        (GOOD + '[tokens]\nkeys = ["/nowhere/key"]', "/nowhere/key cannot be read"),
        (GOOD + '[[api_keys]]\nname = "backend"\nfile = "/nowhere/keys"\nscopes = ["read"]', "/nowhere/keys"),
        (GOOD + '[tls]\ncertificate = "/nowhere/cert"\nkey = "/nowhere/key"', "/nowhere/cert cannot be read"),
        (GOOD + '[log]\nformat = "json"', "log.format: only a start can take another value"),
        (
            GOOD + "[limits]\nsend_buffer_bytes = 8192\nreceive_buffer_bytes = 8192",
            "limits.send_buffer_bytes: only a start",
        ),
    ],
)
def test_whatever_is_wrong_leaves_everything_as_it_was(serve: Serve, toml: str, why: str) -> None:
    relay = serve()
    ada = relay.join()

    assert why in refuse(relay, toml)

    assert relay.ask(rfc6455_head(LOBBY, PAGE)).status == 403
    relay.join().say("hello")
    assert ada.hear() == "hello"


def test_certificate_that_appears_takes_a_start(serve: Serve, files: Files) -> None:
    relay = serve()

    assert refuse(relay, files.toml).startswith("tls.certificate, tls.key: only a start can take another value")


# --- the files that the settings name


def test_newcomers_get_the_new_certificate_and_members_notice_nothing(files: Files) -> None:
    relay = Relay(settings(files.toml), trusting())
    try:
        old = serial_number(relay)
        ada = relay.join()

        issue(files.certificate.parent, ends=ENDS)
        assert serial_number(relay) == old
        relay.call(relay.server.reload)
        relay.diary.wait_for("configuration reloaded")

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

        assert relay.diary.wait_for("configuration refused", level="error")["message"].startswith("[tls] key: ")
        assert serial_number(relay) == old
        assert relay.metric('roomcast_tls_reloads_total{outcome="failed"}') == 1
    finally:
        relay.stop()


# --- the process


@contextmanager
def process_with(path: Path, toml: str, *assignments: str) -> Iterator[RelayProcess]:
    path.write_text(toml)
    # A ping would come between its last words and ours.
    with relay_process("limits.ping_interval_s=0", *assignments, config=path) as process:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.exit_status() == 0


def test_hangup_signal_has_the_file_read_again_and_ends_nobody(tmp_path: Path) -> None:
    path = tmp_path / "roomcast.toml"
    with process_with(path, "") as process, connect(process.address) as wire:
        member = shake_hands_rfc6455(wire, LOBBY)
        path.write_text('[origins]\nallow = ["https://app.example"]\n[server]\ndemo = true')

        process.send_signal(signal.SIGHUP)

        assert process.wait_for("configuration reloaded")["changes"] == [
            'origins.allow: [] -> ["https://app.example"]',
            "server.demo: false -> true",
        ]
        assert ask(process.address, get("/")).headers["content-type"].startswith("text/html")
        member.say_goodbye()
        assert member.read_goodbye() == (1000, "peer")
        assert metric(process.private_address, 'roomcast_config_reloads_total{outcome="done"}') == 1


def test_hangup_signal_with_a_file_that_is_wrong_names_the_place_the_value_and_the_rule(tmp_path: Path) -> None:
    path = tmp_path / "roomcast.toml"
    with process_with(path, "") as process:
        path.write_text("[server]\ndemo = true\ndrain_s = -1\n")

        process.send_signal(signal.SIGHUP)

        refused = process.wait_for("configuration refused")
        assert refused["message"].startswith(f"{path} line 3: server.drain_s = -1: ")
        assert ask(process.address, get("/")).headers["content-type"].startswith("text/plain")


def test_file_that_is_missing_for_a_moment_is_no_configuration_of_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("config/roomcast.toml")
    path.parent.mkdir()
    with relay_process() as process:
        path.write_text(GOOD)
        process.send_signal(signal.SIGHUP)
        process.wait_for("configuration reloaded")

        path.unlink()
        process.send_signal(signal.SIGHUP)

        assert process.wait_for("configuration refused")["message"].startswith(f"{path}: cannot be read")


def test_command_line_keeps_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "roomcast.toml"
    with process_with(path, "", "server.demo=false") as process:
        path.write_text("[server]\ndemo = true\n")

        process.send_signal(signal.SIGHUP)

        assert process.wait_for("configuration reloaded")["changes"] == []


def test_what_lies_over_the_file_lies_over_every_file_that_is_planned_or_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "0123456789abcdef0123456789abcdef"
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "ROOMCAST_ADMIN__API_KEY").write_text(key)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    monkeypatch.setenv("ROOMCAST_LIMITS__ROOMS_MAX", "7")
    path, new = tmp_path / "roomcast.toml", tmp_path / "NEW.toml"
    new.write_text(
        f'[admin]\napi_key = "{key[::-1]}"\n[limits]\nrooms_max = 8\n[server]\ndemo = true\n{GOOD}',
    )
    with process_with(path, "", "server.demo=false") as process:
        monkeypatch.setenv("ROOMCAST_CLIENT_API_KEY", key)
        # Those of the relay count, and not those of whoever asks.
        monkeypatch.delenv("ROOMCAST_LIMITS__ROOMS_MAX")
        monkeypatch.delenv("CREDENTIALS_DIRECTORY")
        host, port = process.private_address

        with command("plan", str(new), "--url", f"http://{host}:{port}") as planning:
            planned, _ = planning.communicate(timeout=HANG_S)
        path.write_text(new.read_text())
        process.send_signal(signal.SIGHUP)

        allowed = 'origins.allow: [] -> ["https://app.example"]'
        assert (planning.returncode, planned) == (0, f"{allowed}\n")
        assert process.wait_for("configuration reloaded")["changes"] == [allowed]


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
