"""The program ``roomcast``: which commands there are, and the options that belong to none of them."""

from importlib.metadata import version as version_of
from platform import python_version
from typing import Annotated

import typer

from roomcast import __version__
from roomcast.cli.check import check
from roomcast.cli.explain import explain
from roomcast.cli.plan import plan
from roomcast.cli.publish import publish
from roomcast.cli.reload import reload
from roomcast.cli.serve import serve
from roomcast.cli.tail import tail
from roomcast.cli.token import token
from roomcast.cli.why import why

app = typer.Typer(
    name="roomcast",
    help="A WebSocket broadcast relay: what a client sends to /rooms/lobby reaches everyone else there.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (serve, check, explain, token, tail, publish, reload, plan, why):
    app.command()(command)


def main() -> None:
    """Run the command that the process was started with, and exit."""
    app()


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"roomcast {__version__} (python {python_version()}, gevent {version_of('gevent')})")
        raise typer.Exit


@app.callback()
def _options(
    is_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the versions and exit.")
    ] = False,
) -> None:
    """Hold the options that belong to no command."""
