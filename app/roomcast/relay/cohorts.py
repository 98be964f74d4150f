"""Those of one room who are up to date, by the format of their frames; and those who do not listen.

Nobody in here has a cursor: all stand at the room's ``at``.
"""

from collections.abc import Iterator, Sequence

from roomcast.relay.burst import Burst, Service
from roomcast.relay.member import Member
from roomcast.relay.message import Message, WireFormat


class Cohorts(dict[WireFormat, dict[Member, None]]):
    """The cohorts of a room.

    A dict itself, and not an object that has one: there is one in each of ten
    thousand rooms, and it is walked in each pass.
    """

    __slots__ = ("_silent",)

    def __init__(self) -> None:
        super().__init__()
        # Those who may only speak. Made when there is one: nearly nobody has such rights.
        self._silent: dict[Member, None] | None = None

    def enter(self, member: Member) -> None:
        """Let a member be up to date. In mid-pass too: the pass has its own list, and ``at`` is its end."""
        self.setdefault(member.wire_format, {})[member] = None

    def enter_silent(self, member: Member) -> None:
        """Let a member be in the room that hears nothing."""
        if self._silent is None:
            self._silent = {}
        self._silent[member] = None

    def leave(self, member: Member) -> None:
        """Take out a member that is in here."""
        if self._silent is not None and member in self._silent:
            del self._silent[member]
        else:
            del self[member.wire_format][member]

    def is_silent(self, member: Member) -> bool:
        """Whether it hears nothing."""
        return self._silent is not None and member in self._silent

    def members(self) -> Iterator[Member]:
        """Yield all who are in here."""
        for cohort in self.values():
            yield from cohort
        yield from self._silent or ()

    def services(self, batch: Sequence[Message], *, is_echoed: bool) -> list[Service]:
        """Return a burst of the batch for each cohort, with those who are to get it."""
        # No comprehension: before Python 3.12 each is a call, and this runs in each pass.
        services: list[Service] = []
        for wire_format, cohort in self.items():
            if cohort:
                services.append(Service(Burst(batch, wire_format, is_echoed=is_echoed), list(cohort)))
        return services
