"""A verdict of the testsuite, and the table of many."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from tests.conformance.cases import INFORMATIONAL, MISSING, OK, TITLES, expected, group_of

# From best to worst: a case counts as the worse of how it went and how it closed.
_ORDER: Final = (
    OK,
    INFORMATIONAL,
    "NON-STRICT",
    "UNIMPLEMENTED",
    "WRONG CODE",
    "UNCLEAN",
    "FAILED BY CLIENT",
    "FAILED",
    MISSING,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the testsuite says of one case."""

    case: str
    verdict: str
    why: str
    """What the suite saw, in its words."""
    close_code: int | None
    duration_ms: int | None

    @classmethod
    def read(cls, line: str) -> Self:
        """Return what a line of the client says."""
        said: dict[str, Any] = json.loads(line)
        reasons = (said.get("result"), said.get("resultClose"), said.get("wasNotCleanReason"))
        return cls(
            case=said["id"],
            verdict=max(said["behavior"], said["behaviorClose"], key=_ORDER.index),
            why=" | ".join(reason for reason in reasons if reason),
            close_code=said.get("remoteCloseCode"),
            duration_ms=said.get("duration"),
        )

    @property
    def is_expected(self) -> bool:
        """Whether it is the best that there is for this case."""
        return self.verdict == expected(self.case)


def missing(case: str, why: str) -> Verdict:
    """Return the verdict of a case that the suite has said nothing of."""
    return Verdict(case, MISSING, f"the testsuite said nothing of it: {why}", None, None)


def count(verdicts: Iterable[Verdict]) -> str:
    """Return how many there are of each verdict, the best first: ``246 OK, 1 FAILED``."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    return ", ".join(f"{counts[name]} {name}" for name in _ORDER if counts[name])


def table(verdicts: Iterable[Verdict]) -> str:
    """Return a line for each group."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(group_of(verdict.case), []).append(verdict)
    return "\n".join(f"{group:>5}  {TITLES[group]:40} {count(of)}" for group, of in groups.items())
