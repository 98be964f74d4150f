"""Requests that may be repeated: the answer to the first is kept, and what is asked again is not done again.

A client that got no answer cannot know whether its message was sent. It sends the
request again, with the ``Idempotency-Key`` that it chose for the first; if that was
served, it gets the same answer, and nothing is published.

What is kept is bounded. An answer is kept for ``WINDOW_S``, and while no more than
``ANSWERS_MAX`` of them, or ``ANSWERS_MAX_BYTES``, have come after it: the oldest go
first. A key is its holder's own, and belongs to one request: with another body it
is 422, and 409 while the first is still being served. A request that was refused
was not served, and may be repeated.

Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from falcon import HTTPBadRequest, HTTPConflict, HTTPUnprocessableEntity, Request

WINDOW_S: Final = 600.0
# Ten minutes of 160 requests a second, or half a minute of 2,500: far more than any client waits.
ANSWERS_MAX: Final = 100_000
ANSWERS_MAX_BYTES: Final = 64 << 20
# What an answer takes beside its bytes: the key, the fingerprint, and their objects.
OVERHEAD_BYTES: Final = 500

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[!-~]{1,255}")

_Name = tuple[str, str]


class _Kept(NamedTuple):
    """What is remembered of a request that was served."""

    fingerprint: bytes
    expires_s: float
    answer: bytes


class Idempotency:
    """The answers that are kept.

    Args:
        clock: Seconds, from a clock that never goes back.
        answers_max: How many are kept.
        answers_max_bytes: How much of them.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        answers_max: int = ANSWERS_MAX,
        answers_max_bytes: int = ANSWERS_MAX_BYTES,
    ) -> None:
        self._clock = clock
        self._answers_max = answers_max
        self._answers_max_bytes = answers_max_bytes
        # The oldest first, which is the first to expire: all have the same time.
        self._kept: OrderedDict[_Name, _Kept] = OrderedDict()
        self._kept_bytes = 0
        # The fingerprints of what is being served: no more than the door has connections.
        self._under_way: dict[_Name, bytes] = {}

    def serve(self, request: Request, holder: str, body: bytes, serve: Callable[[], bytes]) -> bytes:
        """Return the answer of ``serve``, or of the request that this one repeats.

        Args:
            request: Of which the method, the target and the body's type count, and the header.
            holder: Whose key was shown.
            body: The whole of it.
            serve: Does what is asked. If it raises, nothing is kept.

        Raises:
            HTTPError: 400 for a key that is none, 409 and 422 as said above.
        """
        key = request.get_header(HEADER)
        if key is None:
            return serve()
        if not _KEY.fullmatch(key):
            raise HTTPBadRequest(description=f"{HEADER} has 1 to 255 visible ASCII characters")
        name = (holder, key)
        fingerprint = _fingerprint(request, body)
        known = self._answer_to(name, fingerprint)
        if known is not None:
            return known
        self._under_way[name] = fingerprint
        try:
            answer = serve()
        finally:
            del self._under_way[name]
        self._keep(name, _Kept(fingerprint, self._clock() + WINDOW_S, answer))
        return answer

    def _answer_to(self, name: _Name, fingerprint: bytes) -> bytes | None:
        self._expire()
        kept = self._kept.get(name)
        first = self._under_way.get(name) if kept is None else kept.fingerprint
        if first is None:
            return None
        if first != fingerprint:
            description = f"this {HEADER} belongs to another request: each has a key of its own"
            raise HTTPUnprocessableEntity(description=description)
        if kept is None:
            raise HTTPConflict(description=f"the first request with this {HEADER} is still being served: ask again")
        return kept.answer

    def _keep(self, name: _Name, kept: _Kept) -> None:
        self._kept[name] = kept
        self._kept_bytes += OVERHEAD_BYTES + len(kept.answer)
        while len(self._kept) > self._answers_max or self._kept_bytes > self._answers_max_bytes:
            self._forget_oldest()

    def _expire(self) -> None:
        now_s = self._clock()
        while self._kept and next(iter(self._kept.values())).expires_s <= now_s:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, oldest = self._kept.popitem(last=False)
        self._kept_bytes -= OVERHEAD_BYTES + len(oldest.answer)


def _fingerprint(request: Request, body: bytes) -> bytes:
    # As Python writes them, so that it shows where one ends and the next begins.
    digest = sha256(repr((request.method, request.relative_uri, request.content_type)).encode())
    digest.update(body)
    return digest.digest()
