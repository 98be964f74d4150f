"""The hub as the settings want it: its templates, and what it may hold and keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from roomcast.relay.room import Room
from roomcast.server.hub import build_hub
from tests.running import settings
from tests.server.test_memory import MIB, SECOND, System


def report(room: Room | None, error: Exception) -> None:
    raise AssertionError((room, error))


def test_every_template_is_counted_from_the_start() -> None:
    toml = '[[rooms]]\nname = "a"\npath = "/a/{x}"\n[[rooms]]\nname = "b"\npath = "/b/{x}"\n'

    assert list(build_hub(settings(toml), None, report).templates) == ["a", "b"]


def test_what_may_be_held_and_kept_is_what_the_settings_say() -> None:
    limits = "lag_total_max_bytes = 3_000_000\nhistory_total_max_bytes = 2_000_000"

    hub = build_hub(settings(f"[limits]\n{limits}"), None, report)

    assert (hub.budget.limit_bytes, hub.histories.limit_bytes) == (3_000_000, 2_000_000)


@pytest.mark.parametrize(("left_mib", "is_tight"), [(200, False), (1, True)])
def test_where_memory_is_limited_less_is_held_when_little_is_left(
    tmp_path: Path, left_mib: int, is_tight: bool
) -> None:
    system = System(tmp_path)
    system.belongs("0::/", mount=SECOND)
    system.write("sys/fs/cgroup/memory.max", f"{256 * MIB}\n")
    system.write("sys/fs/cgroup/memory.current", f"{(256 - left_mib) * MIB}\n")
    system.write("sys/fs/cgroup/memory.stat", "")

    hub = build_hub(settings(""), system.limit(), report)
    hub.budget.look()
    system.close()

    assert hub.budget.is_tight is is_tight


def test_each_hub_has_an_epoch_of_its_own() -> None:
    assert build_hub(settings(""), None, report).epoch != build_hub(settings(""), None, report).epoch


def test_rooms_are_counted_by_name_only_where_some_are_wanted() -> None:
    assert build_hub(settings(""), None, report).busiest is None
    assert build_hub(settings("[admin]\nbusiest_rooms = 3"), None, report).busiest is not None
