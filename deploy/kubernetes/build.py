"""Copy the alerts and the configuration to where Kubernetes' tools can read them: ``make manifests``.

Neither kustomize nor Helm reads a file outside of its own folder. So the rules of ../prometheus
are in the chart as they are, and for kustomize in one PrometheusRule, and the chart has base's
roomcast.toml. A test fails when a copy is not what this file makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
RULES: Final = HERE.parent / "prometheus" / "rules"
HEAD: Final = "# Made of deploy/prometheus/rules by `make manifests`, where the reasons stand. Change it there.\n"


def copies() -> dict[Path, str]:
    """Return what each file that is made holds, by its path."""
    rules = {path.name: path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.yml"))}
    made = {HERE / "chart" / "files" / "rules" / name: text for name, text in rules.items()}
    made[HERE / "chart" / "files" / "roomcast.toml"] = (HERE / "base" / "roomcast.toml").read_text(encoding="utf-8")
    groups = [group for text in rules.values() for group in yaml.safe_load(text)["groups"]]
    made[HERE / "monitoring" / "prometheusrule.yaml"] = HEAD + _dump(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "roomcast"},
            "spec": {"groups": groups},
        }
    )
    return made


def _dump(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=118)


def write() -> None:
    """Write them, and take away copies of rules that are no more."""
    made = copies()
    for stale in set((HERE / "chart" / "files" / "rules").glob("*")) - set(made):
        stale.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
