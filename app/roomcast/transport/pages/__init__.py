"""The pages that the public door serves, as bytes, with the headers that confine them.

A page is one file with its style and script inside, so that serving it needs no file
system at run time and no second request. What the file holds inline is all that may run:
the policy names both by their hashes, so that HTML which found its way into the page, by
whatever mistake, would still be inert.

Source: Content Security Policy Level 3 (W3C), sections 2.3.1 and 6.7.2.
"""

import base64
import hashlib
import re
from importlib import resources

CHAT = resources.files(__name__).joinpath("chat.html").read_bytes()

_INLINE = re.compile(rb"<(style|script)\b[^>]*>(.*?)</\1>", re.DOTALL)


def content_security_policy(page: bytes) -> str:
    """Return the ``Content-Security-Policy`` that lets ``page`` do what it does and nothing else.

    Args:
        page: HTML with LF line ends. A browser hashes what it has parsed, and
            parsing turns CRLF into LF, so a page with CRLF would be blocked.
    """
    allowed: dict[str, list[str]] = {"style": [], "script": []}
    for kind, content in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")
        allowed[kind.decode("ascii")].append(f"'sha256-{digest}'")
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {' '.join(allowed['style'])}",
            f"script-src {' '.join(allowed['script'])}",
            "img-src data:",
            # For a page from http, 'self' covers ws to the same host and port; from https, wss.
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
