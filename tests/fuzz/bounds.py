"""How much a decoder keeps, asked of the decoder itself and not of its promises."""

from roomcast.protocol.errors import ProtocolError


def kept_bytes(thing: object) -> int:
    """Return how many bytes there are in the buffers of an object, and of the objects in its slots."""
    return sum(len(buffer) for buffer in _buffers(thing).values())


def _buffers(thing: object) -> dict[int, bytes | bytearray]:
    """Return them by identity: two may know the same one."""
    if isinstance(thing, (bytes, bytearray)):
        return {id(thing): thing}
    buffers: dict[int, bytes | bytearray] = {}
    for slot in getattr(type(thing), "__slots__", ()):
        buffers |= _buffers(getattr(thing, slot, None))
    return buffers


def check_words(error: ProtocolError) -> None:
    """Make sure that an error can go to a log and a peer: one short line of ASCII."""
    words = str(error)
    assert words.isascii(), "an error that is not ASCII"
    assert words.isprintable(), "an error that is no line"
    assert 0 < len(words) <= 200, "an error that is too long for a log"
