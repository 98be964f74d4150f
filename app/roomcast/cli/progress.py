"""What is said about a long input while it is sent, and about any input when it has been."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from roomcast.cli.escaping import printable
from roomcast.cli.publisher import Accepted


class Tally:
    """What has been accepted so far."""

    def __init__(self) -> None:
        self.count = 0
        # One for each epoch: a relay that is started anew counts from the beginning.
        self._spans: dict[str, tuple[int, int]] = {}

    def add(self, accepted: Accepted) -> None:
        """Count a batch."""
        for offset in accepted.offsets:
            if offset is not None:
                first, _ = self._spans.get(accepted.epoch, (offset, offset))
                self._spans[accepted.epoch] = first, offset
                self.count += 1

    def __str__(self) -> str:
        """Return how many, and where in the room they are."""
        messages = f"{self.count:,} message{'' if self.count == 1 else 's'}"
        spans = (
            f"{epoch}:{first}" if first == last else f"{epoch}:{first} to {last}"
            for epoch, (first, last) in self._spans.items()
        )
        return printable(", ".join([messages, *spans]))


Note = Callable[[Accepted], None]
"""Hears of each batch that was accepted."""


@contextmanager
def noting(tally: Tally, source: BinaryIO) -> Iterator[Note]:
    """Count what is accepted, and show on a terminal how far that is, until the end of the block.

    Who types the messages sees how far it is.
    """
    console = Console(stderr=True)
    if not console.is_terminal or source.isatty():
        yield tally.add
        return
    with _bar(console) as progress:
        task = progress.add_task("", total=size_bytes_of(source), messages="")

        def note(accepted: Accepted) -> None:
            tally.add(accepted)
            progress.update(task, advance=accepted.batch.size_bytes, messages=f"{tally.count:,} messages")

        yield note


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.fields[messages]}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # It goes when all is sent: what stays is the summary. What is said to stderr goes above it.
    return Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())


def size_bytes_of(source: BinaryIO) -> int | None:
    """Return how much there is to be read, where that can be known: of a file, and of no pipe."""
    try:
        status = os.fstat(source.fileno())
    except OSError:
        return None
    return status.st_size - source.tell() if stat.S_ISREG(status.st_mode) else None
