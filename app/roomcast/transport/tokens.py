"""Who is it, and what may it do? From a request to the grant of its token, or to the answer that says why not.

In a room that asks for tokens there is no way around one. In an open room nobody
needs one; but whoever shows one wants to be somebody, so it has to be right there,
too: its subject is told to others, and its end ends the membership. What it does not
grant is granted by the room.

This file sees where tokens are, and not how they are checked: that takes a library
that need not be installed where nobody asks for tokens.
"""

from collections.abc import Callable

from roomcast.metrics import TransportCounters
from roomcast.policies.grants import Grant, TokenError, TokenFault
from roomcast.policies.revocations import Revocations
from roomcast.protocol.bearer import TokenPlaces, find_token
from roomcast.protocol.request import Request
from roomcast.transport.admission import Admitted, Outcome, Refusal

HOW = (
    'this room asks for a token: send "Authorization: Bearer <token>", '
    'or offer the subprotocols "roomcast.raw" and "bearer.<token>"'
)
"""What whoever has none is told."""


class Authenticator:
    """Asks newcomers for their tokens.

    Args:
        places: Where tokens are looked for.
        verify: Returns what a token gives, or raises TokenError. It may wait: for a key that is not known yet.
        revocations: The subjects whose tokens are refused.
        clock: Seconds since the epoch, as tokens count.
        counters: Where it is counted what became of each token.
    """

    def __init__(
        self,
        places: TokenPlaces,
        verify: Callable[[str], Grant],
        *,
        revocations: Revocations,
        clock: Callable[[], float],
        counters: TransportCounters,
    ) -> None:
        self._places = places
        self._verify = verify
        self._revocations = revocations
        self._clock = clock
        self._counters = counters

    @property
    def are_cookies_read(self) -> bool:
        """Whether a cookie may hold a token."""
        return bool(self._places.cookie)

    def authenticate(self, request: Request, admitted: Admitted) -> Grant | None:
        """Return what the request's token gives in the room that it is admitted to; None where it needs and has none.

        Raises:
            Refusal: 401 without a token that is good, 403 with one for other rooms, or for nothing.
            HandshakeError: With 400, if it has several.
        """
        token = find_token(request, self._places)
        is_asked_for = admitted.template.access == "token"
        if token is None:
            if not is_asked_for:
                return None
            raise self._refusal(TokenError(TokenFault.MISSING, HOW), admitted)
        try:
            grant = self._verify(token)
            if is_asked_for:
                check_room(grant, admitted.room)
            self.check(grant, admitted)
        except TokenError as error:
            raise self._refusal(error, admitted) from None
        self._counters.tokens["accepted"] += 1
        return grant.inside(may_do_all=not is_asked_for)

    def check(self, grant: Grant, admitted: Admitted) -> None:
        """Refuse a token whose subject was revoked, perhaps since it was verified. Raises Refusal."""
        if self._revocations.holds(grant.subject, issued_s=grant.issued_s, now_s=self._clock()):
            raise self._refusal(TokenError(TokenFault.REVOKED, "it was revoked"), admitted)

    def _refusal(self, error: TokenError, admitted: Admitted) -> Refusal:
        self._counters.tokens[error.fault] += 1
        return token_refusal(error, admitted)


def check_room(grant: Grant, room: str) -> None:
    """Make sure that a grant opens a room, to do anything in it. Raises TokenError."""
    if not grant.opens(room):
        raise TokenError(TokenFault.ROOM, "it is for other rooms: its claim rooms has none that matches this one")
    if not grant.actions:
        raise TokenError(TokenFault.ROOM, "it lets nobody do anything: its claim actions is empty")


def check_may_hear(admitted: Admitted) -> None:
    """Refuse one that could do nothing but hear, and may not. Raises Refusal."""
    if admitted.grant is not None and not admitted.grant.may_subscribe:
        raise token_refusal(TokenError(TokenFault.ROOM, "it has no subscribe among its actions"), admitted)


def token_refusal(error: TokenError, admitted: Admitted) -> Refusal:
    """Return the answer to whoever has not the token that it takes (RFC 6750, 3)."""
    if error.fault is TokenFault.MISSING:
        # "If the request lacks any authentication information … the resource server SHOULD NOT include an error code".
        status, outcome, message, challenge = 401, Outcome.BEARER, str(error), "Bearer"
    elif error.fault is TokenFault.ROOM:
        status, outcome = 403, Outcome.FORBIDDEN
        message, challenge = f"the token does not do: {error}", 'Bearer error="insufficient_scope"'
    else:
        status, outcome = 401, Outcome.BEARER
        message, challenge = f"the token does not do: {error}", 'Bearer error="invalid_token"'
    return Refusal(
        status,
        outcome,
        message,
        headers=(("WWW-Authenticate", challenge),),
        hint="roomcast token makes one to try it with" if error.fault is TokenFault.MISSING else "",
        room=admitted.room,
        template=admitted.template.name,
        rule=f'access = "{admitted.template.access}"',
    )
