"""Draws panels as Grafana would, as far as it matters: their grid, lines, limits, legends and marks.

It is no Grafana: what is drawn is what the dashboard asks, over a recorded run.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import Locator, MaxNLocator, MultipleLocator
from PIL import Image, PngImagePlugin

from tests.picture.panels import KEYWORD, places
from tests.picture.record import STEP_S, Recording
from tests.picture.units import written

Json = dict[str, Any]

_COLUMN_PX: Final = 56
_CELL_PX: Final = 25
_GAP_PX: Final = 4
_DPI: Final = 100
_COLUMNS: Final = 24
_TITLE_PX: Final = 46
# Of Grafana's classic palette, in its light theme.
_PALETTE: Final = (
    "#56A64B",
    "#E0B400",
    "#3274D9",
    "#FF780A",
    "#E02F44",
    "#37872D",
    "#8F3BB8",
    "#1F60C4",
    "#C15C17",
    "#705DA0",
)
_COLOURS: Final = {"green": "#37872D", "red": "#E02F44", "orange": "#FF780A", "blue": "#3274D9"}
_INK, _PALE, _GRID, _GROUND = "#24292E", "#6E7780", "#E6E8EB", "#F4F5F5"
_LEGEND_MAX: Final = 6


def draw(dashboard: Json, recording: Recording, file: Path) -> None:
    """Write a picture of the dashboard, over the time of the recording, in 256 colours; it knows its panels."""
    matplotlib.use("Agg")
    cells = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    size = (_COLUMNS * _COLUMN_PX / _DPI, (cells * _CELL_PX + _TITLE_PX) / _DPI)
    figure = Figure(figsize=size, dpi=_DPI, facecolor=_GROUND)
    page = _Page(figure, recording, dashboard["annotations"]["list"])
    page.head(dashboard["title"])
    for panel in dashboard["panels"]:
        page.panel(panel)
    figure.savefig(file)
    panels = PngImagePlugin.PngInfo()
    panels.add_text(KEYWORD, places(dashboard))
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True, pnginfo=panels)


class _Page:
    """The figure, and where on it things are: pixels from the upper left corner."""

    def __init__(self, figure: Figure, recording: Recording, annotations: list[Json]) -> None:
        self._figure = figure
        self._annotations = annotations
        self._recording = recording
        self._width, self._height = figure.get_size_inches() * _DPI

    def _write(self, x: float, y: float, text: str, *, fontsize: float = 8, color: str = _INK, **style: Any) -> None:
        place = (x / self._width, 1 - y / self._height)
        self._figure.text(*place, text, va="center", fontsize=fontsize, color=color, **style)

    def _axes(self, x: float, y: float, width: float, height: float) -> Axes:
        box = (x / self._width, 1 - (y + height) / self._height, width / self._width, height / self._height)
        return self._figure.add_axes(box)

    def head(self, title: str) -> None:
        seconds = round(self._recording["end_s"] - self._recording["start_s"])
        self._write(12, _TITLE_PX / 2, title, fontsize=14, fontweight="bold")
        chosen = f"Job: All     Relay: All     Template: All     {seconds} seconds, a scrape in each"
        self._write(150, _TITLE_PX / 2 + 1, chosen, color=_PALE, fontsize=9)
        for number, of in enumerate(reversed(self._annotations)):
            x = self._width - 80 * (number + 1)
            self._write(x, _TITLE_PX / 2, f"┊ {of['name']}", color=_COLOURS[of["iconColor"]], fontsize=9)

    def panel(self, panel: Json) -> None:
        place = panel["gridPos"]
        x, y = place["x"] * _COLUMN_PX, place["y"] * _CELL_PX + _TITLE_PX
        width, height = place["w"] * _COLUMN_PX, place["h"] * _CELL_PX
        if panel["type"] == "row":
            self._write(x + 10, y + height / 2, f"⌄  {panel['title']}", fontsize=10, fontweight="bold")
            return
        self._card(x + _GAP_PX, y + _GAP_PX, width - 2 * _GAP_PX, height - 2 * _GAP_PX)
        self._write(x + 14, y + 18, panel["title"], fontsize=8.5, fontweight="bold")
        answers = self._recording["panels"][str(panel["id"])]
        if panel["type"] == "stat":
            self._stat(panel, answers, x + width / 2, y + 10 + height / 2)
        else:
            self._graph(panel, answers, x, y, width, height)

    def _card(self, x: float, y: float, width: float, height: float) -> None:
        corner = (x / self._width, 1 - (y + height) / self._height)
        size = (width / self._width, height / self._height)
        self._figure.patches.append(
            Rectangle(
                corner, *size, transform=self._figure.transFigure, facecolor="white", edgecolor="#DCDFE3", zorder=-1
            )
        )

    def _stat(self, panel: Json, answers: list[list[Json]], x: float, y: float) -> None:
        defaults = panel["fieldConfig"]["defaults"]
        last = [(series, float(series["values"][-1][1])) for answer in answers for series in answer]
        value = last[-1][1] if last else math.nan
        words = {float(key): word["text"] for of in defaults.get("mappings", []) for key, word in of["options"].items()}
        text = words.get(value, written(value, defaults["unit"])) if last else defaults.get("noValue", "No data")
        if last and panel["options"]["textMode"] == "name":
            text = ", ".join(_legend(panel["targets"][0], series) for series, _ in last)
        colour = _COLOURS[_step(defaults["thresholds"]["steps"], value)] if last else _PALE
        self._write(x, y, text, fontsize=19, ha="center", color=colour, fontweight="bold")

    def _graph(self, panel: Json, answers: list[list[Json]], x: float, y: float, width: float, height: float) -> None:
        lines = [
            (_legend(target, series), _values(series, self._recording))
            for target, answer in zip(panel["targets"], answers, strict=True)
            for series in answer
        ]
        lines = sorted(lines, key=lambda line: -max((abs(v) for v in line[1] if not math.isnan(v)), default=0))
        axes = self._axes(x + 62, y + 32, width - 88, height - 76)
        times = [STEP_S * number for number in range(len(lines[0][1]))] if lines else []
        custom = panel["fieldConfig"]["defaults"]["custom"]
        if custom["stacking"]["mode"] == "normal" and lines:
            _stack(axes, times, lines)
        else:
            for (_, values), colour in zip(lines, _PALETTE, strict=False):
                axes.plot(times, values, color=colour, linewidth=1.1)
                # Between two gaps there is no line to see.
                axes.plot(times, _alone(values), color=colour, marker=".", markersize=4)
        self._furnish(axes, panel, lines)
        self._legends(lines, x + 16, y + height - 16, width - 32)

    def _furnish(self, axes: Axes, panel: Json, lines: list[tuple[str, list[float]]]) -> None:
        defaults = panel["fieldConfig"]["defaults"]
        axes.set_xlim(0, self._recording["end_s"] - self._recording["start_s"])
        limits = [step["value"] for step in defaults["thresholds"]["steps"] if step["value"] is not None]
        for limit in limits:
            axes.axhline(limit, color=_COLOURS["red"], linewidth=0.9, linestyle=(0, (4, 3)))
        bottom, top = axes.get_ylim()
        if all(value >= 0 or math.isnan(value) for _, values in lines for value in values):
            bottom = 0
            top = max(top, max(limits, default=0) * 1.15, *([1.0] if defaults["unit"] == "short" else [1e-9]))
        axes.set_ylim(bottom, top)
        axes.yaxis.set_major_locator(_ticks(defaults["unit"], max(abs(bottom), abs(top))))
        axes.yaxis.set_major_formatter(lambda value, _: written(value, defaults["unit"]))
        axes.xaxis.set_major_locator(MultipleLocator(60))
        axes.xaxis.set_major_formatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02}")
        axes.tick_params(colors=_PALE, labelsize=7, length=0)
        axes.grid(color=_GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_frame_on(False)
        if not lines:
            text = defaults.get("noValue", "No data")
            axes.text(0.5, 0.5, text, transform=axes.transAxes, color=_PALE, ha="center", fontsize=10)
        self._mark(axes)

    def _mark(self, axes: Axes) -> None:
        """Draw the annotations, the first of them above the others: a start is a new configuration, too."""
        start_s = self._recording["start_s"]
        for of in reversed(self._annotations):
            for moment in _moments(of, self._recording["annotations"][of["name"]]):
                if moment > start_s:
                    colour = _COLOURS[of["iconColor"]]
                    axes.axvline(moment - start_s, color=colour, linewidth=0.9, linestyle=(0, (2, 2)))

    def _legends(self, lines: list[tuple[str, list[float]]], x: float, y: float, width: float) -> None:
        right = x + width
        for (legend, _), colour in list(zip(lines, _PALETTE, strict=False))[:_LEGEND_MAX]:
            if x + 5.2 * len(legend) + 16 > right:
                self._write(x, y, "…", color=_PALE)
                return
            self._write(x, y, "━", color=colour, fontsize=8)
            self._write(x + 13, y, legend, fontsize=7)
            x += 5.2 * len(legend) + 26


def _moments(annotation: Json, answer: list[Json]) -> set[float]:
    """Return when an annotation is marked: the times that are its values, or when each of its series begins."""
    if annotation["useValueForTime"]:
        return {float(value) / 1000 for series in answer for _, value in series["values"]}
    return {float(series["values"][0][0]) for series in answer}


def _ticks(unit: str, highest: float) -> Locator:
    """Return what puts round numbers on an axis: of bytes, those that are round in KiB or MiB."""
    if unit not in {"bytes", "Bps"}:
        return MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    size = 1024 ** max(0, int(math.log(max(highest, 1), 1024)))
    exponent = math.floor(math.log10(max(highest / size, 1e-9) / 2))
    step = next(part * 10**exponent for part in (1, 2, 5, 10) if highest / size / (part * 10**exponent) <= 5)
    return MultipleLocator(step * size)


def _stack(axes: Axes, times: list[int], lines: list[tuple[str, list[float]]]) -> None:
    rows = [[0 if math.isnan(value) else value for value in values] for _, values in lines]
    colours = [_PALETTE[number % len(_PALETTE)] for number in range(len(rows))]
    axes.stackplot(times, rows, colors=colours, alpha=0.35, linewidth=0)
    below = [0.0] * len(times)
    for row, colour in zip(rows, colours, strict=True):
        below = [low + value for low, value in zip(below, row, strict=True)]
        axes.plot(times, below, color=colour, linewidth=1.1)


def _values(series: Json, recording: Recording) -> list[float]:
    """Return a series' value at each step, NaN where it has none: a line has a gap there."""
    steps = int((recording["end_s"] - recording["start_s"]) / STEP_S) + 1
    values = [math.nan] * steps
    for time_s, value in series["values"]:
        values[round((time_s - recording["start_s"]) / STEP_S)] = float(value)
    return values


def _alone(values: list[float]) -> list[float]:
    """Return the values that have no neighbours, and NaN for all others."""
    around = [math.nan, *values, math.nan]
    is_alone = [math.isnan(before) and math.isnan(after) for before, after in zip(around, around[2:], strict=False)]
    return [value if alone else math.nan for value, alone in zip(values, is_alone, strict=True)]


def _legend(target: Json, series: Json) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: series["metric"].get(label[1], ""), target["legendFormat"])


def _step(steps: list[Json], value: float) -> str:
    """Return the colour of a value: that of the last step that it has reached."""
    return str([step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1])
