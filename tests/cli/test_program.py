"""The program: its version, and what it says to wrong usage."""

from platform import python_version

import gevent
import pytest

from roomcast import __version__
from tests.cli.runner import run


def test_version_names_what_a_bug_report_needs() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert result.stdout == f"roomcast {__version__} (python {python_version()}, gevent {gevent.__version__})\n"


@pytest.mark.parametrize("arguments", [(), ("srve",), ("check", "--conifg", "a"), ("explain",)])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
