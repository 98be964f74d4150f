"""Which keys come most, in a table that does not grow, however many there are.

A key is a name that clients choose, so a row for each would be memory for strangers to
fill. This table has a fixed number of rows. A newcomer to a full one takes the row with the
smallest count, and inherits that count as what it may be wrong by: a key that comes again and
again stays, however many others are made up meanwhile, and nobody's count is wrong by more
than what has come in all, divided by the rows.

The paper finds the smallest by a list of lists. Here it is a heap whose counts may be old: a
key that is known costs one look-up and no more, and only a newcomer brings the top of the heap
up to date, once for each addition since, at most.

It stands here and not in ``metrics``, as ``Histogram`` does, because rooms are counted where they flush.

Source: Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k
Elements in Data Streams" (2005): the algorithm Space-Saving, with weights.
"""

from heapq import heappush, heapreplace


class HeavyHitters:
    """Counts by key.

    Args:
        rows_max: How many keys are remembered.
    """

    __slots__ = ("_heap", "_rows", "_rows_max", "total")

    def __init__(self, rows_max: int) -> None:
        self.total = 0
        """Of all keys, remembered or not."""
        self._rows_max = rows_max
        # By key: its count, and how much of that it has inherited.
        self._rows: dict[str, tuple[int, int]] = {}
        # One entry for each row, with what its count was at some time.
        self._heap: list[tuple[int, str]] = []

    def add(self, key: str, weight: int = 1) -> None:
        """Count a key ``weight`` times."""
        self.total += weight
        row = self._rows.get(key)
        if row is not None:
            self._rows[key] = row[0] + weight, row[1]
        elif len(self._rows) < self._rows_max:
            self._rows[key] = weight, 0
            heappush(self._heap, (weight, key))
        else:
            inherited = self._rows.pop(self._rarest())[0]
            self._rows[key] = inherited + weight, inherited
            heapreplace(self._heap, (inherited + weight, key))

    def _rarest(self) -> str:
        """Return the key with the smallest count, when it stands at the top of the heap with just that."""
        while True:
            count, key = self._heap[0]
            now = self._rows[key][0]
            if now == count:
                return key
            heapreplace(self._heap, (now, key))

    def counts(self) -> dict[str, int]:
        """Return how often each key has come that is remembered, at least."""
        return {key: count - inherited for key, (count, inherited) in self._rows.items()}

    def most(self, rows: int) -> list[tuple[str, int]]:
        """Return the keys that came most, and how often at least."""
        return foremost(self.counts(), rows)


def foremost(counts: dict[str, int], rows: int) -> list[tuple[str, int]]:
    """Return the largest counts and their keys; those that are equal by their keys."""
    return sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:rows]
