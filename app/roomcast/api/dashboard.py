"""The dashboard's routes: the page, the client that it is built on, and the stream of numbers that it shows.

The page itself holds nothing that anybody should not see, so it asks for no key; what it
shows comes from the stream, and that does.
"""

from __future__ import annotations

from collections.abc import Callable

from falcon import Request, Response

from roomcast.api import intake
from roomcast.api.feed import Feed
from roomcast.api.models import Nothing
from roomcast.api.streams import begin_stream
from roomcast.pages import CLIENT, DASHBOARD, Document


class Index:
    """``/``: the dashboard for browsers, and for everything else one line that says where to go.

    Args:
        line: That line.
        check: Raises what a request is refused with.
    """

    def __init__(self, line: str, check: Callable[[Request], object]) -> None:
        self._line = line
        self._check = check

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with what the client asks for by name: curl accepts everything, and wants no page."""
        response.append_header("Vary", "Accept")
        if "text/html" in request.accept:
            self._check(request)
            _show(response, DASHBOARD)
        else:
            response.text = self._line

    on_head = on_get


class Client:
    """``/-/roomcast.js``: where the public door has it, too."""

    def on_get(self, _: Request, response: Response) -> None:
        """Serve it to anybody: it is no secret."""
        _show(response, CLIENT)

    on_head = on_get


class Events:
    """``/api/v1/events``: the numbers, each second, as server-sent events.

    Args:
        feed: Makes them.
        check: Raises what a request is refused with.
    """

    def __init__(self, feed: Feed, check: Callable[[Request], object]) -> None:
        self._feed = feed
        self._check = check

    def on_get(self, request: Request, response: Response) -> None:
        """Stream until somebody leaves."""
        self._check(request)
        intake.query(request, Nothing)
        begin_stream(request, response)
        response.stream = self._feed.stream()


def _show(response: Response, document: Document) -> None:
    for name, value in document.headers:
        response.set_header(name, value)
    response.data = document.body
