"""How an answer of the private door becomes a stream of server-sent events."""

from typing import Final

from falcon import HTTPServiceUnavailable, Request, Response

from roomcast.api.wsgi import KEEP_OPEN

_RETRY_S: Final = 5


def begin_stream(request: Request, response: Response) -> None:
    """Let an answer be a stream, if the door may have one more; else raise 503."""
    if not request.env[KEEP_OPEN]():
        raise HTTPServiceUnavailable(description="as many streams are open as this door may have", retry_after=_RETRY_S)
    response.content_type = "text/event-stream"
    response.set_header("Cache-Control", "no-store")
    # nginx would gather the events until it has some kilobytes of them.
    response.set_header("X-Accel-Buffering", "no")
