"""The command line: a file for each command, and the program that holds them.

Exit codes are a promise: 0 yes, 1 no, 2 usage or configuration. What went wrong
stands on stderr in words, never as a traceback; what was asked for, on stdout.

The server is imported by the commands that need it, when they run: ``--help``
and a misspelt key should not wait for an event loop.
"""

from roomcast.cli.program import app, main

__all__ = ["app", "main"]
