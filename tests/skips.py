"""Which tests may be skipped: those that ``skips.toml`` lists, where it says so, and no others.

A skip is a hole in the net that nobody sees: the run is green, and the test that
would have failed was not there. So no test decides for itself. It states nothing,
and this plugin, which reads the list, leaves it out where what it needs is missing.
Anything else that skips, or expects its own failure (xfail), fails the run.

The run ends with the table of what was left out, and why.
"""

from __future__ import annotations

import resource
import shutil
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests import python27

LIST: Final = Path("tests", "skips.toml")


@dataclass(frozen=True, slots=True)
class Skip:
    """One entry of the list; its fields are the entry's keys, all of them required."""

    tests: str
    without: str
    where: str
    why: str


class Ledger:
    """What may be skipped on this machine, and what was."""

    def __init__(self, skips: list[Skip], config: pytest.Config) -> None:
        self.counts: Counter[Skip] = Counter()
        self._skips = skips
        self._config = config

    def skip_for(self, node_id: str) -> Skip | None:
        """Return the entry by which this test is left out here, if there is one."""
        # Not looked for before a test is reached that needs it: to ask a package index takes seconds.
        listing = (skip for skip in self._skips if fnmatchcase(node_id, skip.tests))
        return next((skip for skip in listing if not is_met(skip.without, self._config)), None)


LEDGER: Final = pytest.StashKey[Ledger]()
IS_LISTED: Final = pytest.StashKey[bool]()


def read(path: Path) -> list[Skip]:
    """Return the entries of the list at ``path``.

    Raises:
        UsageError: If an entry lacks a key, has one too many, or names a need that
            no code can look for. A list that cannot be read must not pass for an empty one.
    """
    skips = []
    for number, entry in enumerate(tomllib.loads(path.read_text(encoding="utf-8")).get("skip", []), start=1):
        if set(entry) != set(Skip.__slots__):
            rule = ", ".join(Skip.__slots__)
            raise pytest.UsageError(f"{path}: entry {number} has the keys {', '.join(entry)}, not {rule}")
        if entry["without"].partition(" ")[0] not in NEEDS:
            raise pytest.UsageError(f"{path}: entry {number} needs {entry['without']!r}, not one of {', '.join(NEEDS)}")
        skips.append(Skip(**entry))
    return skips


def is_met(need: str, config: pytest.Config) -> bool:
    """Tell whether this machine, or this run, has what the tests of an entry need."""
    kind, _, name = need.partition(" ")
    return NEEDS[kind](name, config)


def has_executable(name: str, _: pytest.Config) -> bool:
    return shutil.which(name) is not None


def has_option(name: str, config: pytest.Config) -> bool:
    return bool(config.getoption(name))


def has_module(name: str, _: pytest.Config) -> bool:
    return find_spec(name) is not None


def has_installed(name: str, _: pytest.Config) -> bool:
    return Path(sys.prefix, name).exists()


@cache
def has_package_index(name: str, _: pytest.Config) -> bool:
    # Ask with pip, not with a socket: only pip knows which index this machine uses, and through what.
    command = [sys.executable, "-m", "pip", "--quiet", "index", "versions", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@cache
def has_ipv6(_: str, __: pytest.Config) -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def has_python27(_: str, __: pytest.Config) -> bool:
    return python27.find() is not None


@cache
def has_image(name: str, _: pytest.Config) -> bool:
    # Where it is not there yet, the registry may have it.
    commands = (["docker", "image", "inspect", name], ["docker", "pull", "--quiet", name])
    return any(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)


def may_open(files: str, _: pytest.Config) -> bool:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= int(files)


# The words an entry's `without` may begin with: what follows the word is the first argument.
NEEDS: Final[dict[str, Callable[[str, pytest.Config], bool]]] = {
    "executable": has_executable,
    "option": has_option,
    "installed": has_installed,
    "module": has_module,
    "package": has_package_index,
    "ipv6": has_ipv6,
    "files": may_open,
    "image": has_image,
    "python2.7": has_python27,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", action="store_true", help="run the tests that build and start containers, too")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEDGER] = Ledger(read(config.rootpath / LIST), config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # First of all hooks: a fixture of a test that is left out must not start what is missing.
    ledger = item.config.stash[LEDGER]
    if skip := ledger.skip_for(item.nodeid):
        ledger.counts[skip] += 1
        item.stash[IS_LISTED] = True
        pytest.skip(f"{skip.where}: {skip.why}")


# Outermost, so that what pytest itself makes of a skip or an xfail is what we see.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if hasattr(report, "wasxfail"):
        del report.wasxfail
        _fail(report, "expects its own failure (xfail), which is not allowed here")
    elif report.skipped and not item.stash.get(IS_LISTED, False):
        _fail(report, f"is skipped, but not by {LIST}: {report.longreprtext}")
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _fail(report, f"is skipped whole, but not by {LIST}: {report.longreprtext}")
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport, rule: str) -> None:
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} {rule}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash[LEDGER].counts
    terminalreporter.section("skipped tests")
    for skip, count in counts.items():
        terminalreporter.line(f"{count:4}  {skip.tests}  {skip.where}: {skip.why}")
    terminalreporter.line(f"{counts.total():4}  in all, each of them listed in {LIST}")
