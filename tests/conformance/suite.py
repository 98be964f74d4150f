"""The Autobahn testsuite at work: its client in a process of its own, and a relay of ours that it speaks to.

The client runs under Python 2.7 (see ``fuzzing_client_27.py``) and says each verdict as soon as
it has one. The relay runs as operators start it, with ``relay.toml``.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, Any, Final

from tests import python27
from tests.conformance.verdicts import Verdict, missing
from tests.processes import RelayProcess, relay_process

HERE: Final = Path(__file__).parent
CONFIGURATION: Final = HERE / "relay.toml"

LARGEST_MESSAGE_BYTES: Final = 1 << 24
# A message of 16 MiB is there as what arrives, as what a room carries, as the frame that is written. More
# than four at a time would be a copy that nobody needs: ten members could then take a machine's memory.
GROWTH_MAX_BYTES: Final = 4 * LARGEST_MESSAGE_BYTES

# The longest wait that a case has of its own is 480 s, for 1000 messages of 128 KiB in 512 fragments each.
_CASE_TIMEOUT_S: Final = 500
# Ends a client that hangs beyond its own watchdog.
_RUN_TIMEOUT_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of some cases, one after another, against a relay of their own."""

    verdicts: list[Verdict]
    """One for each case, in order, whatever became of the run."""
    grown_bytes: int
    """By how much the relay's memory (RSS) was larger at its peak than before the first case."""

    @property
    def is_expected(self) -> bool:
        """Whether each case came to the best that there is for it, and the relay stayed small."""
        return self.grown_bytes <= GROWTH_MAX_BYTES and all(verdict.is_expected for verdict in self.verdicts)


def install() -> Path:
    """Return the Python that has the testsuite, installed at the first call.

    Raises:
        RuntimeError: If there is no Python 2.7, or no package index answers.
    """
    return python27.environment(HERE / "requirements.txt")


def run(
    cases: Sequence[str],
    *assignments: str,
    messages: int | None = None,
    hear: Callable[[Verdict], object] = lambda _: None,
) -> Batch:
    """Let the suite try these cases on a relay whose rooms echo.

    Args:
        cases: Their numbers.
        assignments: ``section.key=value``, for what is to be otherwise than in ``relay.toml``.
        messages: How many each case of the groups 12 and 13 sends; None for the suite's own 1000.
        hear: Called with each verdict as soon as it is there.
    """
    said: dict[str, Verdict] = {}
    with (
        relay_process(*assignments, config=CONFIGURATION) as relay,
        tempfile.TemporaryFile("w+", errors="replace") as errors,
    ):
        before_bytes = relay.resident_bytes()
        with _client(_order(relay, cases, messages), errors) as lines:
            for line in lines:
                verdict = Verdict.read(line)
                said[verdict.case] = verdict
                hear(verdict)
        grown_bytes = relay.peak_resident_bytes() - before_bytes
        errors.seek(0)
        last_words = errors.read()[-1000:]
    return Batch([said.get(case) or missing(case, last_words) for case in cases], grown_bytes)


def _order(relay: RelayProcess, cases: Sequence[str], messages: int | None) -> dict[str, Any]:
    host, port = relay.address
    return {
        "url": f"{relay.scheme}://{host}:{port}/rooms/{{case}}",
        "cases": list(cases),
        "messages": messages,
        "case_timeout_s": _CASE_TIMEOUT_S,
    }


@contextmanager
def _client(order: dict[str, Any], errors: IO[str]) -> Iterator[Iterable[str]]:
    """Run the suite's client, and hand over the lines that it says."""
    command: list[str | Path] = [install(), HERE / "fuzzing_client_27.py", json.dumps(order)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as client:
        assert client.stdout is not None
        watchdog = Timer(_RUN_TIMEOUT_S, client.kill)
        watchdog.start()
        try:
            yield client.stdout
        finally:
            watchdog.cancel()
            client.kill()
