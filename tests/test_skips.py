"""The plumbing of skips, tried on small test runs of its own."""

import resource
import shutil
import sys
from pathlib import Path

import pytest

from tests import skips

ENTRY = """
[[skip]]
tests = "test_it.py::test_left_out*"
without = "executable no-such-program"
where = "nowhere is there such a program"
why = "it starts one"
"""

# Without hypothesis, whose plugin would import the whole of it again for each of these runs: a second each.
PLUGINS = ("-p", "tests.skips", "-p", "no:hypothesispytest")

LEFT_OUT = """
def test_left_out():
    raise AssertionError
"""


def run(pytester: pytest.Pytester, tests: str, *, entries: str = "") -> pytest.RunResult:
    pytester.mkdir("tests")
    pytester.path.joinpath(skips.LIST).write_text(entries, encoding="utf-8")
    pytester.makepyfile(test_it=tests)
    return pytester.runpytest(*PLUGINS)


def test_listed_test_is_skipped_where_its_need_is_missing(pytester: pytest.Pytester) -> None:
    result = run(pytester, LEFT_OUT, entries=ENTRY)

    result.assert_outcomes(skipped=1)
    assert result.ret is pytest.ExitCode.OK


def test_listed_test_runs_where_its_need_is_met(pytester: pytest.Pytester) -> None:
    python = Path(sys.executable).name
    assert shutil.which(python), "the Python that runs the tests stands on no PATH"

    result = run(pytester, LEFT_OUT, entries=ENTRY.replace("no-such-program", python))

    result.assert_outcomes(failed=1)


def test_listed_test_with_an_option_runs_when_it_is_given(pytester: pytest.Pytester) -> None:
    run(pytester, LEFT_OUT, entries=ENTRY.replace("executable no-such-program", "option --engine"))

    result = pytester.runpytest(*PLUGINS, "--engine")

    result.assert_outcomes(failed=1)


@pytest.mark.parametrize(("module", "outcome"), [("no_such_module", "skipped"), ("pytest", "failed")])
def test_listed_test_is_skipped_where_its_module_is_missing(
    pytester: pytest.Pytester, module: str, outcome: str
) -> None:
    result = run(pytester, LEFT_OUT, entries=ENTRY.replace("executable no-such-program", f"module {module}"))

    assert result.parseoutcomes() == {outcome: 1}


@pytest.mark.parametrize(("more", "outcome"), [(1, "skipped"), (0, "failed")])
def test_listed_test_is_skipped_where_too_few_files_may_be_open(
    pytester: pytest.Pytester, more: int, outcome: str
) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1] + more

    result = run(pytester, LEFT_OUT, entries=ENTRY.replace("executable no-such-program", f"files {files}"))

    assert result.parseoutcomes() == {outcome: 1}


def test_need_of_tests_that_are_not_run_is_not_looked_for(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look_for(name: str, _: pytest.Config) -> bool:
        asked.append(name)
        return False

    monkeypatch.setitem(skips.NEEDS, "executable", look_for)
    run(pytester, LEFT_OUT + "def test_other(): pass", entries=ENTRY).assert_outcomes(skipped=1, passed=1)
    assert asked == ["no-such-program"]

    pytester.runpytest(*PLUGINS, "-k", "other").assert_outcomes(deselected=1, passed=1)
    assert asked == ["no-such-program"]


def test_fixtures_of_a_skipped_test_are_not_set_up(pytester: pytest.Pytester) -> None:
    tests = """
import pytest

@pytest.fixture(autouse=True, scope="session")
def engine():
    raise AssertionError("started")

def test_left_out(engine):
    pass
"""
    run(pytester, tests, entries=ENTRY).assert_outcomes(skipped=1)


@pytest.mark.parametrize(
    "tests",
    [
        "import pytest\n@pytest.mark.skip(reason='not today')\ndef test_it(): pass",
        "import pytest\n@pytest.mark.skipif(True, reason='not today')\ndef test_it(): pass",
        "import pytest\ndef test_it(): pytest.skip('not today')",
        "import unittest\nclass TestIt(unittest.TestCase):\n    def test_it(self): self.skipTest('not today')",
    ],
    ids=["mark", "condition", "call", "unittest"],
)
def test_skip_that_is_not_listed_fails(pytester: pytest.Pytester, tests: str) -> None:
    result = run(pytester, tests, entries=ENTRY)

    assert result.ret is pytest.ExitCode.TESTS_FAILED
    assert "skipped" not in result.parseoutcomes()
    result.stdout.fnmatch_lines(["*is skipped, but not by tests/skips.toml: *not today*"])


@pytest.mark.parametrize("call", ["importorskip('no_such_module')", "skip('not today', allow_module_level=True)"])
def test_module_that_skips_itself_fails(pytester: pytest.Pytester, call: str) -> None:
    result = run(pytester, f"import pytest\npytest.{call}\ndef test_it(): pass", entries=ENTRY)

    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*test_it.py is skipped whole, but not by tests/skips.toml*"])


@pytest.mark.parametrize("body", ["raise AssertionError", "pass"], ids=["failing", "passing"])
def test_expected_failure_fails(pytester: pytest.Pytester, body: str) -> None:
    result = run(pytester, f"import pytest\n@pytest.mark.xfail\ndef test_it(): {body}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*expects its own failure (xfail), which is not allowed here*"])


def test_run_ends_with_the_table_of_skips(pytester: pytest.Pytester) -> None:
    result = run(pytester, LEFT_OUT + LEFT_OUT.replace("left_out", "left_out_as_well"), entries=ENTRY)

    result.stdout.fnmatch_lines(
        [
            "*= skipped tests =*",
            "   2  test_it.py::test_left_out[*]  nowhere is there such a program: it starts one",
            "   2  in all, each of them listed in tests/skips.toml",
        ],
        consecutive=True,
    )


def test_entry_without_a_reason_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, LEFT_OUT, entries=ENTRY.replace("why =", "# why ="))

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*entry 1 has the keys tests, without, where, not tests, without, where, why"])


def test_entry_with_a_need_nobody_can_look_for_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, LEFT_OUT, entries=ENTRY.replace("executable", "good weather on"))

    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*entry 1 needs 'good weather on no-such-program', not one of executable, *"])


def test_every_entry_names_tests_that_exist(request: pytest.FixtureRequest) -> None:
    root = request.config.rootpath

    for skip in skips.read(root / skips.LIST):
        files = list(root.glob(skip.tests.partition("::")[0].rstrip("*") + "*"))
        assert files, f"{skips.LIST} lists {skip.tests}, and there is no such test"
