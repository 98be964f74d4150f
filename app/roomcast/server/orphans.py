"""Processes that are nobody's, and so process 1's: which the relay is in its container.

The relay starts none. But what somebody starts by ``docker exec`` and leaves
running becomes a child of process 1 when its own parent ends, and, once it
ends, an entry in the table of processes that only process 1 can take out.
An init in front (tini, ``docker run --init``) would do that and nothing else,
at the price of a program more in each image: libev does it in one system call
per end, when it is told to listen.
"""

import os

import gevent


def reap_orphans(pid: int | None = None) -> None:
    """Leave no zombie in a container whose process 1 we are; where somebody else is, do nothing.

    Args:
        pid: By which number the system calls us.
    """
    if (pid or os.getpid()) == 1:
        gevent.get_hub().loop.install_sigchld()
