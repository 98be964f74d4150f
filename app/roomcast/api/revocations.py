"""``/api/v1/revocations``: whoever has a token loses what it opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from roomcast.api import intake
from roomcast.api.answers import say
from roomcast.api.keys import Scope
from roomcast.api.messages import JSON
from roomcast.api.models import Closed, Nothing, Revocation

if TYPE_CHECKING:
    from falcon import Request, Response

    from roomcast.api.guard import Guard


class Revoker(Protocol):
    """Who knows whose token is whose."""

    def revoke(self, subject: str, ttl_s: float = ...) -> int:
        """Send all members of a subject away, and refuse the tokens that were issued to it until now.

        Args:
            subject: The ``sub`` of the tokens.
            ttl_s: For how many seconds they are refused.

        Returns:
            How many were sent away.
        """


class Revocations:
    """``/api/v1/revocations``: revoke by subject."""

    def __init__(self, guard: Guard, revoker: Revoker) -> None:
        self._guard = guard
        self._revoker = revoker

    def on_post(self, request: Request, response: Response) -> None:
        """Revoke all tokens of a subject."""
        self._guard.require(request, Scope.ADMIN)
        intake.query(request, Nothing)
        if intake.media_type(request) != JSON:
            raise intake.unsupported((JSON,), f"say what the body is: curl -H 'Content-Type: {JSON}'")
        revocation = intake.json(intake.body(request), Revocation)
        # How long is long enough where nothing is said, the revoker knows.
        ttl_s = () if revocation.ttl_s is None else (revocation.ttl_s,)
        say(response, Closed(members=self._revoker.revoke(revocation.subject, *ttl_s)))
