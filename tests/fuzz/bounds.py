"""How much a decoder keeps, asked of the decoder itself and not of its promises."""

from roomcast.protocol.errors import ProtocolError


def kept_bytes(thing: object) -> int:
    """Return how many bytes there are in the buffers of an object, and of the objects in its slots."""
    if isinstance(thing, (bytes, bytearray, memoryview)):
        return len(thing)
    slots = getattr(type(thing), "__slots__", ())
    return sum(kept_bytes(getattr(thing, slot, None)) for slot in slots)


def check_words(error: ProtocolError) -> None:
    """Make sure that an error can go to a log and a peer: one short line of ASCII."""
    words = str(error)
    assert words.isascii(), "an error that is not ASCII"
    assert words.isprintable(), "an error that is no line"
    assert 0 < len(words) <= 200, "an error that is too long for a log"
