"""Doors that open, doors that cannot, and what is left behind."""

from __future__ import annotations

import _socket
import os
import socket
from pathlib import Path

import pytest

from roomcast.server import DoorError
from roomcast.server.doors import holder_of, open_door
from tests.running import Serve


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", r"192\.0\.2\.1 port 0: .+; set another: --set server\.host="),
        ("no-such-host.invalid", r"no-such-host\.invalid port 0: .+; set another: --set server\.host="),
        ("unix:/proc/nowhere/a.sock", r"unix:/proc/nowhere/a\.sock: No such file .+; set another: --set server\.host="),
    ],
)
def test_door_whose_address_cannot_be_is_an_error_that_says_what_to_set(serve: Serve, host: str, said: str) -> None:
    with pytest.raises(DoorError, match=rf"\[server\] cannot listen on {said}"):
        serve(f'[server]\nhost = "{host}"')


def test_path_that_somebody_listens_at_is_an_error_that_says_so(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    first = serve(f'[server]\nhost = "unix:{path}"')

    with pytest.raises(DoorError, match=r": Address already in use; stop it, or set another: --set server\.host="):
        serve(f'[server]\nhost = "unix:{path}"')

    assert first.ask().status == 200


def test_relay_whose_private_door_cannot_open_leaves_the_public_one_free(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(
            DoorError,
            match=rf"\[admin\] cannot listen on 127\.0\.0\.1 port {port}: .+, held by .+ \(pid .+ --set admin\.port=",
        ):
            serve(f'[server]\nhost = "unix:{path}"\n[admin]\nport = {port}')

    assert not path.exists()


# --- paths


def test_path_is_removed_with_its_door(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    door = open_door("server", f"unix:{path}", 0)
    assert (door.address, path.is_socket()) == (str(path), True)

    door.close()
    door.close()

    assert not path.exists()


def test_path_that_somebody_removed_already_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    door = open_door("server", f"unix:{path}", 0)

    path.unlink()

    door.close()


def test_path_that_a_successor_has_taken_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    door = open_door("server", f"unix:{path}", 0)
    path.unlink()
    successor = open_door("server", f"unix:{path}", 0)

    door.close()

    assert path.is_socket()
    successor.close()


# --- who holds a port


def test_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        holder = holder_of(listening.getsockname()[1])

    assert holder is not None
    assert holder.endswith(f"(pid {os.getpid()})")


def test_port_that_is_bound_and_not_listened_to_has_no_holder() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        assert holder_of(bound.getsockname()[1]) is None


def test_path_that_was_passed_on_is_left_to_who_made_it(tmp_path: Path) -> None:
    path = tmp_path / "public.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        passed_on = _socket.socket(fileno=os.dup(listening.fileno()))

        door = open_door("server", "unix:/nowhere", 0, passed_on=passed_on)
        door.close()

        assert door.address == str(path)
        assert path.is_socket()
