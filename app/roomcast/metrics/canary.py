"""What the canary counts: the relay's visits to its own public door.

A relay's other numbers say how it is with those who got in. These say whether
anybody can: through the listening queue, TLS, the handshake, a room and its flush.
"""

from enum import StrEnum

from roomcast.relay.counters import Histogram

# A quiet relay takes 1 ms; a room that gathers waits 25; five seconds is when the canary gives up.
_ROUND_TRIP_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class CanaryOutcome(StrEnum):
    """How a round ended: the label ``outcome`` and the word in the log."""

    OK = "ok"
    CONNECT = "connect"
    """The door let nobody connect."""
    TLS = "tls"
    """The two could not agree on TLS."""
    HANDSHAKE = "handshake"
    """The answer was neither 101 nor that there is no place."""
    FULL = "full"
    """There was no place, or only the last one, which is for a client."""
    GONE = "gone"
    """The connection ended before the message came back."""
    WRONG = "wrong"
    """Something else came back."""
    TIMEOUT = "timeout"
    INTERNAL = "internal"
    """A fault of the relay's own, which the log describes."""


class CanaryCounters:
    """The numbers of the canary. It writes them, and nobody else."""

    __slots__ = ("round_trip", "runs", "succeeded_s")

    def __init__(self) -> None:
        self.runs: dict[str, int] = {str(outcome): 0 for outcome in CanaryOutcome}
        # Of those that came back only.
        self.round_trip = Histogram(_ROUND_TRIP_BOUNDS_S)
        # By the clock on the wall; 0: never.
        self.succeeded_s = 0.0
