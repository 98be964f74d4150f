"""A terminal, as the program on its other end sees it."""

import os


def read_until(descriptor: int, end: bytes) -> str:
    """Return all that a terminal was told, as soon as this was among it."""
    told = b""
    while end not in told:
        told += os.read(descriptor, 65_536)
    return told.decode()
