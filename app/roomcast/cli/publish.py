"""``roomcast publish``: send to a room what stands in a file, comes through a pipe or is given as an argument."""

import random
import sys
import time
from contextlib import closing
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast
from uuid import uuid4

import typer

from roomcast.cli.batches import Batcher, InputError
from roomcast.cli.clients import door_or_end, room_or_end, secret_or_end
from roomcast.cli.input import Input
from roomcast.cli.interrupt import interrupts_here
from roomcast.cli.output import MISUSE, NO, end, say
from roomcast.cli.progress import Tally, noting
from roomcast.cli.publisher import Publisher, RefusedError
from roomcast.settings.keys import API_KEY_VARIABLE


def publish(
    room: Annotated[str, typer.Argument(metavar="ROOM", help="The room's name, as in /rooms/lobby.")],
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The message. Without: standard input.")] = None,
    url: Annotated[str, typer.Option(metavar="URL", help="The relay's private door.")] = "http://127.0.0.1:8081",
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Holds the key of the API; else ${API_KEY_VARIABLE} does."),
    ] = None,
    is_whole: Annotated[
        bool, typer.Option("--whole/--lines", help="All of the input is one message; or each line is one.")
    ] = False,
    is_binary: Annotated[bool, typer.Option("--binary", help="Send bytes, which need not be text.")] = False,
) -> None:
    """Send messages to a room: TEXT, or one for each line of standard input.

    Exits 0 when all were accepted, else 1; and says then which were.
    """
    door, named = door_or_end(url), room_or_end(room)
    tally, batcher = Tally(), Batcher()
    publisher = Publisher(
        door,
        secret_or_end("--key-file", key_file, API_KEY_VARIABLE),
        wait=time.sleep,
        roll=random.SystemRandom().random,
        name=lambda: uuid4().hex,
        say=say,
    )
    given = Input(named, cast("BufferedReader[Any]", sys.stdin.buffer), batcher, is_binary=is_binary)
    try:
        with interrupts_here(), closing(publisher), noting(tally, given.source) as note:
            for batch in given.batches(text, is_whole=is_whole):
                for accepted in publisher.publish(batch, batcher):
                    note(accepted)
    except RefusedError as refused:
        _end(str(refused), tally, _fate(refused), NO)
    except InputError as error:
        _end(str(error), tally, "it and what follows were not sent", MISUSE)
    except KeyboardInterrupt:
        _end("interrupted", tally, "what follows was not sent", NO)
    typer.echo(str(tally))


def _fate(refused: RefusedError) -> str:
    """Say what became of the batch that was refused, and of what would have come after it."""
    lines = refused.batch.lines
    if refused.is_known:
        return f"{lines} and what follows were not"
    return f"of {lines} that is not known, and what follows was not sent"


def _end(why: str, tally: Tally, rest: str, status: int) -> NoReturn:
    end(f"{why}\naccepted: {tally}; {rest}", status)
