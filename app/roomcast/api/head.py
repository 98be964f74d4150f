"""The head of a request at the private door, in the form that pywsgi asks for.

pywsgi would have the standard library's e-mail parser read it, which takes half of
the time of a short request, ends a head at the first line that is no header without
a word, and joins folded lines. Here each line is a header or the request is refused,
and so is one that says twice what can be so only once: a proxy before us might
believe the other.

Errors name the rule, never the line: heads hold keys.

Source: RFC 9110, 5.5 and 5.6.2; RFC 9112, 5 and 6.3.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from gevent.pywsgi import OldMessage

# Without the blanks around the value: to leave them out in here would be to look for
# the end at each of them, and 16 KiB of blanks would keep everybody for a second.
_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)\r?\n")
_ONCE: Final = frozenset(
    ("host", "content-length", "content-type", "transfer-encoding", "authorization", "origin", "idempotency-key")
)
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


class RequestError(ValueError):
    """A request that cannot be served; a ValueError, because pywsgi takes that for a client's fault."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Head(OldMessage):
    """The header lines of one request; what pywsgi asks of an e-mail's, it may ask of them.

    Args:
        lines: Each with its end, without the blank one.

    Raises:
        RequestError: With status 400.
    """

    def __init__(self, lines: Sequence[bytes] = ()) -> None:
        super().__init__()
        self._lines: list[tuple[str, str]] = []
        # By its name in lower case, the first value of each.
        self._first: dict[str, str] = {}
        for number, line in enumerate(lines, start=2):
            match = _LINE.fullmatch(line)
            if match is None:
                raise RequestError(400, f"line {number} of the head is not name: value")
            self._add(match[1].decode("ascii"), match[2].strip(b" \t").decode("latin-1"))
        if not _LENGTH.fullmatch(self._first.get("content-length", "0")):
            raise RequestError(400, "Content-Length is not a number of bytes")

    def _add(self, name: str, value: str) -> None:
        self._lines.append((name, value))
        lower = name.lower()
        if lower not in self._first:
            self._first[lower] = value
        elif lower in _ONCE:
            raise RequestError(400, f"there is more than one {lower} header")

    def get(self, name: str, failobj: Any = None) -> Any:
        """Return the first value of a header, without walking over all of them."""
        return self._first.get(name.lower(), failobj)

    def variables(self) -> Iterator[tuple[str, str]]:
        """Yield each line as WSGI names it, but those two that have names of their own.

        A name with an underscore would be taken for another with a hyphen, and is left out.
        """
        for name, value in self._lines:
            key = name.upper()
            if "_" not in key and key not in ("CONTENT-TYPE", "CONTENT-LENGTH"):
                yield f"HTTP_{key.replace('-', '_')}", value
