"""How much memory this process may take before the system kills it: its container's limit, and what is left of it.

Linux keeps one account for each group of processes: of their own memory, and of
what the kernel holds for them, the queues of their connections included. What
goes over the limit is killed. Groups nest, and the smallest limit counts.

Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux.
The first version does not count the queues, and so does not kill for them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final, Literal, NamedTuple

_ROOT: Final = Path("/")
# The first version says that there is no limit with one that no machine reaches.
_NO_LIMIT_BYTES: Final = 1 << 60
_STATISTICS_BYTES: Final = 8192
# Statistics the kernel has to add up first, which may take it a millisecond. They are
# asked for once a second, and each time where less than this is free: then the
# kernel has begun to forget files to make room for more.
_STATISTICS_S: Final = 1.0
_FORGETS_BELOW_BYTES: Final = 1 << 20

# What a relay takes while nobody lags: 45 MiB, and 7 KiB for each of two thousand
# connections, the kernel's part included. Half of the rest is for laggards; the
# other half for those who have stalled and are none, and for what arrives.
_PROCESS_BYTES: Final = 64 << 20
_LAGGARDS_SHARE: Final = 0.5
_LEAST_BYTES: Final = 4 << 20
# Of what is not for laggards, half, where there are templates that keep anything.
_HISTORY_SHARE: Final = 0.25
# Where nothing limits the process.
_UNLIMITED_BYTES: Final = 512 << 20
_UNLIMITED_HISTORY_BYTES: Final = 256 << 20
# What is always to stay free, as a share of the limit: enough for what is written
# and read until somebody looks again. Large machines need no more of it than others.
_RESERVE_SHARE: Final = 1 / 8
_RESERVE_MAX_BYTES: Final = 64 << 20


class _Version(NamedTuple):
    """What a version of Linux' control groups calls its files, and the lines of its statistics."""

    file_system: str
    limit: str
    used: str
    statistics: str
    cached: tuple[bytes, ...]
    mapped: bytes


_VERSIONS: Final = (
    _Version(
        "cgroup",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "memory.stat",
        (b"total_active_file", b"total_inactive_file"),
        b"total_mapped_file",
    ),
    _Version(
        "cgroup2", "memory.max", "memory.current", "memory.stat", (b"active_file", b"inactive_file"), b"file_mapped"
    ),
)


class MemoryLimit:
    """The limit of one group, and how near it is.

    Args:
        limit_bytes: How much the group may take.
        folder: Where the kernel tells about it.
        version: In which words.
        clock: Seconds from a clock that never goes back.
    """

    def __init__(self, limit_bytes: int, folder: Path, version: _Version, clock: Callable[[], float]) -> None:
        self.limit_bytes = limit_bytes
        self._folder = folder
        self._version = version
        self._clock = clock
        self._used = self._statistics = -1
        # How much of it are copies of files, and when that was asked for.
        self._forgettable_bytes = 0
        self._asked_s = -inf

    @property
    def reserve_bytes(self) -> int:
        """How much of it is to stay free."""
        return min(int(self.limit_bytes * _RESERVE_SHARE), _RESERVE_MAX_BYTES)

    def open(self) -> None:
        """Be ready to say what is left: to read a file that is open takes 1 µs, to open it 6 more."""
        with suppress(OSError):
            self._used = os.open(self._folder / self._version.used, os.O_RDONLY | os.O_CLOEXEC)
            self._statistics = os.open(self._folder / self._version.statistics, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in (self._used, self._statistics):
            if descriptor >= 0:
                os.close(descriptor)
        self._used = self._statistics = -1

    def left_bytes(self) -> int:
        """Return how much more the group may take; all of the limit, if the kernel does not say.

        Copies of files count as free: the kernel forgets them before it kills.
        But not the program's own: without those it would only read itself anew.
        """
        try:
            free_bytes = self.limit_bytes - int(os.pread(self._used, 32, 0))
            if free_bytes < _FORGETS_BELOW_BYTES or self._clock() - self._asked_s > _STATISTICS_S:
                self._ask_for_statistics()
        except OSError:
            return self.limit_bytes
        return free_bytes + self._forgettable_bytes

    def _ask_for_statistics(self) -> None:
        self._asked_s = self._clock()
        statistics = os.pread(self._statistics, _STATISTICS_BYTES, 0)
        values = {name: int(value) for name, _, value in (line.partition(b" ") for line in statistics.splitlines())}
        cached_bytes = sum(values.get(name, 0) for name in self._version.cached)
        self._forgettable_bytes = max(cached_bytes - values.get(self._version.mapped, 0), 0)


def lag_total_max_bytes(configured: int | Literal["auto"], memory: MemoryLimit | None) -> int:
    """Return how much may be held for laggards, 0 for no limit."""
    if configured != "auto":
        return configured
    if memory is None:
        return _UNLIMITED_BYTES
    return max(int((memory.limit_bytes - _PROCESS_BYTES) * _LAGGARDS_SHARE), _LEAST_BYTES)


def history_total_max_bytes(configured: int | Literal["auto"], memory: MemoryLimit | None) -> int:
    """Return how much may be kept for those who come later, 0 for no limit."""
    if configured != "auto":
        return configured
    if memory is None:
        return _UNLIMITED_HISTORY_BYTES
    return max(int((memory.limit_bytes - _PROCESS_BYTES) * _HISTORY_SHARE), _LEAST_BYTES)


def find_memory_limit(root: Path = _ROOT, clock: Callable[[], float] = time.monotonic) -> MemoryLimit | None:
    """Return the smallest limit that this process lives under; None where there is none, or nobody says.

    Args:
        clock: Seconds from a clock that never goes back.
        root: Where ``/proc`` and ``/sys`` are; ``/`` but for tests.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [
        (limit_bytes, folder, version)
        for version in _VERSIONS
        for limit_bytes, folder in _limits(root, version, groups, mounts)
    ]
    if not found:
        return None
    return MemoryLimit(*min(found, key=lambda limit: limit[0]), clock)


def _limits(root: Path, version: _Version, groups: list[str], mounts: list[str]) -> Iterator[tuple[int, Path]]:
    """Yield the limits of this process' group and of those around it, as far as they can be seen, and their folders."""
    group = _group(version, groups)
    for mount in mounts:
        # "35 31 0:32 /docker/4711 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory" (proc(5))
        fields, _, rest = mount.partition(" - ")
        file_system, _, options = rest.partition(" ")
        if group is None or file_system != version.file_system:
            continue
        if version.file_system == "cgroup" and "memory" not in options.split()[-1].split(","):
            continue
        inside, mounted_at = fields.split()[3:5]
        top = root / mounted_at.lstrip("/")
        folder = top / group.removeprefix(inside).lstrip("/")
        # A container may be shown a path that only makes sense outside of it.
        folder = folder if folder.is_dir() else top
        while folder.is_relative_to(top):
            if (limit_bytes := _read_limit(folder / version.limit)) is not None:
                yield limit_bytes, folder
            folder = folder.parent


def _group(version: _Version, groups: list[str]) -> str | None:
    """Return the path of this process' group: from "0::/a/b", or "4:memory:/a/b" of the first version."""
    for line in groups:
        number, controllers, path = line.split(":", 2)
        if number == "0" if version.file_system == "cgroup2" else "memory" in controllers.split(","):
            return path
    return None


def _read_limit(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() and int(text) < _NO_LIMIT_BYTES else None
