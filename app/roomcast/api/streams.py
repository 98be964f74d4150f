"""How an answer of the private door becomes a stream of server-sent events."""

from typing import Final

from falcon import HTTPServiceUnavailable, Request, Response

from roomcast.api.problems import LATER_S
from roomcast.api.wsgi import KEEP_OPEN
from roomcast.protocol import event_stream

BEGIN: Final = event_stream.begin("", retry_ms=2_000)
"""What a stream begins with. When the relay restarts, its readers may be back before it is."""


def begin_stream(request: Request, response: Response) -> None:
    """Let an answer be a stream, if the door may have one more; else raise 503."""
    if not request.env[KEEP_OPEN]():
        raise HTTPServiceUnavailable(description="as many streams are open as this door may have", retry_after=LATER_S)
    response.set_headers(list(event_stream.HEADERS))
