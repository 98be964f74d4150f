"""A door that serves the pages' files and then treats each room as a test says.

What a client does about a goodbye, a gap or a lost acknowledgement must be tested when the
test wants it, and not when a relay happens to say it. So this door speaks the subprotocol
roomcast.json over a real socket, and knows no rooms: a path has a list of answers, one for
each connection in turn, and the last one is for all that follow. So it is with streams of
events, each of which is a whole answer here, and ends.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from queue import Queue
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from roomcast.pages import CHAT, CLIENT, CLIENT_PATH, Document

PROTOCOL = "roomcast.json"
EPOCH = "k7c2m9qa"

Said = dict[str, Any]
Step = Said | tuple[int, str] | Callable[[Said], Said | None]
"""What is said; a close code and its reason; or what is said to what the client says next."""

EVENTS = "/api/v1/events"

Stream = tuple[int, dict[str, str], str]
"""A status, headers, and what is streamed."""

# A page that does nothing but load the client, for tests that write the rest.
BLANK = Document(
    f'<!doctype html><link rel="icon" href="data:,"><title>blank</title><script src="{CLIENT_PATH}"></script>'.encode(),
    (("Content-Type", "text/html; charset=utf-8"),),
)
_DOCUMENTS = {"/": CHAT, "/blank": BLANK, CLIENT_PATH: CLIENT}


def welcome(offset: int = 0, *, head: int | None = None, number: int = 1, epoch: str = EPOCH, **more: Any) -> Said:
    """Return the first thing that a relay says."""
    head = offset if head is None else head
    return {
        "type": "welcome",
        "id": f"{epoch}.{number}",
        "epoch": epoch,
        "offset": offset,
        "head": head,
        "members": 1,
    } | more


def message(offset: int, text: str, *, sender: str | None = f"{EPOCH}.99", **more: Any) -> Said:
    """Return a message of a stranger, or of whom else."""
    return {"type": "message", "offset": offset, "from": sender, "time_ms": 1_790_000_000_000, "text": text} | more


def ack(offset: int) -> Callable[[Said], Said]:
    """Return the step that acknowledges the next message of the client."""
    return lambda said: {"type": "ack", "ref": said["ref"], "offset": offset}


def goodbye(reason: str, code: int, reconnect_after_ms: int | None) -> Said:
    return {
        "type": "goodbye",
        "reason": reason,
        "code": code,
        "reconnect_after_ms": reconnect_after_ms,
        "id": f"{EPOCH}.41",
    }


def unheard(_: Said) -> None:
    """Wait until the client has said something, and answer nothing."""


@dataclass(slots=True)
class Visit:
    """What a client asked for, and what it said."""

    path: str
    query: dict[str, str]
    protocols: list[str]
    heard: list[Said] = field(default_factory=list)


class StandIn:
    """Answers by room path, and who came, in order."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Sequence[Step]]] = {}
        self.visits: list[Visit] = []
        self.came: Queue[Visit] = Queue()
        """The same, for whoever has to wait for one."""
        self.streams: list[Stream] = []
        self.asked: list[Headers] = []
        """The headers of each request for a stream."""
        self.url = ""

    @property
    def paths(self) -> list[str]:
        """What was asked for, without its query."""
        return [visit.path for visit in self.visits]

    def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Serve the files and streams; let everything else become a WebSocket."""
        if request.path == EVENTS:
            return self._stream(connection, request)
        document = _DOCUMENTS.get(request.path)
        if document is None:
            return None
        response = connection.respond(HTTPStatus.OK, document.body.decode())
        del response.headers["Content-Type"]
        for name, value in document.headers:
            response.headers[name] = value
        return response

    def _stream(self, connection: ServerConnection, request: Request) -> Response:
        status, headers, text = self.streams[min(len(self.asked), len(self.streams) - 1)]
        self.asked.append(request.headers)
        response = connection.respond(HTTPStatus(status), text)
        for name, value in headers.items():
            response.headers[name] = value
        return response

    def handle(self, connection: ServerConnection) -> None:
        """Do what the test has written down for this visit."""
        visit = _visit(connection)
        answers = self.answers[visit.path]
        steps = answers[min(self.paths.count(visit.path), len(answers) - 1)]
        self.visits.append(visit)
        self.came.put(visit)
        with suppress(ConnectionClosed):
            for step in steps:
                _take(step, connection, visit)
            visit.heard += [json.loads(text) for text in connection]


def _visit(connection: ServerConnection) -> Visit:
    assert connection.request is not None
    url = urlsplit(connection.request.path)
    offered = connection.request.headers["Sec-WebSocket-Protocol"].split(",")
    return Visit(url.path, dict(parse_qsl(url.query)), [name.strip() for name in offered])


def _take(step: Step, connection: ServerConnection, visit: Visit) -> None:
    if isinstance(step, tuple):
        connection.close(*step)
        return
    if callable(step):
        said = json.loads(connection.recv())
        visit.heard.append(said)
        answer = step(said)
    else:
        answer = step
    if answer is not None:
        connection.send(json.dumps(answer))


@contextmanager
def running_stand_in() -> Iterator[StandIn]:
    """Serve on a free loopback port until the block ends."""
    stand_in = StandIn()
    server: Server = serve(
        stand_in.handle,
        "127.0.0.1",
        0,
        process_request=stand_in.process_request,
        select_subprotocol=lambda _, offered: offered[0],
    )
    stand_in.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
