"""Makes the dashboard that Grafana reads out of the one that people write.

``dashboard.toml`` says what is asked, shown and normal; this file knows how Grafana
wants to be told: ids, a grid, and a dozen keys for each panel that are the same
everywhere. The JSON holds what Grafana's core brings, and no plugin.

    python -m deploy.grafana.build      # writes dashboards/roomcast.json

Source: "Dashboard JSON model" of Grafana's manual, schema version 39 (Grafana 11; later
ones read it, too).
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
SOURCE: Final = FOLDER / "dashboard.toml"
DASHBOARD: Final = FOLDER / "dashboards" / "roomcast.json"

COLUMNS: Final = 24
"""How wide Grafana's grid is."""
_STAT_ROWS: Final = 4
_GRAPH_ROWS: Final = 8
_HERE: Final = 'job=~"$job", instance=~"$instance"'
_ROOMS: Final = _HERE + ', template=~"$template"'
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


def build(source: Json) -> Json:
    """Return the dashboard, as Grafana reads it, of what ``dashboard.toml`` says."""
    return {
        "uid": "roomcast",
        "title": "Roomcast",
        "description": "From top to bottom: are people connected, do messages flow, is anyone hurting, "
        "what is refused and why, and what it all takes.",
        "tags": ["roomcast"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "15s",
        "timezone": "browser",
        "annotations": {"list": [_annotation(annotation) for annotation in source["annotations"]]},
        "templating": {"list": list(_variables())},
        "panels": list(_panels(source["rows"])),
    }


def text(dashboard: Json) -> str:
    """Return the file's text: always the same for the same dashboard, and a line for each change."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def expression(written: str) -> str:
    """Return a query as Prometheus is asked it, but for Grafana's own variables."""
    return written.strip().replace("HERE", _HERE).replace("ROOMS", _ROOMS)


def _variables() -> Iterator[Json]:
    yield {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"}
    yield _variable("job", "Job", "label_values(roomcast_build_info, job)")
    yield _variable("instance", "Relay", 'label_values(roomcast_build_info{job=~"$job"}, instance)')
    yield _variable("template", "Template", f"label_values(roomcast_members{{{_HERE}}}, template)")


def _variable(name: str, label: str, query: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        # With each look at another span of time: relays come and go.
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _annotation(annotation: Json) -> Json:
    return {
        "name": annotation["name"],
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": annotation["colour"],
        "expr": expression(annotation["expr"]),
        "titleFormat": annotation["title"],
        "step": "15s",
        # The value is the moment, in milliseconds, rather than what is so at every step.
        "useValueForTime": annotation.get("is_time", False),
    }


def _panels(rows: list[Json]) -> Iterator[Json]:
    number, top = 1, 0
    for row in rows:
        yield _row(number, top, row["title"])
        number, top = number + 1, top + 1
        left = height = 0
        for panel in row["panels"]:
            if left + panel["width"] > COLUMNS or _height(panel) != height > 0:
                left, top = 0, top + height
            height = _height(panel)
            place = {"x": left, "y": top, "w": panel["width"], "h": height}
            yield {"id": number, "gridPos": place} | _panel(panel)
            number, left = number + 1, left + panel["width"]
        top += height


def _row(number: int, top: int, title: str) -> Json:
    place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
    return {"id": number, "gridPos": place, "type": "row", "title": title, "collapsed": False, "panels": []}


def _height(panel: Json) -> int:
    return _STAT_ROWS if panel.get("kind") == "stat" and panel["width"] < 8 else _GRAPH_ROWS


def _panel(panel: Json) -> Json:
    kind = panel.get("kind", "timeseries")
    return {
        "type": kind,
        "title": panel["title"],
        "description": _description(panel),
        "datasource": _SOURCE,
        "targets": list(_targets(panel["queries"], is_instant=kind == "stat")),
        "fieldConfig": {"defaults": _defaults(panel, kind), "overrides": []},
        "options": _stat_options(panel) if kind == "stat" else _GRAPH_OPTIONS,
    }


def _description(panel: Json) -> str:
    alerts = [f"{alert} (deploy/README.md#{alert.lower()})" for alert in panel.get("alerts", [])]
    return "\n\n".join([f"Normal: {panel['normal']}", *(f"Alert: {alert}" for alert in alerts)])


def _targets(queries: list[Json], *, is_instant: bool) -> Iterator[Json]:
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        yield {
            "refId": letter,
            "datasource": _SOURCE,
            "editorMode": "code",
            "expr": expression(query["expr"]),
            "legendFormat": query["legend"],
            "instant": is_instant,
            "range": not is_instant,
        }


def _defaults(panel: Json, kind: str) -> Json:
    defaults: Json = {"unit": panel.get("unit", "short"), "thresholds": _thresholds(panel)}
    if "no_value" in panel:
        defaults["noValue"] = panel["no_value"]
    if "words" in panel:
        words = {value: {"text": word} for value, word in panel["words"].items()}
        defaults["mappings"] = [{"type": "value", "options": words}]
    if kind == "stat":
        return defaults | {"color": {"mode": "thresholds"}}
    return defaults | {"color": {"mode": "palette-classic"}, "custom": _drawing(panel)}


def _thresholds(panel: Json) -> Json:
    below, above = ("red", "green") if panel.get("is_floor") else ("green", "red")
    steps: list[Json] = [{"color": panel.get("colour", below if "limit" in panel else "green"), "value": None}]
    if "limit" in panel:
        steps.append({"color": above, "value": panel["limit"]})
    return {"mode": "absolute", "steps": steps}


def _drawing(panel: Json) -> Json:
    is_stacked = panel.get("stack", False)
    # Grafana draws a limit only where its axis reaches so far by itself.
    reach = {"axisSoftMin": 0, "axisSoftMax": panel["limit"] * 1.15} if panel.get("limit") else {}
    return reach | {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 25 if is_stacked else 5,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if is_stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if "limit" in panel else "off"},
    }


_GRAPH_OPTIONS: Final[Json] = {
    "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
    "tooltip": {"mode": "multi", "sort": "desc"},
}


def _stat_options(panel: Json) -> Json:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": panel.get("text", "value"),
    }


if __name__ == "__main__":
    DASHBOARD.write_text(text(build(tomllib.loads(SOURCE.read_text(encoding="utf-8")))), encoding="utf-8")
