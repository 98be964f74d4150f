"""The inputs that are kept: what guided runs found worth keeping, and every finding there ever was.

A file holds one input. Those that lead to different code are named by their
hash; a finding is named after what was wrong, and stays when the rest of a
corpus is replaced.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.fuzz.targets import Target

CORPUS: Final = Path(__file__).parent / "corpus"

FINDING: Final = "finding-"

_SLUG_MAX_CHARS = 60


def inputs(target: Target) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of all that a target begins with: its seeds, and the files of its corpus."""
    for number, seed in enumerate(target.seeds()):
        yield f"seed {number}", seed
    for path in files(CORPUS / target.name):
        yield path.name, path.read_bytes()


def files(directory: Path) -> list[Path]:
    """Return the files of a directory in the order of their names; none if there is no directory."""
    return sorted(directory.iterdir()) if directory.is_dir() else []


def add(directory: Path, data: bytes, name: str = "") -> Path:
    """Write an input under its hash, behind a name if there is one, and return where."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (name + hashlib.sha256(data).hexdigest()[:12])
    path.write_bytes(data)
    return path


def replace(directory: Path, chosen: Path) -> None:
    """Keep of a corpus its findings, and otherwise what was chosen."""
    for path in files(directory):
        if not path.name.startswith(FINDING):
            path.unlink()
    for path in files(chosen):
        add(directory, path.read_bytes())


def name_finding(error: BaseException) -> str:
    """Return the beginning of a file's name that says what was wrong."""
    # Behind a colon stands what differs from input to input.
    words = (str(error) if isinstance(error, AssertionError) else f"{type(error).__name__} {error}").partition(":")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower())[:_SLUG_MAX_CHARS].strip("-")
    return f"{FINDING}{slug}-"
