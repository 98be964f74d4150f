"""What a token gives its bearer: a subject, rooms, actions, and an end; and every reason why it gives nothing.

This file knows no token. Whoever reads one (``tokens.py``, which needs PyJWT and
so is imported only where tokens are configured) makes a ``Grant`` of it or raises
``TokenError``; whoever lets members in asks the grant. A grant names rooms as the
configuration does, by templates (``templates.py``): without any it opens none.

A ``TokenError`` names the rule that a token breaks, and never quotes the token:
its text reaches the client and the log, and a token is as good as a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from roomcast.policies.templates import Template, Templates

ROOMS_MAX = 100
"""The most rooms and room patterns of one token: each is read at every handshake."""
SUBJECT_MAX_CHARACTERS = 255
"""The longest subject. Every member of a room may be told it."""


class Action(StrEnum):
    """What a member may do in a room."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"


_ALL = frozenset(Action)


class TokenFault(StrEnum):
    """Why a token opens nothing: the label ``outcome`` of ``roomcast_tokens_total``."""

    MISSING = "missing"
    MALFORMED = "malformed"
    """It is no JWT, too long, or marked as one that demands more than is known here."""
    ALGORITHM = "algorithm"
    """Signed in another way than one of the four, or not at all."""
    KEY = "key"
    """No key is known by which it could be checked."""
    SIGNATURE = "signature"
    EXPIRED = "expired"
    EARLY = "early"
    """It is for a time that has not come."""
    ISSUER = "issuer"
    AUDIENCE = "audience"
    CLAIMS = "claims"
    """A claim is missing, or is not what a claim of that name must be."""
    REVOKED = "revoked"
    ROOM = "room"
    """It is as it should be, and for other rooms, or for no action at all."""


class TokenError(Exception):
    """This token opens nothing. The message names the rule that it breaks, and quotes nothing of it."""

    def __init__(self, fault: TokenFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token gives.

    Attributes:
        subject: Whom it was made out to (``sub``), None where it does not say.
        rooms: The paths and patterns of the rooms that it opens.
        actions: What may be done in them.
        expires_s: When it ends (``exp``), in seconds since the epoch.
        issued_s: When it was made (``iat``), None where it does not say.
    """

    subject: str | None
    rooms: tuple[Templates, ...]
    actions: frozenset[Action]
    expires_s: float
    issued_s: float | None

    @property
    def may_publish(self) -> bool:
        """Whether its bearer may send."""
        return Action.PUBLISH in self.actions

    @property
    def may_subscribe(self) -> bool:
        """Whether its bearer may hear."""
        return Action.SUBSCRIBE in self.actions

    def opens(self, room: str) -> bool:
        """Say whether this room is among its own; a name as ``templates.room_name`` returns it."""
        return any(pattern.match(room) for pattern in self.rooms)

    def inside(self, *, may_do_all: bool) -> Grant:
        """Return it as a member holds it, who is in its room: which others it opens takes a KiB each, and is forgotten.

        Args:
            may_do_all: Whether its room is open to all, so that its bearer may do there what anybody may.
        """
        return replace(self, rooms=(), actions=_ALL if may_do_all else self.actions)


def room_patterns(paths: Sequence[object]) -> tuple[Templates, ...]:
    """Return what matches the rooms of a ``rooms`` claim. Several may match one room: any of them opens it.

    Raises:
        TokenError: If one of them is no path of a room, and no pattern of such paths.
    """
    if len(paths) > ROOMS_MAX:
        raise TokenError(TokenFault.CLAIMS, f"its claim rooms has {len(paths)} entries, and {ROOMS_MAX} are allowed")
    return tuple(_room_pattern(path, number) for number, path in enumerate(paths, start=1))


def _room_pattern(path: object, number: int) -> Templates:
    # By its number: what a token says is not repeated.
    problem = TokenError(TokenFault.CLAIMS, f"number {number} in its claim rooms is no path or pattern of rooms")
    if not isinstance(path, str):
        raise problem
    try:
        return Templates([Template("rooms", path)])
    except ValueError:
        raise problem from None


def actions_of(words: Sequence[object]) -> frozenset[Action]:
    """Return the actions of an ``actions`` claim.

    Raises:
        TokenError: If one of them is none. To skip it could turn a mistake in a
            name into a member that hears nothing, and nobody knows why.
    """
    known = {str(action): action for action in Action}
    found = [known.get(word) if isinstance(word, str) else None for word in words]
    actions = frozenset(action for action in found if action is not None)
    if None in found:
        number = found.index(None) + 1
        raise TokenError(TokenFault.CLAIMS, f"number {number} in its claim actions is neither {' nor '.join(known)}")
    return actions
