"""``python -m roomcast`` and the console script: patch the standard library, then run the command line.

This is the only place that patches, and it patches before anything else of ours is
imported, whatever the command: which command it is, only typer knows, and typer
itself imports ``threading``, ``ssl`` and ``socket``, which are to be patched first.
"""


def main() -> None:
    """Run the ``roomcast`` command."""
    from gevent import monkey

    monkey.patch_all()
    from roomcast import cli

    cli.main()


if __name__ == "__main__":
    main()
