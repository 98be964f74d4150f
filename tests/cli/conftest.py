"""A place to start commands in where nothing is configured: no file, and no name in the environment."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an empty folder the current one, and hide whatever configures the relay on this machine."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("ROOMCAST_"):
            monkeypatch.delenv(name)
