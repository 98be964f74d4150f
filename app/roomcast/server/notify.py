"""What a service manager is told: one datagram at a time, as systemd reads them from NOTIFY_SOCKET.

Nothing here waits, and nothing raises: a manager that does not read must not keep
members waiting, and one that is gone is no reason to end.

Source: sd_notify(3). Its library is not needed for it.
"""

from __future__ import annotations

import _socket
from contextlib import suppress


def message(**variables: str | int) -> bytes:
    """Return the datagram that says so: a variable a line, in this order."""
    return "\n".join(f"{name}={value}" for name, value in variables.items()).encode()


class Notifier:
    """Tells whoever started this process how it is.

    Args:
        address: The path of a unix socket, or ``@`` and an abstract name; empty where nobody asks.
    """

    def __init__(self, address: str) -> None:
        # Others (vsock:) are for whole machines.
        self.is_heard = address.startswith(("/", "@"))
        """Whether anybody is told."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, **variables: str | int) -> None:
        """Send one datagram, or, where that would have to wait or is no longer possible, none."""
        if not self.is_heard:
            return
        # The system's own socket: gevent's would wait for a manager that does not read, whatever the flag says, and
        # whoever waits in a timer of the loop, as our sign of life, is a fault.
        sender = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        try:
            with suppress(OSError):
                sender.sendto(message(**variables), _socket.MSG_DONTWAIT, self._address)
        finally:
            sender.close()
