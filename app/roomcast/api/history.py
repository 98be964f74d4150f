"""What a room keeps, page by page, and whether anything is missing before it.

Who reads on from where it had been asks for what comes after a position. If that is
not kept any more, or was said to another life of the relay, the answer begins with
what there is, and says so: a gap is never silent.
"""

import base64
from collections.abc import Iterator
from time import time
from typing import Final, Literal

from roomcast.api.models import MessageInfo, Messages, MessagesQuery
from roomcast.relay.hub import Hub
from roomcast.relay.message import Kind, Message
from roomcast.relay.room import Room
from roomcast.relay.start import Position, write_position

# Of payloads in one answer, beside one message of any size: an answer is made in one go.
PAGE_BYTES: Final = 1_048_576

_Gap = Literal["epoch", "offset"]


def read_history(hub: Hub, query: MessagesQuery) -> Messages:
    """Return a page of what a room keeps for those who come later; of one that is not open, nothing."""
    epoch, offset = (None, None) if query.after is None else Position.parse(query.after)
    room = hub.rooms.get(query.room)
    if room is None:
        # Whatever was said in it after that is forgotten, if anything was.
        gap = _gap(hub, epoch, is_kept=offset is None)
        return Messages(epoch=hub.epoch, head=None, gap=gap, messages=[], next=None)
    before = _before_oldest(room)
    is_kept = offset is None or before <= offset <= room.log.head
    gap = _gap(hub, epoch, is_kept=is_kept)
    start = before if offset is None or gap else offset
    messages = list(_page(room.log.after(start, query.limit)))
    end = messages[-1].offset if messages else start
    return Messages(
        epoch=hub.epoch, head=room.log.head, gap=gap, messages=messages, next=write_position(hub.epoch, end)
    )


def _before_oldest(room: Room) -> int:
    """Return the offset after which all is kept: what is only held for laggards does not count."""
    return max(room.oldest(time()), room.log.head - room.rules.history_messages)


def _gap(hub: Hub, epoch: str | None, *, is_kept: bool) -> _Gap | None:
    if epoch is not None and epoch != hub.epoch:
        return "epoch"
    return None if is_kept else "offset"


def _page(messages: list[Message]) -> Iterator[MessageInfo]:
    left_bytes = PAGE_BYTES
    for message in messages:
        yield _told(message)
        left_bytes -= len(message.payload)
        if left_bytes < 0:
            return


def _told(message: Message) -> MessageInfo:
    fields: dict[str, object] = {"offset": message.offset, "time_ms": int(message.published_s * 1_000)}
    sender = message.sender
    fields["from"] = None if sender is None else sender.id
    if sender is not None and sender.subject is not None:
        fields["subject"] = sender.subject
    if message.kind is Kind.TEXT:
        fields["text"] = message.payload.decode()
    else:
        fields["base64"] = base64.b64encode(message.payload).decode()
    return MessageInfo.model_validate(fields)
