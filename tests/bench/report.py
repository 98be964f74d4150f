"""From samples to tables: medians, of values and of ratios within a round."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.figures import FIGURES, Bound, Figure
from tests.bench.kit import Sample

Samples = Mapping[str, Sequence[Sample]]
"""By the label of an entry, one sample for each round; those of one index ran one after the other."""

Results = Mapping[str, Samples]
"""By the name of a figure."""

_COLUMNS = (
    ("CPU per delivery, µs", "cpu_us_per_delivery", "{:.2f}"),
    ("CPU of a core", "server_cpu", "{:.0%}"),
    ("deliveries/s", "deliveries_per_s", "{:,.0f}"),
    ("p50, ms", "p50_us", "{:.1f}"),
    ("p99, ms", "p99_us", "{:.1f}"),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A bound and what was measured of it: the median, and the least and greatest round."""

    bound: Bound
    median: float
    least: float
    greatest: float

    @property
    def does_hold(self) -> bool:
        """Whether the median keeps the bound."""
        return self.median <= self.bound.at_most


def judge(bound: Bound, samples: Samples) -> Judgement | None:
    """Compare, round by round; None where an entry did not run."""
    values = [sample[bound.value] for sample in samples.get(bound.of, ())]
    if bound.against is not None:
        values = [
            value / other[bound.value]
            for value, other in zip(values, samples.get(bound.against, ()), strict=False)
            if other[bound.value]
        ]
    return Judgement(bound, median(values), min(values), max(values)) if values else None


def judgements(results: Results) -> Iterator[tuple[Figure, Judgement]]:
    """Every bound of the figures that were measured, in their order."""
    for figure in FIGURES:
        for bound in figure.bounds:
            judgement = judge(bound, results.get(figure.name, {}))
            if judgement is not None:
                yield figure, judgement


def do_all_hold(results: Results) -> bool:
    """Return whether each bound of what was measured was judged, and holds; without Bun, its bounds are not."""
    if any(
        not results[figure.name].get(bound.of)
        for figure in FIGURES
        if figure.name in results
        for bound in figure.bounds
    ):
        return False
    return all(judgement.does_hold for _, judgement in judgements(results))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def bounds_table(results: Results) -> str:
    """Return what was promised beside what was measured, as Markdown."""
    lines = [_row("figure", "value", "median (least – greatest)", "at most", ""), _row(*["---"] * 5)]
    for figure, judgement in judgements(results):
        bound = judgement.bound
        unit = "×" if bound.against else ""
        what = f"{bound.value}, {bound.of}" + (f" against {bound.against}" if bound.against else "")
        measured = f"{judgement.median:,.2f}{unit} ({judgement.least:,.2f} – {judgement.greatest:,.2f})"
        verdict = "holds" if judgement.does_hold else "**does not hold**"
        lines.append(_row(figure.title, what, measured, f"{bound.at_most:,g}{unit}", verdict))
    return "\n".join(lines)


def values_table(results: Results) -> str:
    """Return the medians of each entry by itself, as Markdown."""
    lines = [_row("figure", "entry", *(title for title, _, _ in _COLUMNS)), _row(*["---"] * (2 + len(_COLUMNS)))]
    for figure in FIGURES:
        for label, samples in results.get(figure.name, {}).items():
            if samples and any(sample["deliveries_per_s"] for sample in samples):
                lines.append(_row(figure.title, label, *_medians(samples)))
    return "\n".join(lines)


def _medians(samples: Sequence[Sample]) -> Iterator[str]:
    for _, key, form in _COLUMNS:
        value = median(sample[key] for sample in samples)
        yield form.format(value / 1000 if key.endswith("_us") else value)


def machine() -> dict[str, str]:
    """Return what a reader must know of the machine to compare figures with another's."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def save(path: Path, results: Results, *, seconds: float) -> None:
    """Write everything that was measured, for a later look at it."""
    document = {"machine": machine(), "seconds": seconds, "results": results}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """Read what ``save`` has written."""
    results: Results = json.loads(path.read_text(encoding="utf-8"))["results"]
    return results
