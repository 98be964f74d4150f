"""Which origins are refused most, or would be by a shadow, in a table that no client can make grow.

An origin is whatever a client writes, so a label of a metric it cannot be.
"""

from typing import Final

from roomcast.relay.heavy_hitters import HeavyHitters

ROWS_MAX: Final = 100
ORIGIN_MAX_CHARS: Final = 200
"""Longer ones are cut. A host has 253 characters at most, and hardly any has 100."""


class RefusedOrigins(HeavyHitters):
    """Counts refusals by origin; of a long one, by its beginning.

    Args:
        rows_max: How many origins are remembered.
    """

    __slots__ = ()

    def __init__(self, rows_max: int = ROWS_MAX) -> None:
        super().__init__(rows_max)

    def add(self, key: str, weight: int = 1) -> None:
        """Count an origin's refusals."""
        super().add(key[:ORIGIN_MAX_CHARS], weight)
