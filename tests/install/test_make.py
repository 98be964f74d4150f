"""What ``make run`` says on a machine that lacks something: one message, with what to do, and no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.install.checkout import copy_checkout, fresh_environment

TOO_OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_ENSUREPIP = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec "{sys.executable}" "$@"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path / "a fresh checkout")


def make_run(checkout: Path, python: str) -> subprocess.CompletedProcess[str]:
    program = checkout.parent / "some python"
    program.write_text(python, encoding="utf-8")
    program.chmod(0o755)
    command = ["make", "run", f"PYTHON={program}"]
    return subprocess.run(command, cwd=checkout, env=fresh_environment(), capture_output=True, text=True, check=False)


def test_python_that_is_too_old_is_named_with_what_to_install(checkout: Path) -> None:
    done = make_run(checkout, TOO_OLD)

    assert done.returncode != 0
    assert "Roomcast needs Python 3.11 or newer" in done.stderr
    assert f"none of these is: {checkout.parent / 'some python'}" in done.stderr
    assert "apt install python3" in done.stderr
    assert done.stdout == ""


def test_python_without_ensurepip_is_named_with_the_package_that_has_it(checkout: Path) -> None:
    done = make_run(checkout, WITHOUT_ENSUREPIP)

    assert done.returncode != 0
    assert f"{checkout.parent / 'some python'} has no module ensurepip" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_help_names_every_target_that_is_meant_for_people(checkout: Path) -> None:
    done = subprocess.run(["make"], cwd=checkout, capture_output=True, text=True, check=True)

    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    targets = [line.split()[1] for line in makefile.splitlines() if line.startswith(".PHONY:") and "venv" not in line]
    assert [name for name in targets if name != "help" and f"make {name} " not in done.stdout] == []
