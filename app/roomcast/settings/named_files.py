"""The files of a configuration: itself, its secrets, and the keys and certificates that it names; small and plain.

Whoever may ask what a configuration would do names paths of this machine. A pipe that
nobody writes to would keep a thread for ever, of the ten that the log is written by,
too; /dev/zero would take all memory. And what is read again at each reload has to be
there then: a pipe is empty by that time, which would be a configuration of defaults.
"""

import errno
import os
import stat
from typing import Final

FILE_MAX_BYTES: Final = 1_048_576
"""A hundred times what a chain of certificates has, or a set of keys; and thousands of templates."""


def read_named(path: str) -> bytes:
    """Return what a plain file holds. Never waits for a writer.

    Raises:
        OSError: If it cannot be read, or is no such file; its ``strerror`` says which.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:
        raise OSError(errno.EINVAL, "no path holds a NUL") from None
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "Not a plain file", path)
        held = file.read(FILE_MAX_BYTES + 1)
    if len(held) > FILE_MAX_BYTES:
        raise OSError(errno.EFBIG, f"longer than {FILE_MAX_BYTES} bytes", path)
    return held
