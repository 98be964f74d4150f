"""What the kernel keeps of what a member was sent, and how it is made to let go.

A peer that stops reading leaves ``send_buffer_bytes`` and more in the kernel's
queue. That is charged to the relay's container, and stands in no figure of the
process. Linux says how much it is; elsewhere it can only be guessed.
"""

import socket
import struct
import sys
from contextlib import suppress
from typing import NamedTuple

from roomcast.transport.loop import Stream

_IS_LINUX = sys.platform == "linux"
# Numbers of Linux that Python's socket module does not have everywhere.
_SO_MEMINFO = 55
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", 18)
# Nine integers (linux/sock_diag.h), the memory of packets with all that belongs
# to them: TCP counts what it keeps as SK_MEMINFO_WMEM_QUEUED, the sixth, and a
# path what its peer has not read as SK_MEMINFO_WMEM_ALLOC, the third.
_MEMINFO = struct.Struct("=8xI8xI12x")
# All that ever got through: tcpi_bytes_acked, at byte 120 of linux/tcp.h's tcp_info, and behind it
# tcpi_bytes_received.
_ACKED = struct.Struct("=120xQ")
_TRAFFIC = struct.Struct("=120xQQ")
# SO_LINGER: do, for no time.
_RESET = struct.pack("ii", 1, 0)
# How long a connection that we have closed may go on without progress, to bring
# its peer the last bytes. Left to itself Linux gives one that takes nothing minutes.
_ORPHAN_MS = struct.pack("I", 10_000)


def queued_bytes(raw: Stream) -> int:
    """Return what the kernel keeps for this connection to send, headers and all; of a closed one nothing."""
    try:
        if not _IS_LINUX:
            # As much as it may.
            return int.from_bytes(raw.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4), sys.byteorder)
        allocated, queued = _MEMINFO.unpack(raw.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    except OSError:
        return 0
    return int(max(allocated, queued))


def acknowledged_bytes(raw: Stream) -> int:
    """Return how much the peer has acknowledged so far: always the same where nobody says."""
    if not _IS_LINUX or raw.family == socket.AF_UNIX:
        return 0
    try:
        return int(_ACKED.unpack(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED.size))[0])
    except OSError:
        return 0


class Traffic(NamedTuple):
    """What went over a connection in its whole life, the handshake and TLS included."""

    sent_bytes: int
    """What its peer acknowledged."""
    received_bytes: int
    """What came from it."""


def traffic(raw: Stream) -> Traffic | None:
    """Return what went over a connection so far; None where nobody says: that is TCP on Linux only."""
    if not _IS_LINUX or raw.family == socket.AF_UNIX:
        return None
    try:
        return Traffic(*_TRAFFIC.unpack(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TRAFFIC.size)))
    except (OSError, struct.error):
        # A kernel older than the second of them (4.2) gives fewer bytes.
        return None


def close(raw: Stream, *, is_torn: bool) -> None:
    """Close a connection, and let the kernel's queue for it go at once or soon.

    Args:
        raw: Its socket.
        is_torn: Whether what the peer was sent ends in the middle of something,
            so that the rest of the queue is worth nothing to it: it is reset.
    """
    if raw.family != socket.AF_UNIX and queued_bytes(raw):
        # Without it the queue only stays longer. Without the close, the descriptor stays for ever.
        with suppress(OSError):
            if is_torn:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            elif _IS_LINUX:
                raw.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, _ORPHAN_MS)
    raw.close()
