"""Ctrl-C, as the way in which a client that runs for ever is told to end.

Python raises ``KeyboardInterrupt`` wherever it happens to be. With gevent that can be the loop,
which prints it like a fault, or the greenlet that draws the screen, which dies of it alone.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_here() -> Iterator[None]:
    """Run the block so that Ctrl-C raises ``KeyboardInterrupt`` in it, and nowhere else.

    A process that was started to ignore it, in the background of a script, goes on doing so.
    """
    from gevent import get_hub, getcurrent

    ours = getcurrent()

    def interrupt(*_: object) -> None:
        if getcurrent() is ours:
            raise KeyboardInterrupt
        get_hub().loop.run_callback(ours.throw, KeyboardInterrupt)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
