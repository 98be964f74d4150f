"""Listening sockets that a service manager has opened, and passes on: socket activation, as systemd has it.

The manager listens while nobody does: who connects during a restart waits in the
queue for the next relay, and is refused nothing. It also may do what the relay
then needs no right for, as to listen at port 443.

What is passed is told by the environment: from descriptor 3 on, LISTEN_FDS of
them, named by LISTEN_FDNAMES, for the process LISTEN_PID and no other. A name
says whose door it is: "public" that of [server], "private" that of [admin]. The
host and port of that section then say nothing.

Source: sd_listen_fds(3); nothing of systemd's is needed for it.
"""

import _socket
import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from typing import Final

from roomcast.server.doors import DoorError

FIRST_DESCRIPTOR: Final = 3
"""Behind standard input, output and error."""
SECTIONS: Final = {"public": "server", "private": "admin"}
"""Whose door a descriptor of this name is: the section of the settings."""

_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def take_sockets(
    environment: MutableMapping[str, str], *, pid: int | None = None, first: int = FIRST_DESCRIPTOR
) -> dict[str, _socket.socket]:
    """Return the sockets that were passed on to this process, by the section of the settings that they are for.

    Args:
        environment: Of this process. What it says of sockets is taken out: nobody we start is meant.
        pid: By which number the system calls us.
        first: The first descriptor that may be one.

    Raises:
        DoorError: Naming the descriptor, and the rule it breaks.
    """
    said = {name: environment.pop(name, "") for name in _VARIABLES}
    if said["LISTEN_PID"] != str(pid or os.getpid()):
        return {}
    taken: dict[str, _socket.socket] = {}
    try:
        _take(_named(said, first), taken)
    except DoorError:
        for passed in taken.values():
            passed.close()
        raise
    return taken


def _take(named: list[tuple[int, str]], taken: dict[str, _socket.socket]) -> None:
    for descriptor, name in named:
        section = SECTIONS.get(name)
        if section is None:
            raise _unfit(descriptor, name, 'is named neither "public" nor "private": set FileDescriptorName= there')
        if section in taken:
            raise _unfit(descriptor, name, "is the second of this name, and a door has one address")
        taken[section] = _listening(descriptor, name)


def _named(said: Mapping[str, str], first: int) -> list[tuple[int, str]]:
    """Return each descriptor with its name."""
    count, names = said["LISTEN_FDS"], said["LISTEN_FDNAMES"].split(":")
    if count == "0":
        return []
    if not count.isdecimal():
        raise DoorError(f"LISTEN_FDS={count} is not the number of descriptors that were passed on")
    # As text: of a number with thousands of digits Python makes none.
    if count != str(len(names)):
        raise DoorError(f"LISTEN_FDS={count} descriptors were passed on, and LISTEN_FDNAMES names {len(names)}")
    return list(enumerate(names, start=first))


def _listening(descriptor: int, name: str) -> _socket.socket:
    try:
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError as error:
        raise _unfit(descriptor, name, f"cannot be used: {error.strerror}") from None
    if not is_socket:
        raise _unfit(descriptor, name, "is no socket")
    # Whoever is started from here on is not to hold it.
    os.set_inheritable(descriptor, False)
    passed = _socket.socket(fileno=descriptor)
    fault = _fault_of(passed)
    if fault is not None:
        passed.close()
        raise _unfit(descriptor, name, fault)
    return passed


def _fault_of(passed: _socket.socket) -> str | None:
    if passed.family not in _FAMILIES or passed.type != socket.SOCK_STREAM:
        return "is no stream of TCP, nor of a unix path: use ListenStream="
    if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen: it is a connection, as Accept=yes passes on"
    return None


def _unfit(descriptor: int, name: str, why: str) -> DoorError:
    return DoorError(f'descriptor {descriptor}, which was passed on as "{name}", {why}')
