"""What deploy/prometheus/rules holds: alerts, and series that are recorded for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

PROMETHEUS: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
FILES: Final = sorted((PROMETHEUS / "rules").glob("*.yml"))


class Alert(NamedTuple):
    """One alert, as its rule has it."""

    name: str
    expression: str
    severity: str
    annotations: dict[str, str]

    @property
    def test_file(self) -> Path:
        """Where it is shown firing and not firing: RoomcastNotReady in not_ready.yml."""
        words = re.findall("[A-Z][a-z]+", self.name.removeprefix("Roomcast"))
        return PROMETHEUS / "tests" / f"{'_'.join(words).lower()}.yml"


def _rules() -> Iterator[dict[str, Any]]:
    for file in FILES:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


ALERTS: Final = [
    Alert(rule["alert"], rule["expr"], rule["labels"]["severity"], rule["annotations"])
    for rule in _rules()
    if "alert" in rule
]
RECORDED: Final = {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}
"""Expressions by the names under which what comes of them is recorded."""

EXPRESSIONS: Final = [alert.expression for alert in ALERTS] + list(RECORDED.values())
