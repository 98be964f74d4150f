"""A lock file as pip and uv write it: each pin with its hashes, and below it who needs it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packaging.utils import canonicalize_name

PIN: Final = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+) \\$(?P<rest>(?:\n {4}\S?.*)+)", re.MULTILINE)
HASH: Final = re.compile(r"^ {4}--hash=sha256:[0-9a-f]{64}\b", re.MULTILINE)
VIA: Final = re.compile(r"^ {4}#(?: via| {2}) ([\w.-]+)", re.MULTILINE)


class Pin(NamedTuple):
    """One package of a lock."""

    name: str
    version: str
    hashes: int
    needed_by: frozenset[str]


def read(lock: Path) -> Iterator[Pin]:
    """Yield the pins of a lock, each with how many files it allows and whose dependency it is."""
    for match in PIN.finditer(lock.read_text(encoding="utf-8")):
        rest = match["rest"]
        needed_by = frozenset(canonicalize_name(name) for name in VIA.findall(rest))
        yield Pin(canonicalize_name(match["name"]), match["version"], len(HASH.findall(rest)), needed_by)
