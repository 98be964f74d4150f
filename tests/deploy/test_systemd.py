"""The units of systemd: what its own tool thinks of them, and a relay under a manager that behaves as systemd does."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from roomcast.policies.schedule import ENDING_S
from roomcast.settings import Settings
from roomcast.settings.keys import NAMES
from tests.processes import command_line
from tests.running import ask, ask_admin
from tests.service_manager import ServiceManager
from tests.wire import HANG_S, connect, get, rfc6455_head, shake_hands_rfc6455

SYSTEMD: Final = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICE: Final = (SYSTEMD / "roomcast.service").read_text("utf-8")
PROGRAM: Final = "/opt/roomcast/bin/roomcast"
LOBBY: Final = "/rooms/lobby"
# In tenths, as the tool has it: from 2.0 on it would no longer be "OK".
EXPOSURE_MAX: Final = 19


def value_of(key: str) -> str:
    [value] = re.findall(rf"^{key}=(.+)$", SERVICE, re.MULTILINE)
    return str(value)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Return the units as installed, with a program that there is."""
    program = Path(sys.executable).with_name("roomcast")
    for unit in SYSTEMD.glob("roomcast.*"):
        (tmp_path / unit.name).write_text(unit.read_text("utf-8").replace(PROGRAM, str(program)), "utf-8")
    return sorted(tmp_path.iterdir())


def analyze(*arguments: str | Path) -> str:
    """Return what systemd's tool says, which must be content."""
    tool = shutil.which("systemd-analyze")
    assert tool is not None
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_s_tool_finds_no_fault_with_the_units(units: list[Path]) -> None:
    assert analyze("verify", "--man=no", *units) == ""


def test_systemd_s_tool_finds_the_service_hardly_exposed(units: list[Path]) -> None:
    service = next(unit for unit in units if unit.suffix == ".service")

    said = analyze("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", service)

    assert "MemoryDenyWriteExecute" in said


def test_service_is_started_with_options_that_there_are() -> None:
    program, command, *options = value_of("ExecStart").split()
    shown = subprocess.run(command_line(command, "--help"), capture_output=True, text=True, timeout=HANG_S, check=True)

    assert program == PROGRAM
    assert {option for option in options if option.startswith("--")} <= set(re.findall(r"--[a-z]+", shown.stdout))


def test_service_has_the_patience_that_a_drain_takes() -> None:
    assert float(value_of("TimeoutStopSec")) >= Settings().server.drain_s + ENDING_S


@pytest.mark.parametrize("text", [SERVICE, (SYSTEMD / "README.md").read_text("utf-8")], ids=["unit", "page"])
def test_secrets_are_named_as_settings_are(text: str) -> None:
    names = set(re.findall(r"\bROOMCAST_[A-Z_]+", text))

    assert names
    assert names <= NAMES.keys()


# --- a relay, and a manager that behaves as systemd does


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@roomcast-test-{tmp_path.name}-{id(request)}"
    manager = ServiceManager(address)
    yield manager
    manager.close()


@pytest.fixture
def public() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_service_is_ready_when_it_serves_and_says_so_when_it_reloads_and_stops(
    manager: ServiceManager, public: socket.socket
) -> None:
    before_usec = time.monotonic() * 1e6
    with manager.started("server.drain_s=3", sockets={"public": public}) as process:
        ready = manager.hear("READY")
        served = ask(process.address, get()).status

        process.send_signal(signal.SIGHUP)
        reloading, reloaded = manager.hear("RELOADING"), manager.hear("READY")

        process.send_signal(signal.SIGTERM)
        stopping = manager.hear("STOPPING")
        status = process.exit_status()

    assert (ready, served, status) == ({"READY": "1", "STATUS": "members: 0"}, 200, 0)
    assert before_usec < int(reloading["MONOTONIC_USEC"]) < time.monotonic() * 1e6
    assert reloaded == ready
    assert stopping["EXTEND_TIMEOUT_USEC"] == "4500000"


def test_manager_that_does_not_read_is_no_fault_of_the_relay_s(manager: ServiceManager, public: socket.socket) -> None:
    with manager.started(sockets={"public": public}, environment={"WATCHDOG_USEC": "20000"}) as process:
        manager.hear("READY")
        manager.be_deaf()

        # Ten times as long as it has for a sign of life.
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            assert ask(process.address, get()).status == 200

        process.send_signal(signal.SIGTERM)
        assert process.exit_status() == 0
        assert "internal fault" not in "".join(process.output)


def test_service_says_that_it_lives_and_how_many_are_there(manager: ServiceManager, public: socket.socket) -> None:
    with (
        manager.started(sockets={"public": public}, environment={"WATCHDOG_USEC": "200000"}) as process,
        connect(process.address) as wire,
    ):
        manager.hear("READY")
        shake_hands_rfc6455(wire, LOBBY)
        while (alive := manager.hear("WATCHDOG"))["STATUS"] != "members: 1":
            assert alive["WATCHDOG"] == "1"


def test_who_connects_during_a_restart_waits_for_the_next_relay(manager: ServiceManager, public: socket.socket) -> None:
    address = public.getsockname()
    with manager.started(sockets={"public": public}) as first:
        assert first.address == address
        first.send_signal(signal.SIGTERM)
        assert first.exit_status() == 0

    with connect(address) as wire:
        wire.send(rfc6455_head(LOBBY))
        with manager.started(sockets={"public": public}):
            assert wire.read_head()[0] == 101


def test_both_doors_may_be_passed_on(manager: ServiceManager, public: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as private:
        addresses = public.getsockname(), private.getsockname()
        with manager.started(sockets={"private": private, "public": public}) as process:
            assert (process.address, process.private_address) == addresses
            assert ask_admin(process.private_address, "/readyz").status == 200


def test_socket_of_another_name_is_an_error_that_says_what_to_set(public: socket.socket, tmp_path: Path) -> None:
    manager = ServiceManager(str(tmp_path / "notify"))
    try:
        with (
            pytest.raises(AssertionError, match=r'ended with 2 .+"roomcast\.socket", is named neither "public" nor'),
            manager.started(sockets={"roomcast.socket": public}),
        ):
            raise RuntimeError("it began to serve")
    finally:
        manager.close()
