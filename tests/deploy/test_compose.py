"""What docker-compose.yml says, as far as no engine is needed to judge it; tests/container/ starts it."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def test_configurations_that_are_read_again_are_mounted_with_their_folder() -> None:
    mounts = [mount.split(":") for name in ("relay", "prometheus") for mount in SERVICES[name]["volumes"]]
    mounted = {target: ROOT / source for source, target, *_ in mounts if source.startswith(".")}

    # A file that is replaced, as editors and git do, stays in a container what it was.
    assert all(source.is_dir() for source in mounted.values())
    assert (mounted["/etc/roomcast"] / "roomcast.toml").is_file()
    assert (mounted["/etc/prometheus"] / "prometheus.yml").is_file()
