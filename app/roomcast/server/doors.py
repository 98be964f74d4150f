"""The addresses of the two doors: how they are taken, and what is said when they are not to be had."""

import _socket
import errno
import os
from contextlib import suppress
from glob import glob

from roomcast.transport.listener import UNIX_PREFIX, SocketOptions, adopt, bind


class DoorError(OSError):
    """A door could not be opened; the message says which, why, and what to do."""


class Door:
    """An address that is ours, and the socket that listens there.

    Args:
        listening: From ``bind``, or ``adopt``.
        is_ours: Whether we made it, and the file of its path with it.
    """

    def __init__(self, listening: _socket.socket, *, is_ours: bool = True) -> None:
        self.listening = listening
        address = listening.getsockname()
        self.address: tuple[str, int] | str = address if isinstance(address, str) else address[:2]
        self._file = _file_at(self.address) if is_ours else None

    def leave(self) -> None:
        """Remove the file of a path, unless a successor has put its own there.

        Called before the socket is closed: until then no other file can have the
        number by which ours is known.
        """
        if self._file is not None and _file_at(self.address) == self._file:
            # What may not be removed is found abandoned by the next relay here.
            with suppress(OSError):
                os.unlink(str(self.address))
        self._file = None

    def close(self) -> None:
        """Leave, and listen no more."""
        self.leave()
        self.listening.close()


def _file_at(address: tuple[str, int] | str) -> tuple[int, int] | None:
    """Return what tells the file at a path from any other; None where there is none."""
    if isinstance(address, str):
        with suppress(FileNotFoundError):
            found = os.stat(address)
            return found.st_dev, found.st_ino
    return None


def open_door(
    section: str,
    host: str,
    port: int,
    options: SocketOptions | None = None,
    passed_on: _socket.socket | None = None,
) -> Door:
    """Listen at the address that a section of the settings names, or where somebody does already for us.

    Args:
        section: "server" or "admin".
        host: As ``bind``.
        port: Likewise.
        options: Likewise.
        passed_on: A socket that listens, in the place of both.

    Raises:
        DoorError: If it is not to be had.
    """
    if passed_on is not None:
        return Door(adopt(passed_on, options), is_ours=False)
    try:
        return Door(bind(host, port, options))
    except OSError as error:
        place = host if host.startswith(UNIX_PREFIX) else f"{host} port {port}"
        raise DoorError(f"[{section}] cannot listen on {place}: {_remedy(section, host, port, error)}") from None


def _remedy(section: str, host: str, port: int, error: OSError) -> str:
    """Return what is wrong, and what to do about it."""
    is_taken, is_path = error.errno == errno.EADDRINUSE, host.startswith(UNIX_PREFIX)
    # Of a port there are others, unless the address itself is none of ours.
    key = "port" if not is_path and error.errno in (errno.EADDRINUSE, errno.EACCES) else "host"
    other = f"set another: --set {section}.{key}=…"
    if not is_taken:
        return f"{error.strerror}; {other}"
    holder = None if is_path else holder_of(port)
    held = f", held by {holder}" if holder else ""
    return f"{error.strerror}{held}; stop it, or {other}"


def holder_of(port: int) -> str | None:
    """Return the process that listens on a TCP port of this machine, as ``name (pid 4711)``; None if it cannot be seen.

    Linux only, and only for processes that we may look at.
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), open(table, encoding="ascii") as lines:
            rows = [line.split() for line in lines][1:]
            # Columns: local address as hex:hex, state (0A is listening), inode.
            inodes |= {
                f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
            }
    for descriptor in glob("/proc/[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(descriptor) in inodes:
                pid = descriptor.split("/")[2]
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
                    return f"{name.read().strip()} (pid {pid})"
    return None
