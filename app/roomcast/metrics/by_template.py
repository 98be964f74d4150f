"""Families with a series, or some, for each room template: told by what a template's counters say.

A configuration may have a thousand templates, and each has some thirty series.
prometheus-client takes 10 µs for each sample, a third of it to make the sample and the rest
to write it: a third of a second for one scrape, in one go. What such a family says is a table,
though, and a line of it differs from the next by a name and a number. So these families keep
no samples. Whoever wants some gets them made, and ``exposition.py`` has the lines written
without them, at a thirtieth of that.

That both are the same to the byte, a test holds (``tests/metrics/test_exposition.py``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from roomcast.relay.counters import TemplateCounters

_text_of_float: Callable[[float], str] = floatToGoString
_LABEL: Final = "template"
# Stands in a line for the template's name, where it is cut in two. No label's value holds it.
_HERE: Final = "\0"
# From here on Go, and so prometheus-client, writes an exponent.
_PLAIN_BELOW: Final = 1_000_000
# How many templates' lines are written in one go: some ten microseconds.
_TEMPLATES_AT_ONCE: Final = 8


class ByTemplate(Metric):
    """A family of gauges or counters, by template, and by one label more if there are ``words``.

    Args:
        name: The family's; of a counter, less ``_total``.
        text: What it counts.
        kind: What it is.
        templates: The counters of all templates.
        read: Returns a template's values, one for each word; without words, one.
        label: The other label.
        words: Its values.
    """

    def __init__(
        self,
        name: str,
        text: str,
        kind: Literal["gauge", "counter"],
        templates: Iterable[TemplateCounters],
        read: Callable[[TemplateCounters], Sequence[float]],
        label: str = "",
        words: Sequence[str] = (),
    ) -> None:
        super().__init__(name, text, kind)
        # As they are now: while it is written in pieces, there may come others.
        self._templates = tuple(templates)
        self._read = read
        self._sample_name = f"{name}_total" if kind == "counter" else name
        self._labels = [{label: word} for word in words] if words else [{}]

    @property
    def samples(self) -> list[Sample]:
        """Its samples, made anew, for those who do not write but look."""
        return [
            Sample(self._sample_name, {_LABEL: of.name, **labels}, value)
            for of in self._templates
            for labels, value in zip(self._labels, self._read(of), strict=True)
        ]

    @samples.setter
    def samples(self, _: list[Sample]) -> None:
        """Keep none: the constructor of prometheus-client would have an empty list."""

    def pieces(self) -> Iterator[str]:
        """Yield the lines of all samples, some templates' at a time, each piece as it is when it is asked for."""
        halves = [self._halves(labels) for labels in self._labels]
        for start in range(0, len(self._templates), _TEMPLATES_AT_ONCE):
            yield "".join(
                [
                    f"{before}{name}{behind}{_number(value)}\n"
                    for of in self._templates[start : start + _TEMPLATES_AT_ONCE]
                    for name in (_escaped(of.name),)
                    for (before, behind), value in zip(halves, self._read(of), strict=True)
                ]
            )

    def _halves(self, labels: dict[str, str]) -> tuple[str, str]:
        """Return what stands before a template's name in a line, and what between that and the number."""
        named = sorted({**labels, _LABEL: _HERE}.items())
        pairs = ",".join([f'{name}="{_escaped(value)}"' for name, value in named])
        before, _, behind = f"{self._sample_name}{{{pairs}}} ".partition(_HERE)
        return before, behind


@lru_cache(4096)
def _escaped(value: str) -> str:
    """Return a label's value as both text formats have it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if type(value) is int and 0 <= value < _PLAIN_BELOW:
        return f"{value}.0"
    return _text_of_float(value)
