"""What the largest messages cost the relay: as they arrive, as a room carries them, as they go out."""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path

import pytest

from tests.processes import relay_process
from tests.transport.rooms import LOBBY, rooms
from tests.wire import CONTINUATION, TEXT, Rfc6455Client, connect, frame, rfc6455_head

LARGEST = 1 << 24
"""Bytes of the largest message of the Autobahn testsuite."""
TOML = rooms(echo=True, message_max_bytes=LARGEST, lag_max_bytes=2 * LARGEST, pending_max_bytes=LARGEST) + (
    "[deflate]\nenabled = true\n[limits]\nfragments_per_s = 0\nping_interval_s = 0\n"
)
# Noise in base64 shrinks to three quarters: what comes of it is large, and takes long to come.
MESSAGE = base64.b64encode(hashlib.shake_128(b"noise").digest(LARGEST // 4 * 3))


def deflated(message: bytes) -> bytes:
    stream = zlib.compressobj(1, zlib.DEFLATED, -15)
    return (stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def sent(payload: bytes, frame_bytes: int, *, is_compressed: bool) -> bytes:
    """A message as a client sends it, in frames of this size."""
    starts = range(0, len(payload), frame_bytes)
    stream = bytearray()
    for start in starts:
        opcode = CONTINUATION if start else TEXT
        stream += frame(opcode, payload[start : start + frame_bytes], is_final=start == starts[-1])
    stream[0] |= 0x40 * is_compressed
    return bytes(stream)


@pytest.mark.parametrize("frame_bytes", [LARGEST, 65_536], ids=["whole", "in fragments"])
@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "compressed"])
def test_relay_that_echoes_the_largest_message_grows_by_less_than_four_of_it(
    tmp_path: Path, frame_bytes: int, is_compressed: bool
) -> None:
    config = tmp_path / "roomcast.toml"
    config.write_text(TOML)
    stream = sent(deflated(MESSAGE) if is_compressed else MESSAGE, frame_bytes, is_compressed=is_compressed)
    with relay_process(config=config) as relay, connect(relay.address) as wire:
        wire.send(rfc6455_head(LOBBY, *["Sec-WebSocket-Extensions: permessage-deflate"] * is_compressed))
        wire.read_until(b"\r\n\r\n")
        before_bytes = relay.resident_bytes()

        for _ in range(2):
            wire.send(stream)
            wire.unread(bytes([wire.read(1)[0] & ~(0x40 * is_compressed)]))
            opcode, payload = Rfc6455Client(wire).read_frame()
            assert opcode == TEXT
            assert (zlib.decompress(payload + b"\0\0\xff\xff\x03\0", -15) if is_compressed else payload) == MESSAGE

        assert relay.peak_resident_bytes() - before_bytes < 4 * LARGEST
