"""How a room that is followed is shown: lines for a program, JSON for another, and a terminal for a person."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from roomcast.cli.escaping import printable
from roomcast.cli.rates import Rate
from roomcast.cli.sse import Event
from roomcast.relay.start import Position

# A person reads no more often than that, and each time costs the terminal a line.
REFRESHES_PER_S = 4


Show = Callable[[Event], None]
"""Shows one message, as it comes."""


def text_of(event: Event) -> str:
    """Return a message on one line; of a binary one, that it is one, and how long."""
    if event.type == "binary":
        return f"({size_bytes_of(event)} bytes, binary)"
    return printable(event.data)


def size_bytes_of(event: Event) -> int:
    """Return how long the message was that its sender sent."""
    if event.type == "binary":
        # Four characters for three bytes, and "=" for each that is not there.
        return len(event.data) // 4 * 3 - event.data.count("=")
    return len(event.data.encode("utf-8"))


def show_line(event: Event) -> None:
    """Print ``offset``, a tab, and the text."""
    _print_now(f"{_offset(event)}\t{text_of(event)}")


def show_json(event: Event) -> None:
    """Print one JSON object: the position, and the message exactly as it was."""
    position = _position(event)
    where = {"epoch": position and position.epoch, "offset": position and position.offset}
    body = "base64" if event.type == "binary" else "text"
    # ASCII, because what JSON does not escape otherwise can still move a cursor.
    _print_now(json.dumps(where | {body: event.data}))


def _offset(event: Event) -> str:
    position = _position(event)
    return printable(event.id) if position is None else str(position.offset)


def _position(event: Event) -> Position | None:
    """Return where a message is; None where that is no position: whoever answers may say anything."""
    try:
        return Position.parse(event.id)
    except ValueError:
        return None


def _print_now(line: str) -> None:
    # Whoever reads this through a pipe is as curious as a person before a terminal.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def terminal(console: Console, room: str, clock: Callable[[], float]) -> Iterator[Show]:
    """Show messages one below the other, and under them how fast they come, until the end of the block."""
    rate = Rate(clock())

    def status() -> Text:
        messages_per_s, bytes_per_s = rate.per_s(clock())
        return Text(
            f"{printable(room)}  {rate.messages:,} messages, {_of_size(rate.size_bytes)}  "
            f"{messages_per_s:,.1f}/s, {_of_size(bytes_per_s)}/s",
            style="reverse",
        )

    def show(event: Event) -> None:
        rate.note(clock(), size_bytes_of(event))
        line = Text.assemble((f"{_offset(event):>8}", "cyan"), f"  {time.strftime('%H:%M:%S')}  ", text_of(event))
        console.print(line, soft_wrap=True)

    # What goes to stderr goes above the line at the bottom, where stderr is the same terminal.
    with Live(
        get_renderable=status,
        console=console,
        refresh_per_second=REFRESHES_PER_S,
        redirect_stderr=sys.stderr.isatty(),
    ):
        yield show


def _of_size(size_bytes: float) -> str:
    if size_bytes < 1024:
        return f"{size_bytes:.0f} bytes"
    return f"{size_bytes / 1024:,.1f} KiB" if size_bytes < 1 << 20 else f"{size_bytes / (1 << 20):,.1f} MiB"
