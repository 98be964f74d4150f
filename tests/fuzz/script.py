"""What an input of the fuzzer says: under which limits, in which pieces, and then the stream itself.

All of it is the fuzzer's to change, the cuts too: whether a decoder's answer
depends on how its bytes arrive is found out by trying cuts, and a fuzzer tries
those that lead to new code first.

    one byte      picks the limits, from the target's own list
    one byte      how many sizes follow, up to 7 of them: its lowest three bits
    their bytes   each a size less 1; the sizes are used over and over
    the rest      the stream
"""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import NamedTuple, TypeVar

Choice = TypeVar("Choice")

SIZES_MAX = 7


class Script(NamedTuple):
    """One input, read."""

    choice: int
    sizes: tuple[int, ...]
    stream: bytes

    def choose(self, choices: Sequence[Choice]) -> Choice:
        """Return the one that the first byte picks."""
        return choices[self.choice % len(choices)]

    def pieces(self) -> Iterator[bytes]:
        """Yield the stream cut as the input says; without sizes all at once."""
        start = 0
        for size in cycle(self.sizes or [max(len(self.stream), 1)]):
            if start >= len(self.stream):
                return
            yield self.stream[start : start + size]
            start += size


def read(data: bytes) -> Script:
    """Read an input. Every input is one: what is missing is nought."""
    choice, count, rest = data[:1], data[1:2], data[2:]
    sizes = rest[: count[0] & SIZES_MAX if count else 0]
    return Script(choice[0] if choice else 0, tuple(size + 1 for size in sizes), rest[len(sizes) :])


def write(stream: bytes, *sizes: int, choice: int = 0) -> bytes:
    """Return the input that says this."""
    return bytes([choice, len(sizes), *(size - 1 for size in sizes)]) + stream
