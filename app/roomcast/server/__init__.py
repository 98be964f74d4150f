"""The composition root: settings become objects, objects become a relay with two doors, the relay a process.

Every object gets what it needs as an argument, and the section of the settings
that is its own; nothing below this package knows where a value came from, what
time it is or how the process is told to stop.
"""

from roomcast.server.doors import DoorError
from roomcast.server.policies import Explanation, build_forwarding, build_policies, explain
from roomcast.server.process import serve
from roomcast.server.relay import Server
from roomcast.server.reload import prepare
from roomcast.server.tokens import make_token

__all__ = [
    "DoorError",
    "Explanation",
    "Server",
    "build_forwarding",
    "build_policies",
    "explain",
    "make_token",
    "prepare",
    "serve",
]
