"""A copy of this checkout as a newcomer gets it: without what tools and runs have left here."""

import os
import shutil
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
LEFT_BEHIND: Final = shutil.ignore_patterns(".git", ".venv", ".*cache*", ".coverage*", ".hypothesis", "__pycache__")


def copy_checkout(target: Path) -> Path:
    """Copy the project, as it stands on disk, into ``target`` and return that."""
    return Path(shutil.copytree(ROOT, target, ignore=LEFT_BEHIND, symlinks=True))


def fresh_environment() -> dict[str, str]:
    """Return this process's environment without what a make that started the tests would pass on to another."""
    return {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
