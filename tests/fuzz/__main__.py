"""Fuzz a target with atheris, guided by coverage: ``python -m tests.fuzz TARGET [--seconds N] [--keep]``.

What a run learns stays in .cache/fuzz, and the next one goes on from there. An
input that breaks a promise is written to tests/fuzz/corpus, under a name that
says which, where the tests find it from then on; the status is then 1.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS, Target

ROOT: Final = Path(__file__).parent.parent.parent

# An input is a few milliseconds' work, on a busy machine a few hundred. One that takes this long is a finding.
INPUT_TIMEOUT_S: Final = 20
MEMORY_MAX_MIB: Final = 1024
# Longer than any single limit of the targets but the 64 KiB of a frame's
# longest form, which the seeds reach.
INPUT_MAX_BYTES: Final = 4096

# Of libFuzzer's lines those that tell of the way and not of the outcome.
NOISE: Final = re.compile(
    r'INFO: |#\d+\s+(?:INITED|NEW|REDUCE|RELOAD|pulse)|######|"|MERGE-|WARNING: Failed to find function|\s*$'
)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; none: all of them")
    parser.add_argument("--seconds", type=int, default=60, help="seconds for each target (60)")
    parser.add_argument("--keep", action="store_true", help="make the kept corpus, minimised, of all that was learned")
    parser.add_argument("--learned", type=Path, default=ROOT / ".cache" / "fuzz", help="where that is kept")
    parser.add_argument("--findings", type=Path, default=corpus.CORPUS, help="where findings are written")
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return chosen


def run(target: Target, seconds: int, learned: Path, findings: Path, seed: int = 0) -> bool:
    """Fuzz one target; return whether it kept its promises. Seed 0 is another one each time."""
    for _, data in corpus.inputs(target):
        corpus.add(learned, data)
    with tempfile.TemporaryDirectory() as scratch:
        words = Path(scratch, "words")
        words.write_text("".join(f"{quoted(word)}\n" for word in target.words), encoding="utf-8")
        status = libfuzzer(
            target,
            str(learned),
            *([f"-dict={words}"] if target.words else []),
            f"-artifact_prefix={scratch}/found-",
            f"-max_total_time={seconds}",
            f"-max_len={INPUT_MAX_BYTES}",
            f"-timeout={INPUT_TIMEOUT_S}",
            f"-rss_limit_mb={MEMORY_MAX_MIB}",
            f"-seed={seed}",
            "-print_final_stats=1",
        )
        for path in Path(scratch).glob("found-*"):
            kind = path.name.split("-")[1]
            print(f"{target.name}: {explain(target, kind, path.read_bytes(), findings / target.name)}", flush=True)
    return status == 0


def explain(target: Target, kind: str, data: bytes, directory: Path) -> Path:
    """Write a finding under a name that says what is wrong with it.

    ``kind`` is libFuzzer's: crash, timeout, oom, slow. Only a crash is tried
    again: what took too long there would take as long here.
    """
    name = f"{corpus.FINDING}{kind}-"
    if kind == "crash":
        try:
            target.check(data)
        except Exception as error:
            name = corpus.name_finding(error)
    return corpus.add(directory, data, name)


def minimise(target: Target, learned: Path) -> None:
    """Make the corpus of the fewest inputs that lead everywhere: to edges, not to how often each was passed."""
    with tempfile.TemporaryDirectory() as chosen:
        libfuzzer(target, "-merge=1", "-use_counters=0", chosen, str(learned))
        corpus.replace(corpus.CORPUS / target.name, Path(chosen))


def libfuzzer(target: Target, *options: str) -> int:
    """Run atheris in a process of its own, and return its status. What it found is in files."""
    command = [sys.executable, "-m", "tests.fuzz.campaign", target.name, *options]
    # Coverage would measure it as well, and take most of its time.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    # Both in one pipe: libFuzzer speaks on one, a traceback comes on the other.
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not NOISE.match(line):
                print(f"{target.name}: {line}", end="", flush=True)
    return process.returncode


def quoted(word: str) -> str:
    """Return a word as libFuzzer's dictionaries have it."""
    escaped = "".join(
        character if character.isalnum() else f"\\x{byte:02x}" for byte in word.encode() for character in [chr(byte)]
    )
    return f'"{escaped}"'


def main() -> int:
    """Fuzz what was asked for, one after the other."""
    chosen = arguments()
    targets = [TARGETS[name] for name in chosen.targets or TARGETS]
    results = [run(target, chosen.seconds, chosen.learned / target.name, chosen.findings) for target in targets]
    if chosen.keep:
        for target in targets:
            minimise(target, chosen.learned / target.name)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
