"""How much memory this process may take before the system kills it: its container's limit, and what is left of it.

Linux keeps one account for each group of processes: of their own memory, and of
what the kernel holds for them, the queues of their connections included. What
goes over the limit is killed. Groups nest, and the smallest limit counts.

Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux.
The first version does not count the queues, and so does not kill for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

_ROOT: Final = Path("/")
# The first version says that there is no limit with one that no machine reaches.
_NO_LIMIT_BYTES: Final = 1 << 60
_STATISTICS_BYTES: Final = 8192

# What a relay takes while nobody lags: 45 MiB, and 7 KiB for each of two thousand
# connections, the kernel's part included. Half of the rest is for laggards; the
# other half for those who have stalled and are none, and for what arrives.
_PROCESS_BYTES: Final = 64 << 20
_LAGGARDS_SHARE: Final = 0.5
_LEAST_BYTES: Final = 4 << 20
# Where nothing limits the process.
_UNLIMITED_BYTES: Final = 512 << 20
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
    forgettable: tuple[bytes, ...]


_VERSIONS: Final = (
    _Version(
        "cgroup",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "memory.stat",
        (b"total_active_file", b"total_inactive_file"),
    ),
    _Version("cgroup2", "memory.max", "memory.current", "memory.stat", (b"active_file", b"inactive_file")),
)


class MemoryLimit:
    """The limit of one group, and how near it is.

    Args:
        limit_bytes: How much the group may take.
        folder: Where the kernel tells about it.
        version: In which words.
    """

    def __init__(self, limit_bytes: int, folder: Path, version: _Version) -> None:
        self.limit_bytes = limit_bytes
        self._folder = folder
        self._version = version
        self._used = self._statistics = -1

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

        Copies of files count as free. They are charged to whoever read them
        first, and the kernel forgets them before it kills.
        """
        try:
            used_bytes = int(os.pread(self._used, 32, 0))
            statistics = os.pread(self._statistics, _STATISTICS_BYTES, 0)
        except OSError:
            return self.limit_bytes
        return self.limit_bytes - used_bytes + self._forgettable_bytes(statistics)

    def _forgettable_bytes(self, statistics: bytes) -> int:
        lines = (line.partition(b" ") for line in statistics.splitlines())
        return sum(int(value) for name, _, value in lines if name in self._version.forgettable)


def lag_total_max_bytes(configured: int | Literal["auto"], memory: MemoryLimit | None) -> int:
    """Return how much may be held for laggards, 0 for no limit."""
    if configured != "auto":
        return configured
    if memory is None:
        return _UNLIMITED_BYTES
    return max(int((memory.limit_bytes - _PROCESS_BYTES) * _LAGGARDS_SHARE), _LEAST_BYTES)


def find_memory_limit(root: Path = _ROOT) -> MemoryLimit | None:
    """Return the smallest limit that this process lives under; None where there is none, or nobody says.

    Args:
        root: Where ``/proc`` and ``/sys`` are; ``/`` but for tests.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    limits = [limit for version in _VERSIONS for limit in _limits(root, version, groups, mounts)]
    return min(limits, key=lambda limit: limit.limit_bytes, default=None)


def _limits(root: Path, version: _Version, groups: list[str], mounts: list[str]) -> Iterator[MemoryLimit]:
    """Yield the limits of this process' group and of those around it, as far as they can be seen."""
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
                yield MemoryLimit(limit_bytes, folder, version)
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
