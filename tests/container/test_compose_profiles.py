"""The composition says the same in every profile: what is started, and that nothing about it is doubtful."""

import json
import subprocess
from itertools import chain, combinations
from pathlib import Path
from typing import Final

import pytest

from tests.container.composition import Composition
from tests.container.engine import ROOT

ALWAYS: Final = {"relay", "prometheus"}
PROFILES: Final = {"grafana": {"grafana"}, "tls": {"proxy"}}
CHOICES: Final = [*chain.from_iterable(combinations(PROFILES, size) for size in range(len(PROFILES) + 1))]

each_choice = pytest.mark.parametrize("profiles", CHOICES, ids=lambda profiles: "+".join(profiles) or "none")


@each_choice
def test_configuration_is_clean(profiles: tuple[str, ...]) -> None:
    options = [part for profile in profiles for part in ("--profile", profile)]
    command = ["docker", "compose", *options, "config", "--quiet"]

    # Without any variable, as a newcomer has it.
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (said.stdout, said.stderr, said.returncode) == ("", "", 0)


@each_choice
def test_profile_adds_its_service_and_takes_none_away(profiles: tuple[str, ...]) -> None:
    services = set(Composition(*profiles)("config", "--services").split())

    assert services == ALWAYS.union(*(PROFILES[profile] for profile in profiles))


def test_no_other_profile_is_there() -> None:
    assert set(Composition()("config", "--profiles").split()) == set(PROFILES)


def test_every_service_is_locked_up() -> None:
    # Each writes only where it is told, starts without capabilities, and gains none.
    services = json.loads(Composition(*PROFILES)("config", "--format", "json"))["services"].values()

    assert len(services) == len(ALWAYS) + len(PROFILES)
    assert [service for service in services if service.get("read_only") is not True] == []
    assert [service for service in services if service["cap_drop"] != ["ALL"]] == []
    assert [service for service in services if service["security_opt"] != ["no-new-privileges:true"]] == []


def test_files_that_it_mounts_are_there() -> None:
    services = json.loads(Composition(*PROFILES)("config", "--format", "json"))["services"].values()
    mounts = [mount for service in services for mount in service["volumes"] if mount["type"] == "bind"]

    missing = {Path(mount["source"]).name for mount in mounts if not Path(mount["source"]).exists()}

    # Those two are the user's.
    assert missing == {"fullchain.pem", "privkey.pem"}
