"""The limit of open files: as much as the system lets us have, and how many connections that makes."""

import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

# Descriptors that are not connections: listeners, the private door's clients,
# the log, and those who are told that the relay is full.
_SPARE_FILES = 256
# What macOS takes where it calls the hard limit infinite and refuses to grant
# that: OPEN_MAX of its headers, which setrlimit(2) names.
_FILES_WHERE_ENDLESS = 10_240

Limits = tuple[int, int]


def raise_file_limit(
    get: Callable[[int], Limits] = resource.getrlimit, put: Callable[[int, Limits], None] = resource.setrlimit
) -> None:
    """Take all the open files that the system lets us have: the soft limit is for programs that use select.

    A relay with few is better than none, so a system that refuses is no fault.
    """
    soft, hard = get(resource.RLIMIT_NOFILE)
    wanted = [hard]
    is_short = soft != resource.RLIM_INFINITY and soft < _FILES_WHERE_ENDLESS
    if hard == resource.RLIM_INFINITY and is_short:
        wanted.append(_FILES_WHERE_ENDLESS)
    for files in wanted:
        with suppress(OSError, ValueError):
            put(resource.RLIMIT_NOFILE, (files, hard))
            return


def connections_max(configured: int | Literal["auto"], get: Callable[[int], Limits] = resource.getrlimit) -> int:
    """Return the limit of connections, 0 for none."""
    if configured != "auto":
        return configured
    soft, _ = get(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 0
    # Where 256 are not to be had, half of what there is.
    return soft - min(_SPARE_FILES, soft // 2)
