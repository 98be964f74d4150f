"""Who is in a room, or said something there, as others may learn it."""

from typing import Protocol


class Person(Protocol):
    """Somebody who is in a room, or was."""

    @property
    def id(self) -> str:
        """Which connection it is: different for each that this node has ever had."""

    @property
    def subject(self) -> str | None:
        """Who it is, as its token says; None without one."""


class Author:
    """Somebody who said something: a name on its messages, by which they are known as its own.

    It outlives the member. A room that keeps a history names its authors for hours,
    and must not hold ended connections for it, with all that belongs to them.
    """

    __slots__ = ("id", "subject")

    def __init__(self, person: Person) -> None:
        self.id = person.id
        self.subject = person.subject
