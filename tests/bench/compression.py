"""What compression costs a message, beside what the relay does with it anyway: ``python -m tests.bench.compression``.

No relay is started: the protocol's functions are called, and the best of a few runs is
told, because everything that disturbs a run makes it longer.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterator

from roomcast.protocol.deflate import Deflater
from roomcast.protocol.frames import Opcode
from roomcast.protocol.rfc6455 import Decoder, encode

SIZES = (256, 1024, 4096, 16_384, 65_536)
_RUNS = 5
_RUN_S = 0.02


def chatter(size: int) -> bytes:
    """Return text as pages send it: objects in JSON that resemble each other and are not the same."""
    said = [
        {"id": number * number * 7919 % 1_000_003, "at": 1_790_000_000 + number * 37, "x": number * 31 % 977 / 100}
        for number in range(size // 30)
    ]
    return json.dumps(said).encode()[:size]


def masked(payload: bytes, *, is_compressed: bool) -> bytes:
    """Return a client's frame; its mask is zero, which takes as long to undo as any."""
    header = bytearray(encode(Opcode.TEXT, payload, is_compressed=is_compressed)[: -len(payload)])
    header[1] |= 0x80
    return bytes(header) + bytes(4) + payload


def duration_us(call: Callable[[], object]) -> float:
    """Return how long a call takes, in microseconds."""
    started = time.perf_counter()
    call()
    calls = max(1, int(_RUN_S / (time.perf_counter() - started)))
    best_s = float("inf")
    for _ in range(_RUNS):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        best_s = min(best_s, (time.perf_counter() - started) / calls)
    return best_s * 1e6


def row(size: int) -> Iterator[str]:
    """Yield the cells of one line of the table."""
    payload = chatter(size)
    fast, small, narrow = Deflater(15, 1), Deflater(15, 6), Deflater(9, 1)
    deflated = fast.deflate(payload)
    decoder = Decoder(message_max_bytes=0, fragments_max=0, frame_counts=[0] * 16, may_inflate=True)
    plain, compressed = masked(payload, is_compressed=False), masked(deflated, is_compressed=True)
    yield f"{size:,}"
    yield f"{len(deflated) / size:.0%}"
    yield f"{duration_us(lambda: fast.deflate(payload)):.1f}"
    yield f"{duration_us(lambda: small.deflate(payload)):.1f}"
    yield f"{duration_us(lambda: narrow.deflate(payload)):.1f}"
    yield f"{duration_us(lambda: decoder.receive(plain)):.1f}"
    yield f"{duration_us(lambda: decoder.receive(compressed)):.1f}"


def table() -> str:
    """Return the costs by size, as Markdown."""
    titles = (
        "bytes",
        "shrink to",
        "deflate, µs",
        "at level 6",
        "window of 512 bytes",
        "read, plain",
        "read, compressed",
    )
    lines = [titles, ["---"] * len(titles), *(row(size) for size in SIZES)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(f"zlib {zlib.ZLIB_RUNTIME_VERSION}\n\n{table()}")
