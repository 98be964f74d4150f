"""Attack a relay in every way that is known here: ``python -m tests.hostile [GROUP …]``.

Prints a line for each case: what was tried, the strict answer, where the verdict
comes from, and whether the relay gave it. The status is 1 when it did not once.
"""

import argparse
import sys
from collections.abc import Iterator

from tests.hostile.cases import Case
from tests.hostile.catalogue import GROUPS
from tests.hostile.kit import Relays, as_many_files_as_allowed


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--twice", action="store_true", help="run all a second time, and say what memory that adds")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"one of {', '.join(GROUPS)}; none: all of them")
    chosen = parser.parse_args()
    if unknown := set(chosen.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    return chosen


def chosen_cases(groups: list[str]) -> Iterator[tuple[str, Case]]:
    """Return the cases of these groups, of all where none is named."""
    for group in groups or GROUPS:
        yield from ((group, case) for case in GROUPS[group])


def verdict(relays: Relays, case: Case) -> str:
    """Run one case; return what is wrong with what happened, or nothing."""
    try:
        relays.run(case)
    except (AssertionError, OSError, EOFError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def run_all(relays: Relays, cases: list[tuple[str, Case]]) -> int:
    """Run these cases, and print a line for each as it comes; return how many had another outcome."""
    failed = 0
    for group, case in cases:
        fault = verdict(relays, case)
        failed += bool(fault)
        print(f"{'NOT' if fault else 'ok':3}  {group:16} {case.name:56} {case.outcome!s:32} {case.rule}", flush=True)
        if fault:
            print(f"     {fault}")
    return failed


def print_memory(first: dict[tuple[str, ...], int], second: dict[tuple[str, ...], int]) -> None:
    """Say what each relay had after either run."""
    for settings in first:
        megabytes = [memory[settings] / 1_000_000 for memory in (first, second)]
        print(f"VmRSS {megabytes[0]:6.1f} MB, then {megabytes[1]:6.1f} MB  {' '.join(settings) or 'default settings'}")


def main() -> int:
    """Run what is asked for."""
    chosen = arguments()
    with as_many_files_as_allowed() as files, Relays() as relays:
        cases = [(group, case) for group, case in chosen_cases(chosen.groups) if case.files <= files]
        failed = run_all(relays, cases)
        first = relays.rss_bytes()
        if chosen.twice:
            failed += run_all(relays, cases)
            print_memory(first, relays.rss_bytes())
    print(f"{len(cases)} cases, {failed} with another answer than the strict one; nothing is left over")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
