"""What the tests of the private door share: a journal to read in, and doors that are closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from roomcast.api.door import PrivateDoor
from roomcast.api.wsgi import Patience
from roomcast.logs import Journal, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    OpenDoor = Callable[..., PrivateDoor]


class Diary:
    """A journal that is written into a list."""

    def __init__(self) -> None:
        self._written: list[Record] = []
        self.journal = Journal(self._written.append)

    def read(self) -> list[Record]:
        """Return every record so far."""
        self.journal.stop()
        self.journal.run()
        return self._written


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def open_door(diary: Diary) -> Iterator[OpenDoor]:
    """Open a private door for an application; it is closed at the end of the test."""
    with ExitStack() as doors:

        def open_one(app: WSGIApplication, *, host: str = "127.0.0.1", patience: Patience | None = None) -> PrivateDoor:
            door = PrivateDoor(host, 0, app, diary.journal, patience)
            door.start()
            doors.callback(door.stop)
            return door

        yield open_one
