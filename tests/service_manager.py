"""A service manager as systemd is one, for one relay: it holds sockets, passes them on, and hears how the relay is."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from tests.processes import RelayProcess, command_line
from tests.wire import HANG_S

Said = dict[str, str]
"""What one datagram says, by variable."""

# Above all that a process has open when it begins.
_FREE = 100
# As systemd does it between fork and exec: the descriptors to where they are looked for, and for whom they are.
_PASS_ON = """
import os, sys
count = int(sys.argv[1])
for number in range(count):
    os.dup2(int(sys.argv[2 + number]), 3 + number)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


class ServiceManager:
    """What it holds while relays come and go.

    Args:
        address: Where it hears; ``@`` and a name for an abstract one.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.settimeout(HANG_S)
        self._ear.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def close(self) -> None:
        self._ear.close()

    def be_deaf(self) -> None:
        """Read nothing from here on, with a queue that is full: nobody can tell it a word more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(BlockingIOError):
            sender.setblocking(False)
            while True:
                sender.sendto(b"STATUS=", self._ear.getsockname())

    def hear(self, variable: str) -> Said:
        """Return the next datagram that says something of a variable. What is said before it is only a status."""
        while variable not in (said := self.hear_next()):
            assert said.keys() <= {"STATUS", "WATCHDOG"}, f"{said} comes before {variable}"
        return said

    def hear_next(self) -> Said:
        lines = self._ear.recv(65_536).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    @contextmanager
    def started(
        self, *assignments: str, sockets: Mapping[str, socket.socket], environment: Mapping[str, str] | None = None
    ) -> Iterator[RelayProcess]:
        """Start a relay with these sockets, by name; whatever becomes of it, it has ended at the end."""
        options = ("server.port=0", "admin.port=0", "admin.canary_interval_s=0", "log.format=json", *assignments)
        line = command_line("serve", *(part for option in options for part in ("--set", option)))
        with ExitStack() as closing:
            passed = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, _FREE) for sock in sockets.values()]
            process = closing.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _PASS_ON, str(len(passed)), *map(str, passed), *line],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    pass_fds=passed,
                    env=self._environment(sockets, environment or {}),
                )
            )
            closing.callback(process.kill)
            for descriptor in passed:
                socket.close(descriptor)
            yield RelayProcess(process)

    def _environment(self, sockets: Mapping[str, socket.socket], environment: Mapping[str, str]) -> dict[str, str]:
        told = {"NOTIFY_SOCKET": self._address}
        if sockets:
            told |= {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(sockets)}
        return {**os.environ, **told, **environment}
