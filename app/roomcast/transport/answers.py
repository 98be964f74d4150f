"""Answers to a request that makes no member: pages, probes, refusals; each counted, the refusals logged.

The log names the path without its query string, for tokens travel there, and of
the headers the origin alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from roomcast.metrics import NO_DIALECT
from roomcast.policies.hits import Action
from roomcast.policies.origins import spelled
from roomcast.protocol.cors import Headers
from roomcast.protocol.http import response
from roomcast.protocol.request import Request
from roomcast.transport.admission import Admitted, Outcome, Refusal
from roomcast.transport.membership import Membership
from roomcast.transport.reports import Occasion
from roomcast.transport.visitor import Visitor

ID_HEADER: Final = "Roomcast-Id"
"""Of a refusal: what its user can quote, and the log has too."""

_PLAIN = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Page:
    """What GET / answers, or a probe is told."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = (_PLAIN,)


class Answers:
    """Says yes in a page, or no in a line.

    Args:
        membership: Whose counters and log it uses.
    """

    def __init__(self, membership: Membership) -> None:
        self._counters = membership.counters
        self._journal = membership.journal
        self._clock = membership.clock
        # A reload may change how much of an address may be named, and handshakes of before it go on behind it.
        self._membership = membership
        # By template: each may have a shadow of its own.
        self._shadows: defaultdict[str, Occasion] = defaultdict(Occasion)

    def show(self, visitor: Visitor, page: Page) -> None:
        """Answer a plain question."""
        visitor.send(response(200, page.headers, page.body))
        self.count(visitor, Outcome.PAGE)

    def permit(self, visitor: Visitor, headers: Headers) -> None:
        """Answer a browser that asks whether a page may: it may."""
        visitor.send(response(204, headers))
        self.count(visitor, Outcome.PREFLIGHT)

    def refuse(self, visitor: Visitor, request: Request | None, refusal: Refusal) -> None:
        """Say no, and to whom: count it, log it, and send it where the visitor can still understand it."""
        connection_id = self._membership.next_id()
        self.count(visitor, refusal.outcome, refusal.limit)
        address = self._membership.address_for_logs(visitor.address)
        self._membership.recorder.refused(connection_id, visitor, address, request, refusal)
        if refusal.outcome is Outcome.ORIGIN:
            self._counters.refused_origins.add(_spelled_origin(request) or "none")
        if self._membership.lines.admit("refused", "warning"):
            self._log_refusal(connection_id, address, request, refusal)
        if visitor.may_answer:
            body = f"{refusal.message}\n".encode()
            headers = (*refusal.headers, (ID_HEADER, connection_id), _PLAIN)
            visitor.send_and_forget(response(refusal.status, headers, body))

    def _log_refusal(self, connection_id: str, address: str, request: Request | None, refusal: Refusal) -> None:
        self._journal.warning(
            "refused",
            id=connection_id,
            status=refusal.status,
            path=request.path if request is not None else None,
            origin=_spelled_origin(request),
            outcome=str(refusal.outcome),
            message=refusal.message,
            hint=refusal.hint,
            address=address,
        )

    def report_origin(self, visitor: Visitor, request: Request, rule: str) -> None:
        """Count and log an origin that is let in only because origins are not enforced."""
        self._counters.origin_report_only += 1
        self._journal.warning(
            "origin would be refused",
            path=request.path,
            origin=_spelled_origin(request),
            rule=rule,
            address=self._membership.address_for_logs(visitor.address),
        )

    def report_shadow(self, request: Request, admitted: Admitted) -> None:
        """Count an origin that is let in, and that the shadow would refuse; speak of one of them now and then."""
        origin = _spelled_origin(request)
        self._counters.origin_shadow += 1
        self._counters.shadow_origins.add(origin or "none")
        template = admitted.template.name
        if times := self._shadows[template].times_to_tell(self._clock()):
            self._journal.warning(
                "origin would be refused by the shadow",
                template=template,
                path=request.path,
                origin=origin,
                rule=None if admitted.shadow is None else admitted.shadow.rule,
                times=times,
            )

    def count(self, visitor: Visitor, outcome: Outcome, limit: str | None = None) -> None:
        """Count how a request ended, and the limit that ended it."""
        dialect = visitor.dialect if visitor.dialect is not None else NO_DIALECT
        self._counters.handshakes[dialect, outcome] += 1
        if limit is not None:
            self._counters.limit_hits[limit, Action.REFUSED] += 1


def _spelled_origin(request: Request | None) -> str | None:
    origin = request.origin if request is not None else None
    return None if origin is None else spelled(origin)
