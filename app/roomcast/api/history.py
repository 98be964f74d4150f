"""What a room keeps, page by page, and whether anything is missing before it.

Who reads on from where it had been asks for what comes after a position. If that is
not kept any more, or was said to another life of the relay, the answer begins with
what there is, and says so: a gap is never silent.

A page is written piece by piece, with others' turns in between: a thousand messages
take 20 ms, and one of 16 MiB, where each byte becomes six, 350 ms.
"""

import json
from base64 import b64encode
from codecs import iterdecode
from collections.abc import Iterator
from time import time
from typing import Final, Literal

from roomcast.api.answers import encode
from roomcast.api.models import MessageInfo, Messages, MessagesQuery
from roomcast.api.turns import Slices
from roomcast.relay.hub import Hub
from roomcast.relay.message import Kind, Message
from roomcast.relay.room import Room
from roomcast.relay.start import Position, write_position

# As they are written, beside one message of any size: an answer is in memory as a whole.
PAGE_BYTES: Final = 1_048_576
# What of a message is written between two looks at the clock. A multiple of three, so that base64 needs no padding.
PIECE_BYTES: Final = 65_535

_Gap = Literal["epoch", "offset"]


def read_history(hub: Hub, query: MessagesQuery, slices: Slices) -> bytes:
    """Return a page of what a room keeps for those who come later, as JSON; of one that is not open, nothing.

    It is what was kept at the beginning: in the pauses the room goes on.
    """
    epoch, offset = (None, None) if query.after is None else Position.parse(query.after)
    room = hub.rooms.get(query.room)
    if room is None:
        # Whatever was said in it after that is forgotten, if anything was.
        gap = _gap(hub, epoch, is_kept=offset is None)
        return encode(Messages(epoch=hub.epoch, head=None, gap=gap, messages=[], next=None))
    before, head = _before_oldest(room), room.log.head
    gap = _gap(hub, epoch, is_kept=offset is None or before <= offset <= head)
    start = before if offset is None or gap else offset
    page, end = _page(room.log.after(start, query.limit), start, slices)
    empty = encode(Messages(epoch=hub.epoch, head=head, gap=gap, messages=[], next=write_position(hub.epoch, end)))
    left, bracket, right = empty.partition(b'"messages":[')
    return b"".join((left, bracket, *page, right))


def _before_oldest(room: Room) -> int:
    """Return the offset after which all is kept: what is only held for laggards does not count."""
    return max(room.oldest(time()), room.log.head - room.rules.history_messages)


def _gap(hub: Hub, epoch: str | None, *, is_kept: bool) -> _Gap | None:
    if epoch is not None and epoch != hub.epoch:
        return "epoch"
    return None if is_kept else "offset"


def _page(messages: list[Message], start: int, slices: Slices) -> tuple[list[bytes], int]:
    """Return the pieces of a page, and the offset of its last message; ``start``, where there is none."""
    page: list[bytes] = []
    end, left_bytes = start, PAGE_BYTES
    for message in messages:
        if page:
            page.append(b",")
        for piece in _written(message):
            page.append(piece)
            left_bytes -= len(piece)
            slices.end()
        end = message.offset
        if left_bytes < 0:
            break
    return page, end


def _written(message: Message) -> Iterator[bytes]:
    yield encode(_told(message)).removesuffix(b"}")
    payload = message.payload
    pieces = (payload[at : at + PIECE_BYTES] for at in range(0, len(payload), PIECE_BYTES))
    if message.kind is Kind.TEXT:
        yield b',"text":"'
        for text in iterdecode(pieces, "utf-8"):
            yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    else:
        yield b',"base64":"'
        yield from map(b64encode, pieces)
    yield b'"}'


def _told(message: Message) -> MessageInfo:
    """Return all of a message but what it says."""
    fields: dict[str, object] = {"offset": message.offset, "time_ms": int(message.published_s * 1_000)}
    sender = message.sender
    fields["from"] = None if sender is None else sender.id
    if sender is not None and sender.subject is not None:
        fields["subject"] = sender.subject
    return MessageInfo.model_validate(fields)
