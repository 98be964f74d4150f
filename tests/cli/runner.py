"""The program's commands, run in the test's own process."""

from typer.testing import CliRunner, Result

from roomcast.cli import app


def run(*arguments: str) -> Result:
    """Run a command with these arguments, and return what it printed and how it ended."""
    return CliRunner().invoke(app, arguments)
