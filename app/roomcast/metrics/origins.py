"""Which origins are refused most, in a table that no client can make grow.

An origin is whatever a client writes, so a label of a metric it cannot be, and a table
with a row for each would be memory for strangers to fill. This one has a fixed number of
rows. A newcomer to a full table takes the row with the smallest count, and inherits that
count as what it may be wrong by: an origin that is refused again and again stays, however
many others are made up meanwhile.

Source: Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k
Elements in Data Streams" (2005): the algorithm Space-Saving.
"""

from typing import Final

ROWS_MAX: Final = 100
ORIGIN_MAX_CHARS: Final = 200
"""Longer ones are cut. A host has 253 characters at most, and hardly any has 100."""


class RefusedOrigins:
    """Counts refusals by origin.

    Args:
        rows_max: How many origins are remembered.
    """

    __slots__ = ("_rows", "_rows_max")

    def __init__(self, rows_max: int = ROWS_MAX) -> None:
        self._rows_max = rows_max
        # By origin: its count, and how much of that it has inherited.
        self._rows: dict[str, tuple[int, int]] = {}

    def add(self, origin: str) -> None:
        """Count one refusal."""
        origin = origin[:ORIGIN_MAX_CHARS]
        count, inherited = self._rows.get(origin, (0, 0))
        if not count and len(self._rows) >= self._rows_max:
            # A look at a hundred rows, and only when there is a hundred-and-first.
            rarest = min(self._rows, key=self._rows.__getitem__)
            count = inherited = self._rows.pop(rarest)[0]
        self._rows[origin] = count + 1, inherited

    def most(self, rows: int) -> list[tuple[str, int]]:
        """Return the origins that were refused most, and how often at least."""
        certain = [(origin, count - inherited) for origin, (count, inherited) in self._rows.items()]
        return sorted(certain, key=lambda row: (-row[1], row[0]))[:rows]
