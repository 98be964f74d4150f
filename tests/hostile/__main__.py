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


def main() -> int:
    """Run the cases, and print a line for each as it comes."""
    failed = 0
    with as_many_files_as_allowed(), Relays() as relays:
        cases = list(chosen_cases(arguments().groups))
        for group, case in cases:
            fault = verdict(relays, case)
            failed += bool(fault)
            print(
                f"{'NOT' if fault else 'ok':3}  {group:16} {case.name:56} {case.outcome!s:32} {case.rule}", flush=True
            )
            if fault:
                print(f"     {fault}")
        relays.rss_bytes()
    print(f"{len(cases)} cases, {failed} with another answer than the strict one; nothing is left over")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
