"""What all members share: the rooms, the counters, the log, the clock; and what is left when one has gone."""

from collections.abc import Callable
from itertools import count
from typing import Protocol

from roomcast.logs import Journal, fault
from roomcast.metrics import TransportCounters
from roomcast.relay.hub import Hub
from roomcast.relay.reasons import Reason
from roomcast.relay.room import Room
from roomcast.transport.keepalive import KeepAlive, LiveMember
from roomcast.transport.lines import Lines
from roomcast.transport.places import Places
from roomcast.transport.recorder import Ended, Parted, Recorder
from roomcast.transport.reports import Reports
from roomcast.transport.token_holders import TokenHolder, TokenHolders
from roomcast.transport.turns import Turn, Turns
from roomcast.transport.visit import Visits


class CountedMember(Ended, LiveMember, TokenHolder, Protocol):
    """What is asked here of a member."""

    address: str


class Membership:
    """The members of this process, from their 101 to their end.

    One object for all of them: a reference costs a member eight bytes, its
    own copy of all this would cost it a hundred.

    Args:
        hub: The rooms.
        counters: The public door's.
        journal: The log.
        places: For connections and handshakes; a member gives its own back at its end.
        reports: Asked which limits are only reported.
        keep_alive: Pings, and the deadlines of the silent.
        token_holders: Those whose token will end.
        clock: Seconds from a clock that never goes back.
        close_timeout_s: How long a peer has for its half of the closing handshake.
        address_for_logs: How much of an address the log may name.
        recorder: Remembers how members ended, and who was refused.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        counters: TransportCounters,
        journal: Journal,
        places: Places,
        reports: Reports,
        keep_alive: KeepAlive,
        token_holders: TokenHolders,
        clock: Callable[[], float],
        close_timeout_s: float,
        address_for_logs: Callable[[str], str],
        recorder: Recorder,
    ) -> None:
        self.hub = hub
        self.counters = counters
        self.places = places
        self.reports = reports
        self.turns = Turns(clock)
        """Of the loop: how long those may keep it who have sent something, handshakes included."""
        self.write_turn = Turn(clock)
        """And those who can be written to again."""
        self.journal = journal
        self.keep_alive = keep_alive
        self.token_holders = token_holders
        self.clock = clock
        self.close_timeout_s = close_timeout_s
        self.address_for_logs = address_for_logs
        self.recorder = recorder
        self.visits = Visits()
        """How those came who are here."""
        self.lines = Lines(journal, counters, clock)
        """Which lines of those who come and go are written."""
        self._numbers = count(1)

    def next_number(self) -> int:
        """Return the number of a newcomer: different for each that this process has ever had."""
        return next(self._numbers)

    def next_id(self) -> str:
        """Return the id of a newcomer that becomes no member."""
        return f"{self.hub.epoch}.{self.next_number()}"

    def joined(self, member: CountedMember, room: Room) -> None:
        """Count and log a newcomer."""
        self.counters.connections[member.dialect] += 1
        self.keep_alive.add(member)
        if member.grant is not None:
            self.token_holders.add(member, member.grant)
        if self.lines.admit("joined", "info"):
            self.journal.info(
                "joined",
                id=member.id,
                room=room.name,
                dialect=str(member.dialect),
                address=self.address_for_logs(member.address),
                members=room.member_count,
            )

    def closed(self, member: CountedMember, reason: Reason, parted: Parted) -> None:
        """Count, log and record an end. Called once for each member that joined."""
        lasted_s = self.clock() - member.joined_s
        self.keep_alive.remove(member)
        self.token_holders.remove(member)
        self.places.release(member.address)
        self.counters.connections[member.dialect] -= 1
        self.counters.disconnects[member.dialect, reason] += 1
        self.counters.connection_duration.observe(lasted_s)
        address = self.address_for_logs(member.address)
        self.recorder.closed(member, address, reason, parted)
        if self.lines.admit("left", "info"):
            self.journal.info(
                "left",
                id=member.id,
                room=member.room.name,
                reason=str(reason),
                dialect=str(member.dialect),
                address=address,
                lasted_s=round(lasted_s, 1),
            )

    def report(self, member: CountedMember, error: Exception) -> None:
        """Log a fault of ours that ended one member, with the place where it happened."""
        self.journal.error("internal fault", dialect=str(member.dialect), **fault(error))
