"""``roomcast explain``: what would happen to a handshake, and why."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from roomcast.cli.configuration import ConfigOption, DevOption, SetOption, load_or_end
from roomcast.cli.output import NO, YES, end, stdout

SWITCHING_PROTOCOLS = 101


def explain(
    path: Annotated[str, typer.Argument(metavar="PATH", help="What the client asks for, as in /rooms/lobby.")],
    origin: Annotated[
        str | None, typer.Option(metavar="ORIGIN", help="The page's Origin. Without: a client that sends none.")
    ] = None,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="The Host that the client sends.")] = None,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="The token that the client shows. Without: none.")
    ] = None,
    config: ConfigOption = None,
    is_dev: DevOption = False,
    assignments: SetOption = None,
) -> None:
    """Say what would happen to a handshake, and which template and rule decide. Exits 0 if it is let in, else 1."""
    from roomcast.server import explain

    if not path.startswith("/"):
        end(f'PATH is what follows the host in the address, so it begins with "/", and {path!r} does not')
    loaded = load_or_end(config, is_dev, assignments)
    try:
        answer = explain(loaded.settings, path=path, origin=origin, host=host, token=token)
    except ValueError as error:
        end(str(error))
    grid = Table.grid(padding=(0, 2))
    for name in ("status", "outcome", "template", "room", "rule", "message", "shadow"):
        if value := getattr(answer, name):
            grid.add_row(name, escape(str(value)))
    stdout().print(grid)
    raise typer.Exit(YES if answer.status == SWITCHING_PROTOCOLS else NO)
