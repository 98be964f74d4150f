"""The relay as process 1: signals reach it, and nobody's children become zombies under it."""

import re
from typing import Final

import pytest

from tests.container.conftest import LOCKED_UP
from tests.container.engine import Container, docker, eventually, running

# Its parent ends at once, so that it becomes process 1's; its number is what the shell says.
ORPHAN: Final = ("sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!")
# (number) (name) state parent …
STAT: Final = re.compile(r"^(\d+) \((.*)\) (\S) (\d+) ", re.MULTILINE)
SECCOMP_FILTER: Final = "2"


def processes(relay: Container) -> dict[str, tuple[str, str, str]]:
    """Return the name, the state and the parent of each process, without those that look."""
    # Who ends while he is looked at is gone, which is what is asked.
    found = STAT.findall(relay.run("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; true"))
    return {number: (name, state, parent) for number, name, state, parent in found if name not in {"sh", "cat"}}


def only_the_relay_is_left(relay: Container) -> bool | None:
    return list(processes(relay)) == ["1"] or None


def status(relay: Container, field: str) -> str:
    fields: dict[str, str] = dict(re.findall(r"^(\w+):\s*(.*)$", relay.run("cat", "/proc/1/status"), re.MULTILINE))
    return fields[field]


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_orphan_of_an_exec_leaves_no_zombie(relay: Container, signal: str) -> None:
    orphan = relay.run(*ORPHAN)
    assert processes(relay)[orphan] == ("sleep", "S", "1")

    relay.run("sh", "-c", f"kill -{signal} {orphan}")

    assert eventually(lambda: only_the_relay_is_left(relay), within_s=10)


def test_exec_that_is_killed_leaves_no_zombie(relay: Container) -> None:
    docker("exec", "--detach", relay.id, "sleep", "600")
    [sleeping] = eventually(lambda: [n for n, (name, *_) in processes(relay).items() if name == "sleep"], within_s=10)

    relay.run("sh", "-c", f"kill -KILL {sleeping}")

    assert eventually(lambda: only_the_relay_is_left(relay), within_s=10)


def test_health_checks_that_are_given_up_leave_no_zombie(image: str) -> None:
    # The engine kills a check that takes too long: here each of them, while process 1 is stopped.
    options = ("--health-timeout", "300ms", "--health-start-period", "1ms")
    with running(image, *LOCKED_UP, *options) as relay:
        relay.wait_until_healthy()
        docker("kill", "--signal", "STOP", relay.id)
        failing = eventually(lambda: relay.inspect("State.Health.FailingStreak") or None, within_s=20)
        docker("kill", "--signal", "CONT", relay.id)

        assert failing
        assert eventually(lambda: only_the_relay_is_left(relay), within_s=10)


def test_signals_reach_it(image: str) -> None:
    with running(image, *LOCKED_UP) as relay:
        relay.wait_until_healthy()

        docker("kill", "--signal", "HUP", relay.id)
        assert relay.inspect("State.Running") is True
        docker("kill", "--signal", "TERM", relay.id)

        assert docker("wait", relay.id) == "0"


@pytest.mark.parametrize("user", ["1234567890:1234567890", "4711:0"])
def test_any_user_will_do_under_the_engine_s_own_filter_of_system_calls(image: str, user: str) -> None:
    with running(image, *LOCKED_UP, "--user", user) as relay:
        relay.wait_until_healthy()

        assert status(relay, "Uid").split() == [user.partition(":")[0]] * 4
        assert (status(relay, "NoNewPrivs"), status(relay, "CapBnd").strip("0")) == ("1", "")
        assert status(relay, "Seccomp") == SECCOMP_FILTER
        assert relay.inspect("HostConfig.SecurityOpt") == ["no-new-privileges"]
