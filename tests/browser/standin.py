"""A door that serves the chat page and then treats each room as a test says.

What the page does about a close code must be tested with codes that the relay sends
rarely (1012 while it drains) or only for features that a configuration must have.
So this door speaks the real protocol over a real socket, and knows no rooms: a path has
a list of answers, one for each connection in turn, and the last one is for all that follow.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from roomcast.transport import pages

Answer = tuple[int, str] | str
"""A close code and its reason, or a text to send before the connection stays open."""


class StandIn:
    """Answers by room path, and the paths that were asked for, in order."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.visits: list[str] = []
        self.url = ""

    def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Serve the page at /; let everything else become a WebSocket."""
        if request.path != "/":
            return None
        response = connection.respond(HTTPStatus.OK, pages.CHAT.decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        response.headers["Content-Security-Policy"] = pages.content_security_policy(pages.CHAT)
        return response

    def handle(self, connection: ServerConnection) -> None:
        """Do what the test has written down for this visit."""
        assert connection.request is not None
        path = connection.request.path
        answers = self.answers[path]
        answer = answers[min(self.visits.count(path), len(answers) - 1)]
        self.visits.append(path)
        if isinstance(answer, tuple):
            connection.close(*answer)
            return
        connection.send(answer)
        for _ in connection:
            pass


@contextmanager
def running_stand_in() -> Iterator[StandIn]:
    """Serve on a free loopback port until the block ends."""
    stand_in = StandIn()
    server: Server = serve(stand_in.handle, "127.0.0.1", 0, process_request=stand_in.process_request)
    stand_in.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
