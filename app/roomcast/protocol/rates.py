"""How often a peer may send frames that bring no message: asked by both decoders, decided by their owner.

A ping, a fragment, a frame that hixie-76 has us discard: each costs us as much as a
message and the peer two to six bytes, and no limit of messages stops it. So
decoding stops at the first that is one too many: a read of 16 KiB may hold eight
thousand of them, and whoever looks at events afterwards has paid for all.
"""

from typing import Protocol


class FrameRates(Protocol):
    """What the owner of a decoder decides, for many connections at once: it knows the clock, and the settings.

    What one peer has sent so far is a single number, which its decoder keeps
    for it: the second at which its rate will have made up for that. It begins at 0.
    """

    def control(self, even_s: float) -> float:
        """Count a ping, a pong or a frame to discard; return the new number.

        Raises:
            FrameError: If it is one too many.
        """

    def may_exceed(self, limit: str) -> bool:
        """Tell whether a limit of the decoder's own, which has just been exceeded, is only reported."""

    def fragment(self, even_s: float) -> float:
        """Count a frame that does not end its message, likewise."""
