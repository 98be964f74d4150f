"""From where on a newcomer wants to hear: the query string of its request, read.

``history=20`` asks for the newest twenty messages, ``since=k7c2m9qa:41`` for all after a
position, ``since=30s`` for all of the last half minute. ``gap=ok`` says that it may go
on where what it asks for is gone. What else stands in a query is the page's own
business: it may well have parameters for itself.

A wish that cannot be read is refused, by parameter and rule. To take it for none would
be to lose messages in silence.
"""

import re
from dataclasses import replace
from urllib.parse import parse_qsl

from roomcast.protocol.request import Request
from roomcast.relay.start import NO_WISH, Position, Wish
from roomcast.transport.admission import Outcome, Refusal

# More digits than any room has messages, and few enough to be a number at once.
_NUMBER = re.compile(r"\d{1,15}", re.ASCII)
_SECONDS = re.compile(r"(\d{1,9})s", re.ASCII)
_PARAMETERS = ("history", "since", "gap")


def parse_wish(request: Request) -> Wish:
    """Return what a request says about where it wants to begin.

    Raises:
        Refusal: With 400, if that cannot be read, or is said twice.
    """
    query = request.target.partition("?")[2]
    if not query:
        return NO_WISH
    said = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name in _PARAMETERS]
    if not said:
        return NO_WISH
    values = dict(said)
    if len(values) < len(said):
        raise _malformed("history, since and gap can each be said once")
    wish = Wish(may_miss=_may_miss(values.get("gap")), newest=_newest(values.get("history")))
    return wish if "since" not in values else _since(wish, values["since"])


def come_back(wish: Wish, last_event_id: str) -> Wish:
    """Return a wish that begins where the header of a browser says that it was: ``epoch:offset``, as we told it.

    Raises:
        Refusal: With 400, if it says something else.
    """
    position = _position(last_event_id, "Last-Event-ID is epoch:offset, as in k7c2m9qa:41")
    return replace(wish, since=position, since_s=None)


def _since(wish: Wish, value: str) -> Wish:
    if seconds := _SECONDS.fullmatch(value):
        return replace(wish, since_s=int(seconds[1]))
    rule = "since is epoch:offset, as in since=k7c2m9qa:41, or whole seconds, as in since=30s"
    return replace(wish, since=_position(value, rule))


def _position(value: str, rule: str) -> Position:
    try:
        return Position.parse(value)
    except ValueError:
        raise _malformed(rule) from None


def _newest(value: str | None) -> int:
    if value is None:
        return 0
    if not _NUMBER.fullmatch(value):
        raise _malformed("history is a number of messages, as in history=20")
    return int(value)


def _may_miss(value: str | None) -> bool:
    if value not in (None, "ok"):
        raise _malformed("gap is ok, or not said")
    return value == "ok"


def _malformed(message: str) -> Refusal:
    return Refusal(400, Outcome.MALFORMED, message)
