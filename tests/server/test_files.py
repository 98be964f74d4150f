"""The limit of open files, on systems that grant it and on such as do not."""

from __future__ import annotations

import errno
from resource import RLIM_INFINITY

import pytest

from roomcast.server.files import connections_max, raise_file_limit

OPEN_MAX = 10_240


class System:
    """A system with limits of open files, which refuses what is above ``most``."""

    def __init__(self, soft: int, hard: int, most: int, refusal: Exception | None = None) -> None:
        self.limits = (soft, hard)
        self._most = most
        self._refusal = refusal or OSError(errno.EINVAL, "Invalid argument")

    def get(self, _: int) -> tuple[int, int]:
        return self.limits

    def put(self, _: int, limits: tuple[int, int]) -> None:
        if limits[0] == RLIM_INFINITY or limits[0] > self._most:
            raise self._refusal
        self.limits = limits


def test_soft_limit_is_raised_to_the_hard_one() -> None:
    system = System(1024, 65_536, most=65_536)

    raise_file_limit(system.get, system.put)

    assert system.limits == (65_536, 65_536)


@pytest.mark.parametrize("refusal", [OSError(errno.EINVAL, "Invalid argument"), ValueError("exceeds the maximum")])
def test_system_that_does_not_mean_its_infinite_limit_is_asked_for_what_it_has(refusal: Exception) -> None:
    system = System(256, RLIM_INFINITY, most=OPEN_MAX, refusal=refusal)

    raise_file_limit(system.get, system.put)

    assert system.limits == (OPEN_MAX, RLIM_INFINITY)


@pytest.mark.parametrize("soft", [OPEN_MAX, 50_000, RLIM_INFINITY])
def test_limit_is_never_lowered(soft: int) -> None:
    system = System(soft, RLIM_INFINITY, most=OPEN_MAX)

    raise_file_limit(system.get, system.put)

    assert system.limits == (soft, RLIM_INFINITY)


@pytest.mark.parametrize("hard", [4096, RLIM_INFINITY])
def test_system_that_grants_nothing_leaves_what_there_is(hard: int) -> None:
    system = System(256, hard, most=256)

    raise_file_limit(system.get, system.put)

    assert system.limits == (256, hard)


@pytest.mark.parametrize(
    ("soft", "connections"), [(65_536, 65_280), (1024, 768), (512, 256), (511, 256), (64, 32), (RLIM_INFINITY, 0)]
)
def test_connections_are_the_open_files_less_those_that_are_spare(soft: int, connections: int) -> None:
    system = System(soft, RLIM_INFINITY, most=soft)

    assert connections_max("auto", system.get) == connections


@pytest.mark.parametrize("configured", [0, 7])
def test_limit_of_connections_that_is_configured_holds(configured: int) -> None:
    assert connections_max(configured, System(1024, 1024, most=1024).get) == configured
