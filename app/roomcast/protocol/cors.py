"""Which pages may read an answer: the few headers of CORS that the public door needs.

A WebSocket needs none of them. An event stream is an HTTP answer, and a browser shows that
to a page of another origin only where the answer names the origin. Where the page adds a
header of its own, as a token in ``Authorization``, the browser asks first, with OPTIONS: a
*preflight*. Both are answered by the same rules as a handshake; a "no" has no such header,
so the page learns nothing but that it was refused.

Source: Fetch (fetch.spec.whatwg.org), section 3.3, "CORS protocol".
"""

from __future__ import annotations

from roomcast.protocol.request import Request

Headers = tuple[tuple[str, str], ...]

# What a page may add to its GET: a token, where it was, and what libraries add by themselves.
_MAY_BE_ADDED = "authorization, cache-control, last-event-id"
# Two hours, the longest that Chromium remembers an answer. The GET is judged anew each time.
_MAX_AGE_S = 7200


def is_preflight(request: Request) -> bool:
    """Tell whether a browser asks if a page may GET this. It asks for no upgrade at the same time."""
    is_asked = request.method == "OPTIONS" and request.get("access-control-request-method") == "GET"
    return is_asked and request.origin is not None and request.get("upgrade") is None


def may_read(origin: str | None, *, with_credentials: bool = False) -> Headers:
    """Return the headers that show an answer to the page that asked for it.

    Args:
        origin: Its Origin as it was sent, None where there was none.
        with_credentials: Whether cookies mean something here, and may be sent.
    """
    # Whatever is between must not show one page's answer to another (RFC 9110, 12.5.5).
    vary = (("Vary", "Origin"),)
    if origin is None:
        return vary
    # Never "*", though "*" be allowed: with credentials browsers refuse it.
    headers = (("Access-Control-Allow-Origin", origin), *vary)
    return (*headers, ("Access-Control-Allow-Credentials", "true")) if with_credentials else headers


def may_ask(origin: str | None, *, with_credentials: bool = False) -> Headers:
    """Return the headers of a "yes" to a preflight; the arguments as above."""
    return (
        *may_read(origin, with_credentials=with_credentials),
        ("Access-Control-Allow-Methods", "GET"),
        ("Access-Control-Allow-Headers", _MAY_BE_ADDED),
        ("Access-Control-Max-Age", str(_MAX_AGE_S)),
    )
