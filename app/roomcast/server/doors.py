"""The addresses of the two doors: how they are taken, and what is said when they are not to be had."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import glob

from roomcast.transport.listener import UNIX_PREFIX


class DoorError(OSError):
    """A door could not be opened; the message says which, why, and what to do."""


@contextmanager
def named(section: str, host: str, port: int) -> Iterator[None]:
    """Turn the system's "no" into a sentence that names the door, the reason and the key to turn."""
    try:
        yield
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
