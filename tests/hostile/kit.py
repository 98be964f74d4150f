"""A relay with honest members in it, on which cases are run one after another.

After each case the honest members must have heard what got through of it and
nothing else, one must still reach the other, and the counters must have gone up
by what the outcome says and by nothing else.

A scrape takes its turn in the relay's own loop, so asking until the numbers are
right needs no clock: what has not been counted yet is being done before the
answer to the next question.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Final, Self

from tests.certificates import issue, trusting
from tests.hostile.cases import ROOM, TLS, Attacker, Case, Counts
from tests.hostile.outcomes import Counted
from tests.processes import RelayProcess, relay_process
from tests.running import ask_admin
from tests.wire import HANG_S, PING, PONG, TEXT, Address, Wire, connect, frame, shake_hands_rfc6455

HONEST_MEMBERS: Final = 2

# What an attack is counted by. Messages are compared one by one instead: see Honest.
_COUNTED: Final = re.compile(r"^(roomcast_(?:handshakes|disconnects|limit_hits)_total\{.*\}) (\S+)$", re.MULTILINE)
# What must be as before when an attack is over.
_LEFT: Final = re.compile(
    r"^(roomcast_(?:connections|rooms|members|laggards|publishers_paused)\{.*\}|roomcast_lag_bytes) (\S+)$",
    re.MULTILINE,
)


class Honest:
    """Members of the room that attackers enter: they hear what gets through, and each other."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None) -> None:
        self._members = [_Member(connect(address, tls=tls)) for _ in range(HONEST_MEMBERS)]
        self._said = 0

    def close(self) -> None:
        for member in self._members:
            member.close()

    def expect(self, relayed: tuple[str | bytes, ...]) -> None:
        """Each has heard this and nothing else, and one hears the other."""
        self._said += 1
        speaker, hearer = self._members[self._said % 2], self._members[(self._said + 1) % 2]
        words = f"number {self._said}"
        speaker.say(words)
        # Who speaks hears nothing of itself: what it has heard too much is noticed when it hears the next time.
        for member, expected in ((hearer, (*relayed, words)), (speaker, relayed)):
            heard = tuple(member.hear() for _ in expected)
            assert heard == expected, f"honest members heard {heard!r:.300} and not {expected!r:.300}"


class _Member:
    """One of them. A thread listens for it, so that it answers pings and keeps up whatever takes how long."""

    def __init__(self, wire: Wire) -> None:
        self._client = shake_hands_rfc6455(wire, ROOM)
        self._client.wire.socket.settimeout(None)
        self._heard: SimpleQueue[str | bytes] = SimpleQueue()
        self._ear = Thread(target=self._listen, daemon=True)
        self._ear.start()

    def say(self, text: str) -> None:
        self._client.say(text)

    def hear(self) -> str | bytes:
        """Return the next message, which must come."""
        try:
            return self._heard.get(timeout=HANG_S)
        except Empty:
            raise AssertionError("an honest member heard nothing") from None

    def close(self) -> None:
        with suppress(OSError):
            self._client.wire.socket.shutdown(socket.SHUT_RDWR)
        self._ear.join(HANG_S)
        self._client.close()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                opcode, payload = self._client.read_frame()
                if opcode == PING:
                    self._client.wire.send(frame(PONG, payload))
                else:
                    self._heard.put(payload.decode() if opcode == TEXT else payload)


class Kit:
    """A relay, its honest members, and its numbers.

    Args:
        address: Of its public door.
        private_address: Of the other.
        tls: The clients' side of TLS, where the relay speaks that.
    """

    def __init__(self, address: Address, private_address: Address, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self._private_address = private_address
        self._tls = tls
        self._honest = Honest(address, tls)
        self._before, self._left = self._scrape()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._honest.close()

    def run(self, case: Case) -> None:
        """Run one case; everything must be as it was, and the outcome counted. Raises AssertionError."""
        try:
            with Attacker(self.address, source=case.source, tls=self._tls) as attacker:
                case.play(attacker)
                if isinstance(case.outcome, Counted) and case.outcome.is_relays_work:
                    self._await_counts(case.outcome.counts)
            self._honest.expect(case.outcome.relayed)
            self._expect_counted(case.outcome.counts)
        except BaseException:
            self._begin_anew()
            raise

    def _begin_anew(self) -> None:
        """Let one case that fails be no reason for the next to fail."""
        self._honest.close()
        self._honest = Honest(self.address, self._tls)
        self._before, self._left = self._scrape()

    def _expect_counted(self, counts: Counts) -> None:
        self._before = self._await_counts(counts)

    def _await_counts(self, counts: Counts) -> Mapping[str, int]:
        """Ask until all is counted and nothing is left; a number that is too high will not come right."""
        deadline_s = time.monotonic() + HANG_S
        while True:
            now, left = self._scrape()
            seen = {name: now[name] - self._before.get(name, 0) for name in now if now[name] != self._before.get(name)}
            if seen == counts and left == self._left:
                return now
            is_late = time.monotonic() > deadline_s
            if is_late or any(value > counts.get(name, 0) for name, value in seen.items()):
                changed = {name: value for name, value in left.items() if value != self._left.get(name)}
                raise AssertionError(f"counted {seen}, and not {dict(counts)}; left over {changed}")

    def _scrape(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        text = ask_admin(self._private_address, "/metrics").body.decode()
        return _series(_COUNTED, text), _series(_LEFT, text)


def _series(pattern: re.Pattern[str], text: str) -> Mapping[str, int]:
    return {name: int(float(value)) for name, value in pattern.findall(text)}


class ProcessKit(Kit):
    """The same, on a relay in a process of its own, of which the system can be asked more."""

    def __init__(self, process: RelayProcess, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(process.address, process.private_address, tls)
        self.process = process
        self._log = process.lines
        self.faults: list[str] = []
        """The lines of its log that speak of a fault of its own."""
        # A log that nobody reads fills its pipe.
        self._reader = Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self._descriptors = self.descriptors()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        # Its log is ours to read, to the end.
        self.process.send_signal(signal.SIGTERM)
        self._reader.join(HANG_S)

    def _read_log(self) -> None:
        for line in self._log:
            if "internal fault" in line or '"level": "error"' in line:
                self.faults.append(line)

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.process.process.pid}/fd"))

    def expect_nothing_left(self) -> None:
        """Ask until it has as many descriptors as before the first case, and is as empty."""
        deadline_s = time.monotonic() + HANG_S
        while self.descriptors() != self._descriptors:
            assert time.monotonic() < deadline_s, f"{self.descriptors()} descriptors, and not {self._descriptors}"
            self._scrape()
        self._expect_counted({})
        assert self.faults == []


class Relays:
    """A relay process for each combination of settings that cases ask for; each is started when it is needed."""

    def __init__(self) -> None:
        self._processes = ExitStack()
        self.kits: dict[tuple[str, ...], ProcessKit] = {}
        self.done: list[Case] = []
        """Every case that was run, and had its outcome."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    def kit_for(self, case: Case) -> ProcessKit:
        """Return the relay on which this case is to be run."""
        if case.settings not in self.kits:
            self.kits[case.settings] = self._processes.enter_context(self._started(case.settings))
        return self.kits[case.settings]

    @contextmanager
    def _started(self, settings: tuple[str, ...]) -> Iterator[ProcessKit]:
        with ExitStack() as stack:
            assignments, tls = [one for one in settings if one != TLS], None
            if TLS in settings:
                directory = Path(stack.enter_context(TemporaryDirectory()))
                assignments += issue(directory).assignments
                tls = trusting()
            with _untraced():
                process = stack.enter_context(relay_process(*assignments))
            yield stack.enter_context(ProcessKit(process, tls))

    def run(self, case: Case) -> None:
        """Run one case. Raises AssertionError, OSError or EOFError where its outcome is another one."""
        self.kit_for(case).run(case)
        self.done.append(case)

    def rss_bytes(self) -> dict[tuple[str, ...], int]:
        """Return the memory of each relay, by its settings, when nothing is left of any case."""
        for kit in self.kits.values():
            kit.expect_nothing_left()
        return {settings: kit.process.resident_bytes() for settings, kit in self.kits.items()}


@contextmanager
def _untraced() -> Iterator[None]:
    """Have coverage leave alone what is started here: its tables would count as the relay's memory, and grow."""
    name = "COVERAGE_PROCESS_CONFIG"
    config = os.environ.pop(name, None)
    try:
        yield
    finally:
        if config is not None:
            os.environ[name] = config


@contextmanager
def as_many_files_as_allowed() -> Iterator[int]:
    """Let this process have as many descriptors as it may, and say how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
