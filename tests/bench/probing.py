"""Who asks a relay's private door for the same again and again, and notes how long each answer took.

With ``/healthz`` that is how long the loop was away, and what the scheduler of the machine adds.
"""

import re
import socket
import time

_LENGTH = re.compile(rb"content-length: (\d+)\r\n", re.IGNORECASE)


class Asker:
    """One connection, which asks the same again and again, and how long each answer took, in microseconds."""

    def __init__(self, port: int, path: str, encoding: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/openmetrics-text")
        self._request = "\r\n".join((*lines, f"Accept-Encoding: {encoding}", "", "")).encode()
        self.times_us: list[float] = []
        self.size_bytes = 0
        self.ask()

    def ask(self) -> None:
        """Send the request."""
        self._answer = bytearray()
        self._whole_bytes = 0
        self._asked_s = time.perf_counter()
        self.socket.sendall(self._request)

    def read(self) -> None:
        """Read on; when the answer is whole, note how long it took, and ask again."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise SystemExit(f"the relay hung up: {bytes(self._answer[:200])!r}")
        self._answer += data
        end = 0 if self._whole_bytes else self._answer.find(b"\r\n\r\n") + 4
        if end >= 4:
            length = _LENGTH.search(self._answer)
            if not self._answer.startswith(b"HTTP/1.1 200 ") or length is None:
                raise SystemExit(f"the relay answered {bytes(self._answer[:200])!r}")
            self.size_bytes = int(length[1])
            self._whole_bytes = end + self.size_bytes
        if 0 < self._whole_bytes <= len(self._answer):
            self.times_us.append((time.perf_counter() - self._asked_s) * 1e6)
            self.ask()


def share(times_us: list[float], part: float) -> float:
    """Return the time below which that part of them lies."""
    return sorted(times_us)[min(int(len(times_us) * part), len(times_us) - 1)]
