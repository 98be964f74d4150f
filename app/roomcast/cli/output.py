"""What commands print, where, and with which exit status they end."""

from typing import NoReturn

import typer
from rich.console import Console

from roomcast.cli.escaping import printable

YES, NO, MISUSE = 0, 1, 2
"""The exit codes: it is so, it is not so, it was asked or configured wrongly."""

# Where there is no terminal a program reads, and it cannot find what is wrapped: as good as no width.
_WIDTH_UNSEEN = 1_000_000


def end(message: str, status: int = MISUSE) -> NoReturn:
    """Say why, and end the command."""
    say(message)
    raise typer.Exit(status)


def say(message: str) -> None:
    """Print each line of the message to stderr, behind the program's name; what others wrote in it moves no cursor."""
    for line in message.splitlines():
        typer.echo(f"roomcast: {printable(line)}", err=True)


def stdout() -> Console:
    """Return a console that cuts and wraps nothing where no terminal shows it."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_UNSEEN)
