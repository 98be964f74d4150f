"""A relay's door, seen from outside: where it is, and a connection to it.

Redirections are not followed: a relay sends none, and whoever else does is not to
be handed a token.
"""

import os
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

from roomcast.cli.escaping import printable

# Of a refusal, as much as a relay's own line may have.
_ANSWER_MAX_BYTES = 2000

# Of waits that nobody has asked for, the longest.
WAIT_MAX_S = 30.0
# What a relay asks for is obeyed, up to here: a wrong number must not keep anybody away for days.
WAIT_TOLD_MAX_S = 3600.0

# These may be different next time. Any other refusal is about the request, which will be the same.
COME_AGAIN = frozenset({408, 429, 500, 502, 503, 504})

UNREACHABLE = (OSError, HTTPException)
"""What is raised where nobody answers, or what answers does not speak HTTP."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a relay answers."""

    host: str
    port: int
    is_tls: bool
    prefix: str
    """The path under which a proxy shows the relay; "" where it shows it at the root."""

    @classmethod
    def at(cls, url: str) -> "Door":
        """Return the door at this address.

        Raises:
            ValueError: If it is none of ``http://host[:port]`` and ``https://host[:port]``, with its rule.
        """
        parts = urlsplit(url)
        # A page connects to ws://…, and that is the same door.
        is_tls = parts.scheme in {"https", "wss"}
        if not (is_tls or parts.scheme in {"http", "ws"}) or not parts.hostname:
            raise ValueError(f"is not http://host:port or https://host:port: {url!r}")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("holds more than scheme, host, port and path")
        return cls(parts.hostname, parts.port or (443 if is_tls else 80), is_tls, parts.path.rstrip("/"))

    @property
    def address(self) -> str:
        """Where it is, in words."""
        return f"{self.host} port {self.port}"

    def connect(self, silence_max_s: float) -> HTTPConnection:
        """Return a connection that is made with the first request; the caller closes it.

        Args:
            silence_max_s: How long it waits for the connection, and then for each byte.
        """
        if self.is_tls:
            return HTTPSConnection(self.host, self.port, timeout=silence_max_s, context=ssl.create_default_context())
        return HTTPConnection(self.host, self.port, timeout=silence_max_s)

    def target(self, path: str) -> str:
        """Return what a request asks for to reach this path, given as it reads when it is decoded."""
        return self.prefix + quote(path)


def line_of(answer: HTTPResponse) -> str:
    """Return the one line of text in which a relay says why not, fit to be shown."""
    text = answer.read(_ANSWER_MAX_BYTES).decode("utf-8", "replace").strip()
    return printable(text.partition("\n")[0].strip()) or answer.reason


def retry_after_s(answer: HTTPResponse) -> float:
    """Return how long a refusal wants us to wait; 0.0 where it does not say."""
    value = answer.headers.get("Retry-After", "")
    # It may be a date, too; no relay sends one.
    return min(float(value), WAIT_TOLD_MAX_S) if value.isdecimal() and value.isascii() else 0.0


def in_words(error: Exception) -> str:
    """Return what is ``UNREACHABLE`` about a relay."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def secret_from(file: Path | None, variable: str) -> str:
    """Return the first line of the file, else what the environment holds under this name, else "".

    A secret is no option of a command: every user of a machine may read those.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If the secret cannot stand in a header.
    """
    secret = file.read_text("utf-8").strip() if file else os.environ.get(variable, "").strip()
    if not (secret.isascii() and secret.isprintable()):
        place = str(file) if file else variable
        raise ValueError(f"{place} holds more than one line, or characters that no header may have")
    return secret
