"""How much memory a process may take, as both versions of Linux' control groups tell it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roomcast.server.memory import (
    MemoryLimit,
    find_memory_limit,
    history_total_max_bytes,
    lag_total_max_bytes,
)

MIB = 1 << 20
SECOND = "30 23 0:26 {inside} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate"
FIRST = "35 31 0:32 {inside} /sys/fs/cgroup/memory ro,nosuid master:11 - cgroup cgroup rw,memory"
OTHERS = (
    "22 28 0:21 / /proc rw,nosuid - proc proc rw",
    "36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct",
)


class System:
    """The files of a made-up system under a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._limits: list[MemoryLimit] = []

    def belongs(self, *groups: str, mount: str, inside: str = "/") -> None:
        """Say of which groups the process is, and which part of the hierarchy it is shown."""
        self.write("proc/self/cgroup", "\n".join(groups) + "\n")
        self.write("proc/self/mountinfo", "\n".join((*OTHERS, mount.format(inside=inside))) + "\n")

    def write(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def limit(self) -> MemoryLimit:
        """Find the limit, and be ready to see what is left."""
        limit = find_memory_limit(self.root)
        assert limit is not None
        limit.open()
        self._limits.append(limit)
        return limit

    def close(self) -> None:
        for limit in self._limits:
            limit.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    yield system
    system.close()


def test_container_of_the_second_version_finds_its_limit_at_the_top_of_what_it_sees(system: System) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", f"{128 * MIB}\n")

    assert system.limit().limit_bytes == 128 * MIB


def test_container_of_the_first_version_is_shown_its_own_part_of_the_hierarchy(system: System) -> None:
    system.belongs("3:cpu,cpuacct:/docker/4711", "4:memory:/docker/4711", mount=FIRST, inside="/docker/4711")
    system.write("sys/fs/cgroup/memory/memory.limit_in_bytes", f"{128 * MIB}\n")

    assert system.limit().limit_bytes == 128 * MIB


def test_smallest_limit_on_the_way_up_counts(system: System) -> None:
    system.belongs("0::/pod/relay", mount=SECOND)
    system.write("sys/fs/cgroup/pod/relay/memory.max", f"{512 * MIB}\n")
    system.write("sys/fs/cgroup/pod/memory.max", f"{256 * MIB}\n")
    system.write("sys/fs/cgroup/memory.max", "max\n")

    assert system.limit().limit_bytes == 256 * MIB


def test_path_that_only_makes_sense_outside_is_no_obstacle(system: System) -> None:
    system.belongs("0::/../../outside", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", f"{64 * MIB}\n")

    assert system.limit().limit_bytes == 64 * MIB


@pytest.mark.parametrize(
    ("mount", "group", "file", "text"),
    [
        (SECOND, "0::/", "sys/fs/cgroup/memory.max", "max\n"),
        (FIRST, "4:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        (SECOND, "0::/", "sys/fs/cgroup/cgroup.procs", ""),
        (SECOND, "4:cpu:/", "sys/fs/cgroup/memory.max", "1000\n"),
    ],
    ids=["max", "no machine's", "no memory controller", "of no group"],
)
def test_system_without_a_limit_has_none(system: System, mount: str, group: str, file: str, text: str) -> None:
    system.belongs(group, mount=mount)
    system.write(file, text)

    assert find_memory_limit(system.root) is None


def test_system_that_has_no_such_files_has_no_limit(tmp_path: Path) -> None:
    assert find_memory_limit(tmp_path) is None


def test_what_is_left_counts_copies_of_files_as_free(system: System) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", "1000\n")
    system.write("sys/fs/cgroup/memory.current", "900\n")
    system.write("sys/fs/cgroup/memory.stat", "anon 500\nfile 90\ninactive_anon 7\nactive_file 20\ninactive_file 40\n")

    assert system.limit().left_bytes() == 1000 - 900 + 20 + 40


@pytest.mark.parametrize(("mapped", "left"), [(1, 159), (60, 100), (61, 100)])
def test_what_is_left_does_not_count_on_the_program_s_own_files(system: System, mapped: int, left: int) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", "1000\n")
    system.write("sys/fs/cgroup/memory.current", "900\n")
    system.write("sys/fs/cgroup/memory.stat", f"active_file 20\ninactive_file 40\nfile_mapped {mapped}\n")

    assert system.limit().left_bytes() == left


def test_what_is_left_is_read_anew_each_time(system: System) -> None:
    system.belongs("4:memory:/", mount=FIRST)
    system.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n")
    system.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "300\n")
    system.write("sys/fs/cgroup/memory/memory.stat", "active_file 9\ntotal_active_file 1\ntotal_inactive_file 2\n")
    limit = system.limit()
    before = limit.left_bytes()

    system.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "950\n")

    assert (before, limit.left_bytes()) == (703, 53)


def test_all_is_left_where_the_kernel_says_nothing(system: System) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", "1000\n")

    assert system.limit().left_bytes() == 1000


@pytest.mark.parametrize(("limit_mib", "reserve_mib"), [(128, 16), (512, 64), (4096, 64)])
def test_an_eighth_stays_free_and_64_mib_are_enough(system: System, limit_mib: int, reserve_mib: int) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", f"{limit_mib * MIB}\n")

    assert system.limit().reserve_bytes == reserve_mib * MIB


# --- what laggards get of it


@pytest.mark.parametrize(("limit_mib", "laggards_mib"), [(32, 4), (72, 4), (74, 5), (128, 32), (1024, 480)])
def test_laggards_get_half_of_what_the_process_does_not_need(system: System, limit_mib: int, laggards_mib: int) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", f"{limit_mib * MIB}\n")

    assert lag_total_max_bytes("auto", system.limit()) == laggards_mib * MIB


def test_laggards_get_512_mib_where_nothing_is_limited() -> None:
    assert lag_total_max_bytes("auto", None) == 512 * MIB


@pytest.mark.parametrize("configured", [0, 5 * MIB])
def test_what_an_operator_says_holds_whatever_there_is(system: System, configured: int) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", f"{128 * MIB}\n")

    assert lag_total_max_bytes(configured, system.limit()) == configured
    assert history_total_max_bytes(configured, system.limit()) == configured


# --- what is kept for those who come later


@pytest.mark.parametrize(("limit_mib", "history_mib"), [(32, 4), (80, 4), (84, 5), (128, 16), (1024, 240)])
def test_histories_get_a_quarter_of_what_the_process_does_not_need(
    system: System, limit_mib: int, history_mib: int
) -> None:
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", f"{limit_mib * MIB}\n")

    assert history_total_max_bytes("auto", system.limit()) == history_mib * MIB


def test_histories_get_256_mib_where_nothing_is_limited() -> None:
    assert history_total_max_bytes("auto", None) == 256 * MIB
