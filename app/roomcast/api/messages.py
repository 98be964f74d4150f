"""``/api/v1/messages`` and ``/api/v1/batch``: what is said in rooms, by whom is no member, and what they keep of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from falcon import HTTPServiceUnavailable

from roomcast.api import intake
from roomcast.api.answers import encode, say
from roomcast.api.history import read_history
from roomcast.api.keys import Scope
from roomcast.api.models import Batch, MessagesQuery, Nothing, Payload, Published, PublishedBatch, RoomQuery
from roomcast.api.publish import Draft, Publishing, json_draft, text_draft
from roomcast.api.turns import Slices, to_its_end
from roomcast.relay.message import Kind

if TYPE_CHECKING:
    from falcon import Request, Response

    from roomcast.api.directory import Directory, Terms
    from roomcast.api.guard import Guard
    from roomcast.api.idempotency import Idempotency
    from roomcast.api.keys import Holder
    from roomcast.relay.hub import Hub

TEXT: Final = "text/plain"
BINARY: Final = "application/octet-stream"
JSON: Final = "application/json"

_HOW_TO_PUBLISH: Final = (
    f"say what the body is: curl -H 'Content-Type: {TEXT}' for a text, '{BINARY}' for bytes, or '{JSON}' for "
    '{"text": "…"} or {"base64": "…"}'
)
_HOW_TO_PUBLISH_MANY: Final = f"say what the body is: curl -H 'Content-Type: {JSON}'"


class MessagesOfRoom:
    """``/api/v1/messages``: send one, or read what is kept."""

    def __init__(
        self, guard: Guard, publishing: Publishing, idempotency: Idempotency, hub: Hub, directory: Directory
    ) -> None:
        self._guard = guard
        self._publishing = publishing
        self._idempotency = idempotency
        self._hub = hub
        self._directory = directory

    def on_post(self, request: Request, response: Response) -> None:
        """Send the body to a room."""
        holder = self._guard.require(request, Scope.PUBLISH)
        room = intake.query(request, RoomQuery).room
        kind = intake.media_type(request)
        if kind not in (TEXT, BINARY, JSON):
            raise intake.unsupported((TEXT, BINARY, JSON), _HOW_TO_PUBLISH)
        body = intake.body(request)
        draft = _draft(room, kind, body)
        say(response, self._idempotency.serve(request, holder.name, body, lambda: self._publish(draft, holder)))

    def _publish(self, draft: Draft, holder: Holder) -> bytes:
        offset, members = self._publishing.publish(draft, holder)
        return encode(Published(epoch=self._publishing.epoch, offset=offset, local_members=members))

    def on_get(self, request: Request, response: Response) -> None:
        """List what a room keeps, from an offset on."""
        self._guard.require(request, Scope.READ)
        query = intake.query(request, MessagesQuery)
        self._directory.find(query.room)
        say(response, read_history(self._hub, query, Slices()))


class BatchOfMessages:
    """``/api/v1/batch``: send many to many rooms."""

    def __init__(self, guard: Guard, publishing: Publishing, idempotency: Idempotency) -> None:
        self._guard = guard
        self._publishing = publishing
        self._idempotency = idempotency

    def on_post(self, request: Request, response: Response) -> None:
        """Send all messages of the body, or none of them."""
        holder = self._guard.require(request, Scope.PUBLISH)
        intake.query(request, Nothing)
        if intake.media_type(request) != JSON:
            raise intake.unsupported((JSON,), _HOW_TO_PUBLISH_MANY)
        body = intake.body(request)

        def serve() -> bytes:
            return self._publish(intake.json(body, Batch), holder)

        say(response, to_its_end(lambda: self._idempotency.serve(request, holder.name, body, serve)))

    def _publish(self, batch: Batch, holder: Holder) -> bytes:
        slices = Slices()
        drafts: list[Draft] = []
        for index, message in enumerate(batch.messages):
            drafts.append(json_draft(message.room, message, f"messages[{index}]"))
            slices.end()
        terms = self._publishing.check(drafts, holder, slices)
        offsets: list[int | None] = []
        for draft in drafts:
            offsets.append(self._send(draft, terms[draft.room]))
            slices.end()
        return encode(PublishedBatch(epoch=self._publishing.epoch, offsets=offsets))

    def _send(self, draft: Draft, terms: Terms) -> int | None:
        try:
            return self._publishing.send(draft, terms).offset
        except HTTPServiceUnavailable:
            # When all were checked its room could have been opened. The others are sent already.
            return None


def _draft(room: str, kind: str, body: bytes) -> Draft:
    if kind == TEXT:
        return text_draft(room, body)
    if kind == BINARY:
        return Draft(room, Kind.BINARY, body)
    return json_draft(room, intake.json(body, Payload), "the body")
