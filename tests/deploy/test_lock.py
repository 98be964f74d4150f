"""The lock that the image is built from fits pyproject.toml; where it does not, `make lock` writes it anew."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.lock import Pin, read

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS: Final = {
    "requirements.lock": PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["tokens"],
    "build.lock": PROJECT["build-system"]["requires"],
}
# For whom uv says those are that are our own: for the project. For what it reads from a pipe it says nothing.
OURS: Final = frozenset({"roomcast"})

each_lock = pytest.mark.parametrize("name", LOCKS)


def pins_of(name: str) -> dict[str, Pin]:
    return {pin.name: pin for pin in read(ROOT / "deploy" / name)}


def wanted_by(name: str) -> dict[str, Requirement]:
    return {canonicalize_name(wanted.name): wanted for wanted in map(Requirement, LOCKS[name])}


@each_lock
def test_every_dependency_is_pinned_within_its_range(name: str) -> None:
    pins = pins_of(name)

    for package, requirement in wanted_by(name).items():
        assert package in pins, f"{requirement} is not in {name}"
        assert requirement.specifier.contains(pins[package].version), f"{name} has {pins[package]}, not {requirement}"


@each_lock
def test_nothing_is_pinned_that_nobody_needs(name: str) -> None:
    pins = pins_of(name)
    needing = OURS | set(pins)

    assert [pin for pin in pins.values() if not pin.needed_by <= needing] == []
    assert {pin.name for pin in pins.values() if not pin.needed_by or pin.needed_by & OURS} == set(wanted_by(name))


@each_lock
def test_every_pin_has_the_hashes_of_its_files(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    pins = pins_of(name)

    # pip hashes one wheel for each kind of machine; what has a source, too, has two files or more.
    assert len(re.findall(r"^[a-z]", text, re.MULTILINE)) == len(pins)
    assert [pin for pin in pins.values() if pin.hashes == 0] == []


@each_lock
def test_no_index_and_no_path_of_the_machine_that_made_it(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")

    assert re.findall(r"^.*(?:://|--index|--find-links| /).*$", text, re.MULTILINE) == []


def test_image_installs_by_hash_only() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    commands = re.split(r"\n|&&", dockerfile.replace("\\\n", ""))
    installing = [one for one in commands if re.search(r"\bpip (?:--python \S+ )?(?:install|wheel) ", one)]

    assert len(installing) == 4
    assert [one for one in installing if "--require-hashes" not in one and "--no-index" not in one] == []
