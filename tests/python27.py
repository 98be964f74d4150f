"""A Python 2.7, where there is one, and environments for programs that need it.

Two witnesses of what the protocols mean have never left that version: the Autobahn
testsuite, and a client that speaks hixie-76. Nothing of ours runs under it but the
small programs that drive them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roomcast-conformance"

# The last one that makes environments for 2.7; it runs under every Python that Roomcast does.
_VIRTUALENV: Final = "virtualenv==20.21.1"
_IS_IT: Final = "import sys; sys.exit(sys.version_info[:2] != (2, 7))"


@cache
def find() -> Path | None:
    """Return a Python 2.7 that runs: the one that ``PYTHON27`` names, or that of the PATH, or one of pyenv's."""
    return next((python for python in _candidates() if is_python27(python)), None)


def _candidates() -> Iterator[Path]:
    for named in (os.environ.get("PYTHON27"), shutil.which("python2.7")):
        if named:
            yield Path(named)
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob("versions/2.7.*/bin/python2.7"))


def is_python27(python: Path) -> bool:
    """Tell whether a program is what its name says.

    That it exists is not enough: pyenv puts a stand-in for each of its programs on the
    PATH, which does nothing but fail where that version is not chosen.
    """
    try:
        return subprocess.run([python, "-c", _IS_IT], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def environment(requirements: Path) -> Path:
    """Return the Python of an environment with what this file lists, made at the first call and then kept.

    Raises:
        RuntimeError: If there is no Python 2.7, or it could not be installed; the message ends with why.
    """
    text = requirements.read_bytes()
    directory = CACHE / f"python27-{hashlib.sha256(text).hexdigest()[:12]}"
    stamp = directory / "installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Another run of the tests may be about to make the same.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            shutil.rmtree(directory, ignore_errors=True)
            _make(directory, requirements)
            stamp.touch()
    return directory / "bin" / "python"


def _make(directory: Path, requirements: Path) -> None:
    python = find()
    if python is None:
        raise RuntimeError("no Python 2.7 here; PYTHON27=/path/to/python2.7 names one")
    maker = directory / "virtualenv"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--target", maker, _VIRTUALENV)
    _run(sys.executable, "-m", "virtualenv", "--quiet", "--python", python, directory, PYTHONPATH=str(maker))
    _run(directory / "bin" / "pip", "install", "--quiet", "--requirement", requirements)


def _run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        line = " ".join(map(str, command))
        raise RuntimeError(f"{line} ended with status {done.returncode}: {done.stdout[-2000:]}")
