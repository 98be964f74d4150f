"""Who may use the API, as the settings say it: over a real door."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from roomcast.api.keys import KeyFileError
from roomcast.server import prepare
from roomcast.server.api import is_loopback
from roomcast.settings import Loaded
from tests.api.calls import KEY, TAKES_TOKENS, TEXT, WITH_KEY, Caller, shown
from tests.processes import relay_process
from tests.running import Serve, settings
from tests.transport.rooms import rooms
from tests.wire import rfc6455_head

OTHER = "fedcba9876543210fedcba9876543210"


def holder(path: Path, keys: str, *scopes: str, name: str = "backend") -> str:
    """Write a file of keys, and return the settings that name it."""
    path.write_text(keys)
    return f'[[api_keys]]\nname = "{name}"\nfile = "{path}"\nscopes = {list(scopes)}\n'.replace("'", '"')


def statuses(caller: Caller) -> list[int]:
    """Return what somebody is answered who reads, publishes and closes."""
    return [caller.get("rooms").status, caller.say("hello").status, caller.delete("members/a.1").status]


def test_scope_opens_its_own_operations_and_no_others(serve: Serve, tmp_path: Path) -> None:
    files = [
        holder(tmp_path / scope, digit * 32, scope, name=scope)
        for digit, scope in zip("123", ("read", "publish", "admin"), strict=True)
    ]
    relay = serve(WITH_KEY + "".join(files))

    assert statuses(Caller(relay, "1" * 32)) == [200, 403, 403]
    assert statuses(Caller(relay, "2" * 32)) == [403, 200, 403]
    assert statuses(Caller(relay, "3" * 32)) == [403, 403, 404]
    assert statuses(Caller(relay)) == [200, 200, 404]
    assert statuses(Caller(relay, "4" * 32)) == [401, 401, 401]


def test_without_a_key_loopback_looks_and_changes_nothing(serve: Serve) -> None:
    assert statuses(Caller(serve(), key="")) == [200, 403, 403]


def test_without_a_key_a_door_to_everywhere_tells_nothing(serve: Serve) -> None:
    relay = serve('[admin]\nhost = "0.0.0.0"\n')

    assert statuses(Caller(relay, key="")) == [403, 403, 403]
    assert relay.ask_admin("/metrics").status == 200


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        (("127.0.0.1", 1), True),
        (("127.9.9.9", 1), True),
        (("::1", 1), True),
        ("/run/private.sock", True),
        (("0.0.0.0", 1), False),
        (("::", 1), False),
        (("192.0.2.7", 1), False),
    ],
)
def test_door_is_local_where_its_own_machine_only_reaches_it(address: tuple[str, int] | str, is_local: bool) -> None:
    assert is_loopback(address) is is_local


def test_door_answers_to_the_hosts_that_are_listed(serve: Serve) -> None:
    caller = Caller(serve(f'{WITH_KEY}hosts = ["relay.internal"]\n'))

    def told(host: str) -> int:
        return caller.call("GET", "rooms", headers={"Host": host}).status

    assert [told(host) for host in ("relay.internal", "localhost:9", "[::1]", "evil.example")] == [200, 200, 200, 421]


def test_page_of_another_origin_publishes_nothing(serve: Serve) -> None:
    caller = Caller(serve(WITH_KEY))

    assert caller.say("hello", Origin="https://evil.example").status == 403


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[admin]\nhosts = ["a.example:80"]', 'hosts "a.example:80": a name has no port'),
        ('[[api_keys]]\nname = "a"\nfile = "/nowhere"\nscopes = ["read"]', 'api_keys "a": /nowhere cannot be read'),
    ],
)
def test_what_cannot_be_built_is_said_before_there_is_a_relay(toml: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        prepare(Loaded(settings(toml)))


def test_relay_without_its_keys_does_not_start(serve: Serve) -> None:
    with pytest.raises(KeyFileError, match="/nowhere cannot be read"):
        serve('[[api_keys]]\nname = "a"\nfile = "/nowhere"\nscopes = ["read"]')


def test_keys_are_rotated_while_the_relay_serves(serve: Serve, tmp_path: Path) -> None:
    relay = serve(holder(tmp_path / "keys", KEY, "read"))
    old, new = Caller(relay), Caller(relay, OTHER)

    def may() -> list[int]:
        return [caller.get("rooms").status for caller in (old, new)]

    holder(tmp_path / "keys", f"{OTHER}\n{KEY}", "read")
    assert may() == [200, 401]
    relay.reload()
    assert may() == [200, 200]
    holder(tmp_path / "keys", OTHER, "read")
    relay.reload()
    assert may() == [401, 200]
    holder(tmp_path / "keys", "short", "read")
    relay.reload()

    assert may() == [401, 200]
    refused = relay.diary.wait_for("configuration refused", level="error")
    assert refused["message"].startswith(f'api_keys "backend": {tmp_path}/keys line 1 is shorter than 32 characters')


def test_hangup_signal_has_the_keys_read_again(tmp_path: Path) -> None:
    holder(tmp_path / "keys", KEY, "read")
    table = f'api_keys=[{{"name": "backend", "file": "{tmp_path}/keys", "scopes": ["read"]}}]'
    with relay_process(table) as process:
        process.send_signal(signal.SIGHUP)

        assert process.wait_for("configuration reloaded")["changes"] == []


def test_subject_that_is_revoked_is_sent_away_wherever_it_is_and_does_not_come_back(serve: Serve) -> None:
    relay = serve(WITH_KEY + TAKES_TOKENS + rooms(access="token"))
    caller = Caller(relay)
    members = [relay.join(f"/rooms/{name}", shown(sub="alice")) for name in ("one", "two")]
    bob = relay.join("/rooms/one", shown(sub="bob"))

    told = caller.post("revocations", {"subject": "alice", "ttl_s": 3600})

    assert (told.status, told.json) == (200, {"members": 2})
    assert [member.read_goodbye() for member in members] == [(4403, "revoked")] * 2
    caller.say("still there?", "/rooms/one")
    assert bob.hear() == "still there?"
    assert relay.ask(rfc6455_head("/rooms/one", shown(sub="alice"))).status == 401


def test_messages_of_the_api_and_of_members_are_counted_apart(serve: Serve) -> None:
    relay = serve(WITH_KEY + rooms())
    caller, ada, bob = Caller(relay), relay.join(), relay.join()

    ada.say("from a member")
    assert bob.hear() == "from a member"
    caller.say("from outside")
    caller.call("POST", "messages", "room=/rooms/lobby", b"x", TEXT | {"Content-Type": "text/html"})

    assert relay.metric('roomcast_messages_received_total{kind="text",template="rooms"}') == 1
    assert relay.metric('roomcast_messages_published_total{kind="text",template="rooms"}') == 1
    answers = 'roomcast_api_requests_total{{method="POST",route="/api/v1/messages",status="{}"}}'
    assert [relay.metric(answers.format(status)) for status in (200, 415, 429)] == [1, 1, 0]
