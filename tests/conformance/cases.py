"""The cases of the Autobahn testsuite, and what each has to come to: all of it data.

Every case is ``OK`` but three, for which the suite knows no other verdict than
``INFORMATIONAL``: 7.1.6 sends a message, a close frame and a ping back to back, and 7.13
closes with codes that no RFC defines. So of 517 a server can have 514 and these three.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

# How many cases a group has, or each of its sub-groups. A zero is a sub-group that there is not.
_COUNTS: Final[dict[str, int | list[int]]] = {
    "1": [8, 8],
    "2": 11,
    "3": 7,
    "4": [5, 5],
    "5": 20,
    "6": [3, 4, 2, 4, 5, 11, 4, 2, 4, 3, 5, 8, 5, 10, 1, 3, 5, 5, 5, 7, 8, 34, 7],
    "7": [6, 0, 6, 0, 1, 0, 13, 0, 9, 0, 0, 0, 2],
    "9": [6, 6, 9, 9, 6, 6, 6, 6],
    "10": [1],
    "12": [18] * 5,
    "13": [18] * 7,
}

TITLES: Final = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "limits and performance",
    "10": "automatic fragmentation",
    "12": "compression of different payloads",
    "13": "compression with different parameters",
}

OK: Final = "OK"
INFORMATIONAL: Final = "INFORMATIONAL"
MISSING: Final = "MISSING"

_INFORMATIONAL_CASES: Final = frozenset({"7.1.6", "7.13.1", "7.13.2"})

_LARGE: Final = "9"
_COMPRESSED: Final = frozenset({"12", "13"})


def _numbers() -> Iterator[str]:
    for group, counts in _COUNTS.items():
        if isinstance(counts, int):
            yield from (f"{group}.{case}" for case in range(1, counts + 1))
            continue
        for subgroup, count in enumerate(counts, start=1):
            yield from (f"{group}.{subgroup}.{case}" for case in range(1, count + 1))


ALL: Final = tuple(_numbers())


def group_of(case: str) -> str:
    """Return the first number of a case's."""
    return case.partition(".")[0]


def expected(case: str) -> str:
    """Return the verdict that a server must have in a case."""
    return INFORMATIONAL if case in _INFORMATIONAL_CASES else OK


def matching(patterns: Iterable[str]) -> list[str]:
    """Return the cases that one of these patterns names, in the suite's order: ``9.1.6``, ``6.4.*``, ``*``.

    Raises:
        ValueError: If a pattern names no case.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        named = {case for case in ALL if fnmatchcase(case, pattern)}
        if not named:
            raise ValueError(f"{pattern!r} names no case: the groups are {', '.join(_COUNTS)}, as in 6.4.*")
        chosen |= named
    return [case for case in ALL if case in chosen]


def batches(cases: Iterable[str]) -> list[list[str]]:
    """Return the cases as lists that may run beside each other, each against a relay of its own.

    Compression takes most of the time, so each of its sub-groups is one. Group 9 is another,
    because its messages of 16 MiB are the measure of what memory the relay takes.
    """
    batches: dict[str, list[str]] = {}
    for case in cases:
        group = group_of(case)
        if group in _COMPRESSED:
            group = case.rpartition(".")[0]
        elif group != _LARGE:
            group = "small"
        batches.setdefault(group, []).append(case)
    return list(batches.values())
