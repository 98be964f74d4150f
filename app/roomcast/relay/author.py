"""Who said something, as others may learn it.

It outlives the member: a room that keeps a history names its authors long after
they have gone. So whoever is one lets go of all else when it ends.
"""

from typing import Protocol


class Author(Protocol):
    """What is asked of a member as one whose messages are kept."""

    @property
    def id(self) -> str:
        """Which connection it was: different for each that this node has ever had."""

    @property
    def subject(self) -> str | None:
        """Who it was, as its token says; None without one."""
