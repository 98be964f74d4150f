"""``roomcast tail``: follow a room, in a terminal or through a pipe."""

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from roomcast.cli.clients import door_or_end, room_or_end, secret_or_end
from roomcast.cli.display import Show, show_json, show_line, terminal
from roomcast.cli.follow import EndedError, Follower, Wishes
from roomcast.cli.interrupt import interrupts_here
from roomcast.cli.output import NO, YES, end, say, stdout
from roomcast.settings.keys import BEARER_VARIABLE

MESSAGES = frozenset({"message", "binary"})


def tail(
    room: Annotated[str, typer.Argument(metavar="ROOM", help="The room's name, as in /rooms/lobby.")],
    url: Annotated[
        str, typer.Option(metavar="URL", help="The relay's public door.", show_default=True)
    ] = "http://127.0.0.1:8080",
    history: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Begin with the newest N messages, where they are kept.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="POSITION|SECONDS", help="Begin behind epoch:offset, or 30s ago.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Holds the token, if the room asks for one; else ${BEARER_VARIABLE} does."),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each message.")] = False,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N messages.")] = None,
) -> None:
    """Follow a room: print each message with its offset, until Ctrl-C. Comes back when it is cut off.

    Exits 0 when it is told to end, and 1 when the relay refuses, or closes for good.
    """
    follower = Follower(
        door_or_end(url),
        room_or_end(room),
        Wishes(history, since),
        secret_or_end("--token-file", token_file, BEARER_VARIABLE),
        wait=time.sleep,
        roll=random.SystemRandom().random,
        clock=time.monotonic,
        say=say,
    )
    try:
        with interrupts_here(), _display(room, is_json) as show:
            _follow(follower, show, count)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        _forget_stdout()
    except EndedError as ended:
        end(str(ended), NO)
    raise typer.Exit(YES)


@contextmanager
def _display(room: str, is_json: bool) -> Iterator[Show]:
    console = stdout()
    if is_json:
        yield show_json
    elif not console.is_terminal:
        yield show_line
    else:
        with terminal(console, room, time.monotonic) as show:
            yield show


def _follow(follower: Follower, show: Show, count: int | None) -> None:
    for event in follower.events():
        if event.type == "gap":
            say(f"gap: {event.data}")
        elif event.type in MESSAGES:
            show(event)
            if count is not None and (count := count - 1) == 0:
                return


def _forget_stdout() -> None:
    """Let go of a pipe that nobody reads any more: `roomcast tail … | head` has had what it wanted."""
    # Python would try to write the rest at its end, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
