"""The command in a process of its own, as an operator starts it: signals, an exit status, a limit of open files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roomcast.logs import Record
from tests.wire import HANG_S


class RelayProcess:
    """A relay in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines = process.stdout
        """Its standard output, from where nobody has read yet."""
        self.output: list[str] = []
        """Its log so far, as far as it was read."""
        serving = self.wait_for("serving")
        self.scheme: str = serving["rooms"][0].partition(":")[0]
        """ws, or wss where it has a certificate."""
        self.address = _address(serving["rooms"][0])
        self.private_address = _address(serving["metrics"])
        self.chat_page: str = serving.get("chat", "")
        """The address of its chat page, where it has one."""

    def wait_for(self, event: str) -> Record:
        """Read on until a record of this event, and return it."""
        for line in self.lines:
            self.output.append(line)
            record: Record = json.loads(line)
            if record["event"] == event:
                return record
        raise AssertionError(f"the relay ended with {self.process.wait()} after {self.output}: {self.errors()}")

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_status(self) -> int:
        """Read what it still has to say, and wait for its end."""
        self.output += self.lines.readlines()
        return self.process.wait(HANG_S)

    def errors(self) -> str:
        """Return what it wrote to stderr, when it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def cpu_s(self) -> float:
        """Return the processor time that it has taken so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        # utime and stime are fields 14 and 15; the first here is number 3.
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Return how much memory it has in RAM now."""
        return self._status_bytes("VmRSS")

    def peak_resident_bytes(self) -> int:
        """Return the most memory that it has had in RAM since it started."""
        return self._status_bytes("VmHWM")

    def _status_bytes(self, name: str) -> int:
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            [kib] = [line.split()[1] for line in status if line.startswith(f"{name}:")]
        return int(kib) * 1024


@contextmanager
def relay_process(
    *assignments: str, config: Path | None = None, files_max: int | None = None
) -> Iterator[RelayProcess]:
    """Run ``python -m roomcast serve`` with these ``--set`` options; it is stopped at the end.

    Args:
        assignments: ``section.key=value``.
        config: Its configuration file; without one it has the checkout's.
        files_max: The limit of open files, as ``ulimit -n`` sets it.
    """
    with started(*assignments, config=config, files_max=files_max) as process:
        yield RelayProcess(process)


@contextmanager
def started(
    *assignments: str, config: Path | None = None, files_max: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a relay on any free ports, whatever becomes of it; its log is JSON unless it is told otherwise."""
    options = ("server.port=0", "admin.port=0", "admin.canary_interval_s=0", "log.format=json", *assignments)
    arguments = [part for assignment in options for part in ("--set", assignment)]
    if config is not None:
        arguments += ["--config", str(config)]
    with command("serve", *arguments, files_max=files_max) as process:
        yield process


@contextmanager
def command(*arguments: str, files_max: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start ``python -m roomcast`` with these arguments; it is stopped at the end."""
    line = command_line(*arguments)
    if files_max is not None:
        line = ["sh", "-c", f'ulimit -n {files_max} && exec "$@"', "sh", *line]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            _stop(process)


def command_line(*arguments: str) -> list[str]:
    """Return what starts the command of this checkout, wherever the test stands."""
    return [sys.executable, "-m", "roomcast", *arguments]


def _stop(process: subprocess.Popen[str]) -> None:
    """End it as an operator would, so that it can still say what coverage wants to know; or else by force."""
    process.terminate()
    try:
        # Reads what is left, too: a full pipe would keep it from ending.
        process.communicate(timeout=HANG_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.split("/")[2].rpartition(":")
    return str(socket.getaddrinfo(host.strip("[]"), port)[0][4][0]), int(port)
