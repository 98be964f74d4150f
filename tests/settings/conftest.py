"""A place to read settings from in which nothing is set: no file, no secret, no name in the environment."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the current one, and hide whatever configures the relay on this machine."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("ROOMCAST_"):
            monkeypatch.delenv(name)
    return tmp_path
