"""What the tests of the private door share: a journal to read in, and doors that are closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from roomcast.api.door import PrivateDoor
from roomcast.transport.listener import bind
from tests.api.visit import Connect, OpenDoor, connect_to
from tests.diary import Diary

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from gevent.socket import socket

    from roomcast.api.wsgi import Patience


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def open_door(diary: Diary) -> Iterator[OpenDoor]:
    """Open a private door for an application; it is closed at the end of the test."""
    with ExitStack() as doors:

        def open_one(app: WSGIApplication, *, host: str = "127.0.0.1", patience: Patience | None = None) -> PrivateDoor:
            door = PrivateDoor(bind(host, 0), app, diary.journal, patience)
            door.start()
            doors.callback(door.stop)
            return door

        yield open_one


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect to a private door; the connection is closed at the end of the test."""
    with ExitStack() as clients:

        def connect_one(door: PrivateDoor) -> socket:
            return clients.enter_context(connect_to(door))

        yield connect_one
