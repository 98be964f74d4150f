"""The relay in a container that may write nothing and has no capability at all."""

import re
import urllib.request

import pytest
from websockets.sync.client import connect

from tests.container.engine import Container, EngineError


def status_of_process_1(relay: Container) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\s*(.*)$", relay.run("cat", "/proc/1/status"), re.MULTILINE))


def test_message_reaches_the_other_client_of_the_room(relay: Container) -> None:
    room = f"ws://{relay.address(8080)}/rooms/lobby"

    with connect(room) as sender, connect(room) as receiver:
        sender.send("hello from outside")

        assert receiver.recv(timeout=10) == "hello from outside"


def test_process_runs_as_the_image_s_numeric_user(relay: Container) -> None:
    status = status_of_process_1(relay)

    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4


def test_process_has_no_capability_and_can_gain_none(relay: Container) -> None:
    status = status_of_process_1(relay)

    assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
    assert status["NoNewPrivs"] == "1"


def test_relay_itself_is_process_1(relay: Container) -> None:
    # A shell in that place would keep SIGTERM to itself, and `docker stop` would end in a kill.
    arguments = relay.run("cat", "/proc/1/cmdline").split("\0")

    assert any(argument.endswith("/roomcast") for argument in arguments[:2])


@pytest.mark.parametrize("directory", ["/", "/tmp", "/var/tmp", "/opt/roomcast", "/etc/roomcast"])
def test_nothing_can_be_written(relay: Container, directory: str) -> None:
    with pytest.raises(EngineError, match="Read-only file system"):
        relay.run("touch", f"{directory}/written")


def test_engine_calls_it_healthy_because_healthz_answered(relay: Container) -> None:
    health = relay.inspect("State.Health")

    assert isinstance(health, dict)
    assert health["Status"] == "healthy"
    assert health["Log"][-1]["Output"] == "/healthz answers 200\n"


def test_metrics_are_on_the_private_door_only(relay: Container) -> None:
    with urllib.request.urlopen(f"http://{relay.address(8081)}/metrics", timeout=10) as answer:
        assert b"roomcast_build_info" in answer.read()

    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://{relay.address(8080)}/metrics", timeout=10)
