"""What a service manager is told, and that nobody waits for it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from roomcast.server.notify import Notifier, message


def test_message_is_a_variable_a_line() -> None:
    assert message(READY=1, STATUS="members: 0") == b"READY=1\nSTATUS=members: 0"


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_message_is_one_datagram(tmp_path: Path, kind: str) -> None:
    name = f"roomcast-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify") if kind == "path" else f"\0{name}")
        notifier = Notifier(str(tmp_path / "notify") if kind == "path" else f"@{name}")

        notifier.tell(WATCHDOG=1)
        notifier.tell(STOPPING=1)

        assert (ear.recv(100), ear.recv(100)) == (b"WATCHDOG=1", b"STOPPING=1")


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "notify"])
def test_address_that_is_none_is_told_nothing(address: str) -> None:
    notifier = Notifier(address)

    notifier.tell(READY=1)

    assert not notifier.is_heard


def test_manager_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "nowhere")).tell(READY=1)


def test_manager_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(path)
        notifier = Notifier(path)

        # More than any queue of datagrams holds: the system's default is ten.
        for number in range(2000):
            notifier.tell(STATUS=number)

        assert ear.recv(100) == b"STATUS=0"
