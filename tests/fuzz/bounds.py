"""The limits of a decoder: those that it is given, and how much it keeps, asked of itself and not of its promises."""

from roomcast.protocol.errors import ProtocolError
from roomcast.transport.frame_rates import FrameRates
from tests.idle import idle_reports

_EVERY_LIMIT_HOLDS = idle_reports()


def kept_bytes(thing: object) -> int:
    """Return how many bytes there are in the buffers of an object, and of the objects in its slots."""
    return sum(len(buffer) for buffer in _buffers(thing).values())


def _buffers(thing: object) -> dict[int, bytes | bytearray]:
    """Return them by identity: two may know the same one."""
    if isinstance(thing, (bytes, bytearray)):
        return {id(thing): thing}
    buffers: dict[int, bytes | bytearray] = {}
    # What a decoder was given by others, as its limits, keeps nothing for it.
    is_decoders = type(thing).__module__.startswith("roomcast.protocol.")
    for slot in getattr(type(thing), "__slots__", ()) if is_decoders else ():
        buffers |= _buffers(getattr(thing, slot, None))
    return buffers


def standing_rates(frames_per_s: int) -> FrameRates:
    """Return limits of frames, by a clock that stands: as if all of a stream came at once; 0: no limit."""
    return FrameRates(frames_per_s, frames_per_s, lambda: 1.0, _EVERY_LIMIT_HOLDS)


def check_words(error: ProtocolError) -> None:
    """Make sure that an error can go to a log and a peer: one short line of ASCII."""
    words = str(error)
    assert words.isascii(), "an error that is not ASCII"
    assert words.isprintable(), "an error that is no line"
    assert 0 < len(words) <= 200, "an error that is too long for a log"
