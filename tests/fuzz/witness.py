"""The parser of ``websockets``, asked what it makes of the same frames.

It is written by others, reads as a generator that asks for more, and serves
half of the WebSockets in Python: where it and we do not agree, one of us is
wrong, or ``exemptions.py`` says why not. Both are fed frame by frame and asked
after each, because within a frame we are meant to be the faster to refuse.
"""

from collections.abc import Iterator
from typing import NamedTuple

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode as TheirCloseCode
from websockets.frames import Frame
from websockets.frames import Opcode as TheirOpcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from roomcast.protocol.events import Close, Event, Failed, Message, Ping, Pong
from roomcast.protocol.frames import CloseCode, Opcode
from roomcast.protocol.rfc6455 import Decoder
from tests.fuzz.exemptions import EXEMPTIONS, Difference, Said, begins_message, length_of
from tests.protocol.clients import all_events

# A frame that is cut off is completed with as many zeros, if it takes no more
# than this: what we said of its beginning must hold at its end.
PADDING_MAX_BYTES = 0x10000

_END_OF_MESSAGE = bytes.fromhex("8080 00000000")
"""An empty last fragment."""


class Witness:
    """Their parser, with what belongs to it: messages put together from frames, and texts decoded."""

    def __init__(self, message_max_bytes: int, *, may_inflate: bool) -> None:
        self._protocol = ServerProtocol(state=OPEN, max_size=message_max_bytes or None)
        if may_inflate:
            # No context takeover in either direction, the full window.
            self._protocol.extensions = [PerMessageDeflate(True, True, 15, 15)]
        self._fragments: list[Frame] = []

    def receive(self, data: bytes) -> list[Said]:
        """Return what they make of these bytes, in our words."""
        if self._protocol.state is not OPEN:
            return []
        self._protocol.receive_data(data)
        said: list[Said] = []
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            said += self._hear(frame)
        if self._protocol.parser_exc is not None and self._protocol.close_sent is not None:
            said.append(int(self._protocol.close_sent.code))
        return said

    def _hear(self, frame: Frame) -> Iterator[Said]:
        match frame.opcode:
            case TheirOpcode.PING:
                yield Ping(bytes(frame.data))
            case TheirOpcode.PONG:
                yield Pong(bytes(frame.data))
            case TheirOpcode.CLOSE:
                goodbye = self._protocol.close_rcvd
                assert goodbye is not None
                has_code = goodbye.code != TheirCloseCode.NO_STATUS_RCVD
                yield Close(int(goodbye.code) if has_code else None, goodbye.reason)
            case _:
                self._fragments.append(frame)
                if frame.fin:
                    yield self._finish()

    def _finish(self) -> Said:
        """Decode a text as their connections do: when all of it is there."""
        opcode = Opcode(self._fragments[0].opcode)
        payload = b"".join(bytes(fragment.data) for fragment in self._fragments)
        self._fragments.clear()
        if opcode is Opcode.TEXT:
            try:
                payload.decode()
            except UnicodeDecodeError:
                self._protocol.fail(TheirCloseCode.INVALID_DATA)
                return int(CloseCode.NOT_UTF8)
        return Message(opcode, payload)


def say(events: list[Event]) -> list[Said]:
    """Return our events as they can be compared with others': of a fault, its code."""
    return [int(event.error.close_code) if isinstance(event, Failed) else event for event in events]


def differences(stream: bytes, *, message_max_bytes: int, may_inflate: bool = False) -> Iterator[Difference]:
    """Feed both, frame by frame; yield the first difference, if there is one: behind it they are not comparable."""
    decoder = Decoder(
        message_max_bytes=message_max_bytes, fragments_max=0, frame_counts=[0] * 16, may_inflate=may_inflate
    )
    witness = Witness(message_max_bytes, may_inflate=may_inflate)
    message: list[bytes] = []
    for frame in frames(stream):
        ours = say(all_events(decoder.receive, frame.data))
        theirs = witness.receive(frame.data)
        if not (frame.is_whole or theirs):
            # They may wait for the end of a frame that will never come; we may refuse it before.
            return
        if begins_message(frame.data):
            message.clear()
        message.append(frame.data)
        if ours != theirs:
            at_the_end = witness.receive(_END_OF_MESSAGE)
            yield Difference(
                tuple(message), tuple(ours), tuple(theirs), tuple(at_the_end), message_max_bytes, may_inflate
            )
            return
        if decoder.is_over:
            return


class Piece(NamedTuple):
    """A frame of a stream, or the beginning of one that is too long to be completed."""

    data: bytes
    is_whole: bool


def frames(stream: bytes) -> Iterator[Piece]:
    """Cut a stream into frames, the last one completed. One that would be far too long for that is left as it is."""
    start = 0
    while start < len(stream):
        header = stream[start : start + 14].ljust(14, b"\x00")
        length, payload_start = length_of(header)
        end = start + payload_start + length
        missing = end - len(stream)
        if missing > PADDING_MAX_BYTES:
            yield Piece(stream[start:], False)
            return
        yield Piece(stream[start:end] + bytes(max(missing, 0)), True)
        start = end


def check_agreement(stream: bytes, *, message_max_bytes: int, may_inflate: bool = False) -> None:
    """Make sure that both say the same of a stream, or differ as they are meant to."""
    for difference in differences(stream, message_max_bytes=message_max_bytes, may_inflate=may_inflate):
        reasons = [exemption for exemption in EXEMPTIONS if exemption.applies(difference)]
        assert reasons, f"websockets differs: {difference}"
