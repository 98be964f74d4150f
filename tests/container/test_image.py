"""What the image is, before anything of it runs as a relay."""

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from roomcast import __version__
from tests.container.engine import ROOT, docker
from tests.container.size import MIB, history_of, parts_of, report
from tests.deploy.lock import read


def setting(image: str, field: str) -> object:
    return json.loads(docker("inspect", "--format", f"{{{{json .Config.{field}}}}}", image))


def test_user_is_a_number_other_than_root(image: str) -> None:
    user, _, group = str(setting(image, "User")).partition(":")

    assert user.isdecimal()
    assert group.isdecimal()
    assert int(user) > 0
    assert int(group) > 0


def test_stop_signal_entry_point_and_command_are_stated(image: str) -> None:
    assert setting(image, "StopSignal") == "SIGTERM"
    assert setting(image, "Entrypoint") == ["roomcast"]
    assert setting(image, "Cmd") == ["serve"]
    assert setting(image, "ExposedPorts") == {"8080/tcp": {}, "8081/tcp": {}}


def test_labels_say_what_it_is(image: str) -> None:
    labels = setting(image, "Labels")

    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.title"] == "roomcast"
    assert labels["org.opencontainers.image.licenses"] == "BSD-3-Clause"
    assert labels["org.opencontainers.image.description"].startswith("A WebSocket broadcast relay")


def test_labels_say_which_state_of_the_checkout_it_is_and_when_it_was_made() -> None:
    tag = f"roomcast-test:{uuid.uuid4().hex}"

    subprocess.run(["make", "--silent", "-C", str(ROOT), "image", f"IMAGE={tag}"], check=True, capture_output=True)
    labels = setting(tag, "Labels")
    docker("rmi", tag)

    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.version"] == __version__
    # 2026-02-28T13:37:00Z, and the commit, with a mark where the files are not quite those of it.
    assert re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z", labels["org.opencontainers.image.created"])
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["org.opencontainers.image.revision"])


def test_it_adds_at_most_60_mib_to_its_base(image: str) -> None:
    parts = parts_of(history_of(image))

    print(report(parts))
    assert parts["base"] > 0
    assert parts["dependencies"] > 0
    assert 0 < parts["our code"] < 5 * MIB
    assert sum(parts.values()) - parts["base"] <= 60 * MIB


def test_it_holds_what_the_lock_pins_and_nothing_else(image: str) -> None:
    script = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    python = ("--rm", "--entrypoint", "/opt/roomcast/bin/python", image, "-I", "-c", script)

    installed = [one.split("==") for one in docker("run", *python).split()]

    pinned = {pin.name: pin.version for pin in read(ROOT / "deploy" / "requirements.lock")}
    assert {canonicalize_name(name): version for name, version in installed} == {**pinned, "roomcast": __version__}


def test_health_check_starts_no_python(image: str) -> None:
    # It runs every ten seconds in every container: 2 ms of bash, and not 300 of importing the relay.
    health = setting(image, "Healthcheck")

    assert isinstance(health, dict)
    assert health["Test"][:2] == ["CMD", "bash"]
    assert "python" not in " ".join(health["Test"])
    assert "roomcast" not in " ".join(health["Test"])


def test_nothing_in_it_can_compile_and_no_pip_is_beside_the_relay(image: str) -> None:
    look = "command -v cc gcc g++ c++ clang make ld as; ls /opt/roomcast/bin"

    found = docker("run", "--rm", "--entrypoint", "sh", image, "-c", look).split()

    assert "roomcast" in found
    assert not {name for name in found if name.startswith(("/", "pip"))}


def test_version_is_ours(image: str) -> None:
    assert __version__ in docker("run", "--rm", image, "--version")


def test_both_doors_listen_beyond_loopback_and_the_environment_says_so(image: str) -> None:
    effective = docker("run", "--rm", image, "check")

    lines = [line for line in effective.splitlines() if "0.0.0.0" in line]
    assert [line for line in lines if "ROOMCAST_SERVER__HOST" in line]
    assert [line for line in lines if "ROOMCAST_ADMIN__HOST" in line]


def test_mounted_file_is_the_configuration(image: str, tmp_path: Path) -> None:
    mounted = tmp_path / "roomcast.toml"
    mounted.write_text('[[rooms]]\nname = "meetings"\npath = "/meetings/{room}"\n', encoding="utf-8")
    volume = f"{mounted}:/etc/roomcast/roomcast.toml:ro"

    assert "/meetings/{room}" in docker("run", "--rm", "--volume", volume, image, "check")


@pytest.mark.parametrize("user", ["10001:10001", "65534:65534", "4711:0"])
def test_configuration_is_readable_for_whatever_user_it_is_given(image: str, user: str) -> None:
    docker("run", "--rm", "--read-only", "--cap-drop", "ALL", "--user", user, image, "check")


def test_size_of_an_image_that_is_not_there_says_how_to_make_it() -> None:
    name = f"roomcast-{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "tests.container.size", name]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert asked.returncode == 1
    assert asked.stderr.splitlines()[-1] == f"`make image` builds the image {name}, and IMAGE= names another"
    assert "Traceback" not in asked.stderr
