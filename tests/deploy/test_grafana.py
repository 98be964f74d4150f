"""The dashboard is what its source says, lies in Grafana's grid as it should, and is found by the provisioning."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.build import COLUMNS, DASHBOARD, SOURCE, build, text
from tests.deploy.rules import ALERTS

DASHBOARD_JSON = json.loads(DASHBOARD.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD_JSON["panels"]
SHOWING = [panel for panel in PANELS if panel["type"] != "row"]
CORE = {"row", "stat", "timeseries"}

each_panel = pytest.mark.parametrize("panel", SHOWING, ids=lambda panel: panel["title"])


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    """Return the cells of the grid that a panel covers."""
    place = panel["gridPos"]
    columns = range(place["x"], place["x"] + place["w"])
    return {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}


def test_dashboard_is_what_is_made_of_its_source() -> None:
    made = text(build(tomllib.loads(SOURCE.read_text(encoding="utf-8"))))

    assert DASHBOARD.read_text(encoding="utf-8") == made, "run: python -m deploy.grafana.build"


def test_panels_are_of_grafana_s_core_and_have_ids_of_their_own() -> None:
    assert {panel["type"] for panel in PANELS} == CORE
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_no_panel_lies_on_another_or_beside_the_grid() -> None:
    for one, other in combinations(PANELS, 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    assert all(0 <= x < COLUMNS for panel in PANELS for x, _ in cells(panel))


@each_panel
def test_panel_says_what_is_normal_and_has_a_unit(panel: dict[str, Any]) -> None:
    assert panel["description"].startswith("Normal: ")
    assert panel["fieldConfig"]["defaults"]["unit"]


def numbers(expression: str) -> set[float]:
    """Return the numbers that stand in an expression."""
    found: list[promql_parser.Expr] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return {part.val for part in found if isinstance(part, promql_parser.NumberLiteral)}


@each_panel
def test_limit_that_a_panel_shows_is_where_an_alert_of_its_rings(panel: dict[str, Any]) -> None:
    shown = {step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]} - {None}
    watching = [numbers(alert.expression) for alert in ALERTS if f"{alert.name} (" in panel["description"]]

    assert shown <= set().union(*watching)


def lost(written: Any, read: Any, path: str = "") -> Iterator[str]:
    """Yield where something that is written is not, or not so, in what was read of it."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            yield from lost(value, read.get(key), f"{path}.{key}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for one, other in zip(written, read, strict=True):
            yield from lost(one, other, path)
    elif written != read and not (written is False and read is None):
        yield path


def test_grafana_s_own_types_know_all_that_is_written() -> None:
    register_default_plugins()

    read = json.loads(JSONEncoder().encode(Dashboard.from_json(DASHBOARD_JSON)))

    # The types of a dashboard leave these to the data source: they are how Prometheus' annotations and variables are.
    assert set(lost(DASHBOARD_JSON, read)) <= {
        ".annotations.list.step",
        ".annotations.list.titleFormat",
        ".annotations.list.useValueForTime",
        ".templating.list.definition",
    }


def test_dashboard_asks_whichever_source_is_chosen() -> None:
    named = DASHBOARD.read_text(encoding="utf-8").split('"uid": "')[1:]

    assert {part.partition('"')[0] for part in named} == {"${datasource}", "roomcast"}


def test_provisioning_is_where_grafana_looks_for_it() -> None:
    provisioning = Path(SOURCE).parent / "provisioning"

    assert sorted(str(path.relative_to(provisioning)) for path in provisioning.rglob("*.yml")) == [
        "dashboards/roomcast.yml",
        "datasources/prometheus.yml",
    ]
