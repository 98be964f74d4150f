"""Measure Roomcast beside other relays: ``python -m tests.bench [FIGURE …]``.

Every figure of the README has a name, and the name is all that this command needs to
repeat it. It prints a line for each run, then the tables; the status is 1 when a bound
does not hold, or when Roomcast did not run to the end.
"""

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.bench import report
from tests.bench.figures import FIGURES, Figure
from tests.bench.kit import Sample, measure
from tests.bench.servers import PEERS, UnavailableError


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [figure.name for figure in FIGURES]
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"one of {', '.join(names)}; none: all of them")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each figure (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of one run (3)")
    parser.add_argument("--without", nargs="*", default=[], metavar="SERVER", help="leave these out: bun, floor")
    parser.add_argument("--also", nargs="*", default=[], choices=sorted(PEERS), help="other projects' relays")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="measure nothing, print the tables of such a file")
    chosen = parser.parse_args()
    if unknown := set(chosen.figures) - set(names):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return chosen


def chosen_figures(chosen: argparse.Namespace) -> Iterator[Figure]:
    """Return the figures that were asked for, with the entries that were."""
    for figure in FIGURES:
        if chosen.figures and figure.name not in chosen.figures:
            continue
        entries = [entry for entry in figure.entries if entry.server not in chosen.without]
        if figure.may_be_joined:
            entries += [replace(figure.entries[0], label=name, server=name) for name in chosen.also]
        yield replace(figure, entries=tuple(entries))


def run_figure(figure: Figure, rounds: int, seconds: float) -> report.Samples:
    """Run all entries in turn, ``rounds`` times; leave out who cannot run here, or not to the end."""
    print(f"{figure.title} ({figure.name})", flush=True)
    samples: dict[str, list[Sample]] = {entry.label: [] for entry in figure.entries}
    for _ in range(rounds):
        for entry in figure.entries:
            if entry.label not in samples:
                continue
            try:
                sample = measure(entry, seconds)
            except (UnavailableError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                print(f"  {entry.label}: left out: {error}", flush=True)
                del samples[entry.label]
                continue
            samples[entry.label].append(sample)
            print(f"  {entry.label:16} {summary(figure, sample)}", flush=True)
    return samples


def summary(figure: Figure, sample: Sample) -> str:
    """Return the values that the figure is about, and the rate, in one line."""
    keys = [
        *dict.fromkeys(bound.value for bound in figure.bounds),
        "deliveries_per_s",
        "published_per_s",
        "server_cpu",
        "p99_us",
    ]
    return "  ".join(f"{key}={sample[key]:,.2f}" for key in keys if key in sample)


def prepare() -> None:
    """Ask for a core each and for the files that 10,000 connections are."""
    if (os.cpu_count() or 1) < 2:
        sys.exit("the server and the generator need a core each, and this machine has one")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 10_300:
        print(f"the limit of open files is {hard}: idle-memory needs 10,300 (ulimit -n)", file=sys.stderr)


def main() -> int:
    """Measure, or read what was measured, and print the tables."""
    chosen = arguments()
    if chosen.tables:
        results = report.load(chosen.tables)
    else:
        prepare()
        results = {figure.name: run_figure(figure, chosen.rounds, chosen.seconds) for figure in chosen_figures(chosen)}
    if chosen.json:
        report.save(chosen.json, results, seconds=chosen.seconds)
    print(f"\n{report.bounds_table(results)}\n\n{report.values_table(results)}")
    return 0 if report.do_all_hold(results) else 1


if __name__ == "__main__":
    sys.exit(main())
