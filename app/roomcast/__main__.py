"""``python -m roomcast`` and the console script: patch the standard library, then run the command line.

This is the only place that patches, and it patches before anything else of ours is
imported, whatever the command: which command it is, only typer knows, and typer
itself imports ``threading``, ``ssl`` and ``socket``, which are to be patched first.
"""

import os
import sys


def main() -> None:
    """Run the ``roomcast`` command."""
    _open_standard_streams()
    from gevent import monkey

    monkey.patch_all()
    from roomcast import cli

    cli.main()


def _open_standard_streams() -> None:
    """Give a process that was started without standard streams some that lead nowhere.

    Else the first socket would get the number of standard output, and whatever
    is printed would go to its peer.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


if __name__ == "__main__":
    main()
