"""The command line: ``roomcast serve``, ``check``, ``explain`` and ``--version``.

Exit codes are a promise: 0 yes, 1 no, 2 usage or configuration. What went wrong
stands on stderr in words, never as a traceback; what was asked for, on stdout.

The server is imported by the commands that need it, when they run: ``--help``
and a misspelt key should not wait for an event loop.
"""

from importlib.metadata import version as version_of
from pathlib import Path
from platform import python_version
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from roomcast import __version__
from roomcast.settings import Loaded, SettingsError, load

YES, NO, MISUSE = 0, 1, 2
SWITCHING_PROTOCOLS = 101
# Where there is no terminal a program reads, and it cannot find what is wrapped: as good as no width.
WIDTH_UNSEEN = 1_000_000

app = typer.Typer(
    name="roomcast",
    help="A WebSocket broadcast relay: what a client sends to /rooms/lobby reaches everyone else there.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration file. Without: $ROOMCAST_CONFIG, else ./config/roomcast.toml, "
        "else /etc/roomcast/roomcast.toml, else the defaults.",
    ),
]
DevOption = Annotated[
    bool, typer.Option("--dev", help="For trying out: any page on localhost may connect, chat page on, loopback only.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Set one key; wins over every other source. Repeatable."),
]


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


@app.command()
def serve(config: ConfigOption = None, is_dev: DevOption = False, assignments: SetOption = None) -> None:
    """Run the relay until SIGTERM or SIGINT, then say goodbye to every member."""
    from roomcast.server import DoorError, serve

    loaded = _load(config, is_dev, assignments)
    try:
        status = serve(loaded, is_dev=is_dev)
    except (DoorError, ValueError) as error:
        _fail(str(error))
    raise typer.Exit(status)


@app.command()
def check(config: ConfigOption = None, is_dev: DevOption = False, assignments: SetOption = None) -> None:
    """Check the configuration; print the values that hold and where each came from."""
    from roomcast.server import build_forwarding, build_policies, read_certificate

    loaded = _load(config, is_dev, assignments)
    try:
        build_policies(loaded.settings)
        build_forwarding(loaded.settings)
        if (tls := loaded.settings.tls).certificate:
            read_certificate(tls.certificate, tls.key)
    except ValueError as error:
        _fail(str(error))
    table = Table("key", "value", "from", box=None, pad_edge=False)
    for row in loaded.rows():
        table.add_row(*(escape(cell) for cell in row))
    _stdout().print(table)


@app.command()
def explain(
    path: Annotated[str, typer.Argument(metavar="PATH", help="What the client asks for, as in /rooms/lobby.")],
    origin: Annotated[
        str | None, typer.Option(metavar="ORIGIN", help="The page's Origin. Without: a client that sends none.")
    ] = None,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="The Host that the client sends.")] = None,
    config: ConfigOption = None,
    is_dev: DevOption = False,
    assignments: SetOption = None,
) -> None:
    """Say what would happen to a handshake, and which template and rule decide. Exits 0 if it is let in, else 1."""
    from roomcast.server import explain

    if not path.startswith("/"):
        _fail(f'PATH is what follows the host in the address, so it begins with "/", and {path!r} does not')
    loaded = _load(config, is_dev, assignments)
    try:
        answer = explain(loaded.settings, path=path, origin=origin, host=host)
    except ValueError as error:
        _fail(str(error))
    grid = Table.grid(padding=(0, 2))
    for name in ("status", "outcome", "template", "room", "rule", "message"):
        if value := getattr(answer, name):
            grid.add_row(name, escape(str(value)))
    _stdout().print(grid)
    raise typer.Exit(YES if answer.status == SWITCHING_PROTOCOLS else NO)


def _load(config: Path | None, is_dev: bool, assignments: list[str] | None) -> Loaded:
    try:
        return load(config, is_dev=is_dev, overrides=assignments or [])
    except SettingsError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    for line in message.splitlines():
        typer.echo(f"roomcast: {line}", err=True)
    raise typer.Exit(MISUSE)


def _stdout() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_UNSEEN)
