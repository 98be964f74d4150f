"""Let the Autobahn testsuite judge the relay: ``python -m tests.conformance [CASES …]``.

It prints what is not as it should be at once, and ends with a table. The status is 0 when
each case has come to the best verdict that there is for it, and the relay stayed small
meanwhile; 1 when not; 2 when the suite could not be run.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.certificates import issue
from tests.conformance import suite
from tests.conformance.cases import batches, matching
from tests.conformance.verdicts import Verdict, count, table

MIB = 1 << 20
QUICK_MESSAGES = 100


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("cases", nargs="*", default=["*"], metavar="CASES", help="as 9.1.6 or 6.4.*; none: all of them")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_MESSAGES} messages in each case of 12 and 13, not 1000"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many relays at a time (1)")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of the relay, as in limits.fragments_max=10"
    )
    parser.add_argument("--tls", action="store_true", help="over TLS, with a certificate that is made for it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every verdict")
    chosen = parser.parse_args()
    try:
        chosen.cases = matching(chosen.cases)
    except ValueError as error:
        parser.error(str(error))
    return chosen


def judge(cases: Sequence[str], chosen: argparse.Namespace) -> suite.Batch:
    """Run some cases, and say what they came to."""
    began_s = time.monotonic()
    batch = suite.run(cases, *chosen.set, messages=QUICK_MESSAGES if chosen.quick else None, hear=tell)
    lasted_s = time.monotonic() - began_s
    memory = f"the relay grew by {batch.grown_bytes / MIB:.1f} MiB"
    if batch.grown_bytes > suite.GROWTH_MAX_BYTES:
        memory += f", more than {suite.GROWTH_MAX_BYTES / MIB:.0f}"
    print(f"{cases[0]} – {cases[-1]}: {count(batch.verdicts)}, in {lasted_s:.0f} s; {memory}", flush=True)
    return batch


def tell(verdict: Verdict) -> None:
    """Print a verdict that is not what it should be."""
    if not verdict.is_expected:
        print(f"{verdict.case}: {verdict.verdict}, close code {verdict.close_code}: {verdict.why}", flush=True)


def run(chosen: argparse.Namespace) -> list[suite.Batch]:
    """Run all cases that were asked for, some batches beside each other."""
    with TemporaryDirectory() as directory, ThreadPoolExecutor(chosen.jobs) as pool:
        if chosen.tls:
            chosen.set += issue(Path(directory)).assignments
        return list(pool.map(lambda cases: judge(cases, chosen), batches(chosen.cases)))


def main() -> int:
    """Run the cases, print the table."""
    chosen = arguments()
    try:
        suite.install()
    except RuntimeError as error:
        print(f"The testsuite cannot be run: {error}", file=sys.stderr)
        return 2
    done = run(chosen)
    by_case = {verdict.case: verdict for batch in done for verdict in batch.verdicts}
    verdicts = [by_case[case] for case in chosen.cases]
    print(f"\n{table(verdicts)}\n\n{len(verdicts)} cases: {count(verdicts)}")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1) + "\n", encoding="utf-8")
    return 0 if all(batch.is_expected for batch in done) else 1


if __name__ == "__main__":
    sys.exit(main())
