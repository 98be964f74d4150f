"""Roomcast: a WebSocket broadcast relay. What a client sends to a path reaches everyone else on it.

For programs, ``from roomcast import …`` offers the API of the library that it
grew from: WebSockets over sockets of one's own. See ``roomcast.blocking``.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "HandshakeError",
    "HandshakeFault",
    "Request",
    "create_response",
    "create_token",
    "get_frame",
    "get_message",
    "get_request",
    "put_frame",
    "put_response",
    "shake_hands",
]

if TYPE_CHECKING:
    from roomcast.blocking import (
        HandshakeError,
        HandshakeFault,
        Request,
        create_response,
        create_token,
        get_frame,
        get_message,
        get_request,
        put_frame,
        put_response,
        shake_hands,
    )
else:

    def __getattr__(name):
        # Not before somebody asks: this file is run first whatever is imported
        # from the package, and an import of sockets here would come before
        # __main__ had the chance to patch them.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from roomcast import blocking

        return getattr(blocking, name)
