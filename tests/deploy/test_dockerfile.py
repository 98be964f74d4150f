"""The Dockerfile, as hadolint judges it. Where there is none, tests/skips.toml leaves this file out."""

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def test_hadolint_finds_nothing_and_is_told_to_overlook_nothing() -> None:
    dockerfile = ROOT / "Dockerfile"
    command = ["hadolint", "--no-color", "--failure-threshold", "style", str(dockerfile)]

    judged = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (judged.stdout, judged.returncode) == ("", 0)
    assert "hadolint ignore" not in dockerfile.read_text(encoding="utf-8")
    assert not list(ROOT.glob(".hadolint.y*ml"))
