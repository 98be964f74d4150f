"""Numbers as Grafana writes them, for the units that the dashboard has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_SECONDS: Final = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def written(value: float, unit: str) -> str:
    """Return a number in its unit, as short as one can read it."""
    return _WRITERS.get(unit, _short)(value)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _bytes(value: float) -> str:
    for name in _BINARY[:-1]:
        if abs(value) < 1024:
            return f"{value:.4g} {name}"
        value /= 1024
    return f"{value:.3g} {_BINARY[-1]}"


def _seconds(value: float) -> str:
    for size, name in _SECONDS:
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    return "0 s"


_WRITERS: Final[dict[str, Callable[[float], str]]] = {
    "bytes": _bytes,
    "Bps": lambda value: f"{_bytes(value)}/s",
    "cps": lambda value: f"{_short(value)}/s",
    "percentunit": lambda value: f"{value * 100:.3g}%",
    "reqps": lambda value: f"{_short(value)}/s",
    "s": _seconds,
}
