"""Subjects whose tokens are no good any more, though nothing is wrong with them.

A token that was signed cannot be taken back, so who loses a right is put on this
list: every token of that subject that was issued up to then is refused, and one
that is issued later is not, so a subject may come back with a new one. A token
that does not say when it was issued counts as an old one.

The list ends in both directions. An entry is kept for as long as whoever made it
says, which has to be as long as tokens last; and there are so many at most. Where
one more comes, the one that would have ended first is given up: that is told to
whoever added it, since from then on a token of that subject works again.

It lives in this process: it is empty after a restart, and no other node knows it.
"""

ENTRIES_MAX = 10_000
"""How many subjects are remembered: with names of usual length 2 MiB. Tokens' own end does the rest."""


class Revocations:
    """The list.

    Args:
        entries_max: How many subjects are on it at most.
        leeway_s: How far the clock of whoever issues tokens may be ahead of ours: a token counts as issued so
            much earlier than it says.
    """

    __slots__ = ("_entries", "_entries_max", "_leeway_s")

    def __init__(self, entries_max: int = ENTRIES_MAX, leeway_s: float = 0.0) -> None:
        self._entries_max = entries_max
        self._leeway_s = leeway_s
        # By subject: when it was revoked, and when that is forgotten.
        self._entries: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def change(self, leeway_s: float) -> None:
        """Let the clocks of issuers differ by so much from now on."""
        self._leeway_s = leeway_s

    def add(self, subject: str, *, now_s: float, ttl_s: float) -> bool:
        """Refuse from now on every token of this subject that was issued until now.

        Args:
            subject: The claim ``sub`` of its tokens.
            now_s: Now, in seconds since the epoch, as tokens count.
            ttl_s: How long that is remembered: not shorter than a token lasts.

        Returns:
            Whether another subject had to be given up for it.
        """
        self._entries = {name: entry for name, entry in self._entries.items() if entry[1] > now_s}
        ends_s = now_s + ttl_s
        if subject in self._entries:
            # What was said before holds at least as long as it was said to.
            ends_s = max(ends_s, self._entries[subject][1])
        is_full = subject not in self._entries and len(self._entries) >= self._entries_max
        if is_full:
            first = min(self._entries, key=lambda name: self._entries[name][1])
            del self._entries[first]
        self._entries[subject] = now_s, ends_s
        return is_full

    def holds(self, subject: str | None, *, issued_s: float | None, now_s: float) -> bool:
        """Say whether a token of this subject, issued then, is refused now."""
        entry = self._entries.get(subject) if subject is not None else None
        if entry is None or entry[1] <= now_s:
            return False
        return issued_s is None or issued_s - self._leeway_s <= entry[0]
