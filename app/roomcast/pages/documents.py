"""The documents that the doors serve, as bytes, with the headers that confine them.

A page is one file with its style and script inside, and one more file: the client, which
other people's pages load, too. Serving them needs no file system at run time. What a page
holds inline is all that may run in it, beside what its own host serves: the policy names
its style and its script by their hashes, so that HTML which found its way into the page,
by whatever mistake, would still be inert.

Source: Content Security Policy Level 3 (W3C), sections 2.3.1 and 6.7.2.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

CLIENT_PATH: Final = "/-/roomcast.js"
"""Where both doors serve the client: below ``/-/``, where no room can be."""

# One with a src has nothing inside.
_INLINE = re.compile(rb"<(style|script)\b(?![^>]*\ssrc=)[^>]*>(.*?)</\1>", re.DOTALL)

# A browser asks each time whether there is a newer one: a page and its client that are of two
# versions of the relay would misunderstand each other. And it takes neither for anything else.
_EVERY: Final = (("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"))


@dataclass(frozen=True, slots=True)
class Document:
    """What is answered with 200: bytes, and what they are."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


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
            # 'self' is the client. Its hash would be stricter, but not every browser of today
            # lets a script from elsewhere in by its hash, and a nonce would be a page for each visit.
            f"script-src 'self' {' '.join(allowed['script'])}",
            "img-src data:",
            # For a page from http, 'self' covers ws to the same host and port; from https, wss.
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _page(name: str) -> Document:
    body = _read(name)
    return Document(
        body,
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", content_security_policy(body)),
            ("Referrer-Policy", "no-referrer"),
            *_EVERY,
        ),
    )


def _script(name: str) -> Document:
    return Document(
        _read(name),
        (
            ("Content-Type", "text/javascript; charset=utf-8"),
            # Anybody's page may load it: with `import` it needs the first of these, and where
            # that page is isolated (Cross-Origin-Embedder-Policy), the second.
            ("Access-Control-Allow-Origin", "*"),
            ("Cross-Origin-Resource-Policy", "cross-origin"),
            *_EVERY,
        ),
    )


def _read(name: str) -> bytes:
    return resources.files("roomcast.pages").joinpath(name).read_bytes()


CHAT: Final = _page("chat.html")
DASHBOARD: Final = _page("dashboard.html")
CLIENT: Final = _script("roomcast.js")
