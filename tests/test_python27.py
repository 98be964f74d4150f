"""How a Python 2.7 is found, and told from what only has its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import python27, skips

STAND_IN = "#!/bin/sh\necho 'python2.7: command not found' >&2\nexit 127\n"
REAL = "#!/bin/sh\nexit 0\n"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without one: nothing on the PATH, and nothing of pyenv's."""
    monkeypatch.delenv("PYTHON27", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    python27.find.cache_clear()
    yield tmp_path
    python27.find.cache_clear()


def test_stand_in_that_only_fails_is_none(nowhere: Path) -> None:
    program(nowhere / "bin" / "python2.7", STAND_IN)

    assert python27.find() is None


def test_stand_in_on_the_path_does_not_hide_what_it_stands_for(nowhere: Path) -> None:
    program(nowhere / "bin" / "python2.7", STAND_IN)
    real = program(nowhere / "pyenv" / "versions" / "2.7.18" / "bin" / "python2.7", REAL)

    assert python27.find() == real


def test_named_one_comes_before_that_of_the_path(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(nowhere / "bin" / "python2.7", REAL)
    named = program(nowhere / "opt" / "py27", REAL)
    monkeypatch.setenv("PYTHON27", str(named))

    assert python27.find() == named


def test_name_without_a_program_is_none(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON27", str(nowhere / "nothing"))

    assert python27.find() is None


@pytest.mark.parametrize(("text", "is_there"), [(STAND_IN, False), (REAL, True)])
def test_entry_that_needs_it_is_met_where_it_runs(
    nowhere: Path, request: pytest.FixtureRequest, text: str, *, is_there: bool
) -> None:
    program(nowhere / "bin" / "python2.7", text)

    assert skips.is_met("python2.7", request.config) is is_there


def test_environment_is_refused_where_there_is_none_with_what_to_do(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python27, "CACHE", nowhere / "cache")
    requirements = nowhere / "requirements.txt"
    requirements.write_text("six==1.16.0\n", encoding="utf-8")

    with pytest.raises(RuntimeError, match=r"no Python 2\.7 here; PYTHON27="):
        python27.environment(requirements)
