"""What everybody is asked before a "yes", whatever they speak: one order, so the first "no" is the same for all.

Which room is it, may this page enter, who is it, is there a place. A token may have to
wait for its key, so it is asked for before places are counted: from the last question to
the member in its room nothing waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roomcast.protocol import event_stream
from roomcast.transport.admission import Admission, Admitted, Outcome, Refusal, no_place

if TYPE_CHECKING:
    from roomcast.protocol.request import Request
    from roomcast.relay.start import Wish
    from roomcast.transport.answers import Answers
    from roomcast.transport.drain import Drain
    from roomcast.transport.membership import Membership
    from roomcast.transport.tokens import Authenticator
    from roomcast.transport.visitor import Visitor


def draining(retry_after_s: int) -> Refusal:
    """Return the answer to all newcomers of a relay that stops."""
    return Refusal(503, Outcome.DRAINING, "draining: try again", headers=(("Retry-After", str(retry_after_s)),))


class Gate:
    """Asks the policies and the limits.

    Args:
        admission: Asked who may enter which room.
        membership: Where members are counted.
        answers: Told of origins that are only reported.
        authenticator: Asks for tokens; without any, there are none.
        drain: Asked when those may come back who find it draining.
    """

    def __init__(
        self,
        admission: Admission,
        membership: Membership,
        answers: Answers,
        authenticator: Authenticator | None,
        drain: Drain,
    ) -> None:
        self._admission = admission
        self._membership = membership
        self._answers = answers
        self._authenticator = authenticator
        self._drain = drain

    def admit(self, visitor: Visitor, request: Request, wish: Wish) -> Admitted:
        """Ask everything. It may wait, and not behind the last question. Raises Refusal."""
        admitted = self.judge(visitor, request)
        if self._authenticator is not None:
            admitted = replace(admitted, grant=self._authenticator.authenticate(request, admitted))
        self._check_capacity(admitted, wish)
        # Last: who is refused for something else loses nothing by it.
        if admitted.shadow is not None and not admitted.shadow.is_allowed and visitor.dialect is not None:
            self._answers.report_shadow(request, admitted)
        return admitted

    def judge(self, visitor: Visitor, request: Request) -> Admitted:
        """Ask for the room and the origin only. Raises Refusal."""
        visit = self._membership.visits.of(
            origin=request.origin,
            host=request.host,
            scheme=visitor.scheme,
            # A handshake of a page always has an Origin: what else would be said of it counts for nothing.
            site=request.get("sec-fetch-site") if visitor.dialect == event_stream.NAME else None,
        )
        admitted = self._admission.admit(request.path, visit)
        if not admitted.verdict.is_allowed and visitor.dialect is not None:
            self._answers.report_origin(visitor, request, admitted.verdict.rule)
        return admitted

    def check_again(self, admitted: Admitted, wish: Wish) -> None:
        """Ask once more what may have changed while somebody waited. Raises Refusal."""
        if self._authenticator is not None and admitted.grant is not None:
            self._authenticator.check(admitted.grant, admitted)
        self._check_capacity(admitted, wish)

    def _check_capacity(self, admitted: Admitted, wish: Wish) -> None:
        if self._membership.counters.is_draining:
            raise draining(self._drain.line_up())
        limit = self._membership.hub.refusal(admitted.room, admitted.template.rules, wish)
        if limit is not None and limit not in self._membership.reports:
            raise no_place(limit)
