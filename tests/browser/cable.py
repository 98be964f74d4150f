"""The network between a browser and a relay, as a test wants it: cut, mended, or deaf in one direction."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cable:
    """A port of its own that leads to the relay's, while it is whole."""

    def __init__(self, relay: tuple[str, int]) -> None:
        self._relay = relay
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_cut = False
        self._is_deaf = False

    def cut(self) -> None:
        """End all connections, and take no other."""
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, []
        for end in ends:
            # The kernel tells both sides; whoever pumps closes.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again."""
        self._is_cut = self._is_deaf = False

    def deafen(self) -> None:
        """Let what the browser says through, and nothing of what the relay says."""
        self._is_deaf = True

    def run(self) -> None:
        """Lead connections to the relay until the cable is thrown away."""
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                with self._lock:
                    if not self._is_cut:
                        self._lead(near)
                        continue
                near.close()

    def _lead(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._relay)
        except ConnectionRefusedError:
            near.close()
            return
        self._ends += [near, far]
        threading.Thread(target=self._pump, args=(near, far, False)).start()
        threading.Thread(target=self._pump, args=(far, near, True)).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_relay: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not (is_relay and self._is_deaf):
                    target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        # Each of the two threads closes what it reads from.
        source.close()

    def throw_away(self) -> None:
        self.cut()
        # A blocked accept() ends when its socket is shut down, and not when it is closed.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def cable_to(relay: tuple[str, int]) -> Iterator[Cable]:
    """Lay a cable, for as long as the block lasts."""
    cable = Cable(relay)
    thread = threading.Thread(target=cable.run)
    thread.start()
    try:
        yield cable
    finally:
        cable.throw_away()
        thread.join()
