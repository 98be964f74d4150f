"""The members that came in by a token, and what ends with it.

A token ends while its bearer is connected, or is taken back; the WebSocket would go
on for days. So all members with a token stand here, by the second in which they are
to be looked at next: first to be told that it will end, then to be told to go. One
timer looks once a second, so nobody stays longer than a second beyond its time, and
a clock that is set, forward or back, is followed.

A thousand tokens that were issued together end together. Each goodbye costs as much
as a handshake, so a turn of the loop says a few of them, and the next one goes on.
"""

from collections import deque
from collections.abc import Callable
from math import ceil, floor
from typing import Protocol

from gevent.hub import get_hub

from roomcast.logs import Journal, fault
from roomcast.policies.grants import Grant
from roomcast.policies.revocations import Revocations
from roomcast.relay.reasons import Reason
from roomcast.transport.loop import after

_LOOK_EVERY_S = 1.0
# How many are told something in one turn: about 2 ms of goodbyes.
_PER_TURN = 50

REVOKED_FOR_S = 86_400.0
"""How long a revocation is remembered where nobody says otherwise: a day, and few tokens last longer."""


class TokenHolder(Protocol):
    """What is asked of a member with a token."""

    grant: Grant | None
    """What its token gives."""

    def expiring(self, expires_in_ms: int) -> None:
        """Tell it that its token ends soon, if it can be told."""

    def dismiss(self, reason: Reason, detail: str = "") -> None:
        """Close it behind what it is owed."""


class TokenHolders:
    """All members with a token.

    Args:
        revocations: The subjects whose tokens are refused.
        clock: Seconds since the epoch, as tokens count; may be set back.
        warn_s: How long before its end a member is told; 0: never.
        leeway_s: How long a token is good beyond what it says.
        journal: Told of faults, and of revocations that had to be given up.
    """

    def __init__(
        self, revocations: Revocations, *, clock: Callable[[], float], warn_s: float, leeway_s: float, journal: Journal
    ) -> None:
        self._revocations = revocations
        self._clock = clock
        self._warn_s = warn_s
        self._leeway_s = leeway_s
        self._journal = journal
        # When each is looked at next; None for those in the queue, or told to go.
        self._seconds: dict[TokenHolder, int | None] = {}
        self._due: dict[int, dict[TokenHolder, None]] = {}
        self._at = floor(clock())
        # Whom something is to be said to, and why it has to go; None where its time is to be looked at.
        self._queue: deque[tuple[TokenHolder, Reason | None]] = deque()
        self._is_turn_asked_for = False
        self._timer = get_hub().loop.timer(_LOOK_EVERY_S, _LOOK_EVERY_S)

    def start(self) -> None:
        """Begin to look at the clock."""
        self._timer.start(self.tick)

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._timer.close()
        self._queue.clear()

    def change(self, *, warn_s: float, leeway_s: float) -> None:
        """Go by other times. Who is here is looked at when it was to be, and then told by these."""
        self._warn_s = warn_s
        self._leeway_s = leeway_s
        self._revocations.change(leeway_s)

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, member: TokenHolder, grant: Grant) -> None:
        """Look after a newcomer, whose token gives this."""
        self._put(member, grant.expires_s + self._leeway_s - self._warn_s)

    def remove(self, member: TokenHolder) -> None:
        """Forget one that has ended."""
        second = self._seconds.pop(member, None)
        if second is not None:
            waiting = self._due[second]
            del waiting[member]
            if not waiting:
                del self._due[second]

    def revoke(self, subject: str, ttl_s: float = REVOKED_FOR_S) -> int:
        """Refuse the tokens of a subject that were issued until now, and close the members that came in by them.

        Args:
            subject: The claim ``sub`` of the tokens.
            ttl_s: How long they are refused: not shorter than one of them lasts.

        Returns:
            How many members are closed, with 4403: each as soon as it has what it is owed.
        """
        now_s = self._clock()
        if self._revocations.add(subject, now_s=now_s, ttl_s=ttl_s):
            self._journal.warning("revocation given up", hint="too many subjects are revoked: shorten their time")
        revoked = [member for member in self._seconds if self._is_revoked(member.grant, subject, now_s)]
        # Without the subject: it is somebody's name.
        self._journal.info("tokens revoked", members=len(revoked), for_s=round(ttl_s))
        self._queue.extend((member, Reason.REVOKED) for member in revoked)
        self._serve()
        return len(revoked)

    def tick(self) -> None:
        """Look at those whose second has come."""
        now = floor(self._clock())
        # Mostly the one second that has passed; after a leap of the clock not all of those in between.
        if now - self._at <= len(self._due):
            seconds = list(range(self._at + 1, now + 1))
        else:
            seconds = sorted(second for second in self._due if second <= now)
        self._at = now
        for second in seconds:
            for member in self._due.pop(second, ()):
                self._seconds[member] = None
                self._queue.append((member, None))
        self._serve()

    def _is_revoked(self, grant: Grant | None, subject: str, now_s: float) -> bool:
        if grant is None or grant.subject != subject:
            return False
        return self._revocations.holds(subject, issued_s=grant.issued_s, now_s=now_s)

    def _put(self, member: TokenHolder, at_s: float) -> None:
        second = max(ceil(at_s), self._at + 1)
        self._seconds[member] = second
        self._due.setdefault(second, {})[member] = None

    def _serve(self) -> None:
        """Say what is to be said to some of those in the queue; to the others in later turns."""
        for _ in range(min(len(self._queue), _PER_TURN)):
            member, reason = self._queue.popleft()
            if member not in self._seconds:
                continue
            try:
                self._tell(member, reason)
            except Exception as error:
                # The others have to go all the same.
                self._journal.error("internal fault", **fault(error))
        if self._queue and not self._is_turn_asked_for:
            self._is_turn_asked_for = True
            after(0.0, self._serve_on)

    def _serve_on(self) -> None:
        self._is_turn_asked_for = False
        self._serve()

    def _tell(self, member: TokenHolder, reason: Reason | None) -> None:
        if reason is not None:
            member.dismiss(reason)
            return
        ends_s = (member.grant.expires_s if member.grant is not None else 0.0) + self._leeway_s
        left_s = ends_s - self._clock()
        if left_s <= 0:
            member.dismiss(Reason.EXPIRED)
            return
        # Its end comes later: it was to be told, or the clock was set back.
        self._put(member, ends_s)
        if self._warn_s:
            member.expiring(round(left_s * 1000))
