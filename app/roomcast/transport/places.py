"""The places that there are: for connections, and for handshakes, in all and for each address.

A connection has a place from its accept to its end, and its handshake a second
one, until it is a member or has its answer. Both are taken before a greenlet is
made for it, so that a crowd costs no more than there are places.

Without places for the handshakes of one address, a single client that sends its
heads slowly could hold all that there are, and keep everybody else out.
"""

from collections.abc import Callable

from roomcast.policies.limits import AddressCounts
from roomcast.transport.admission import Outcome, Refusal, no_place
from roomcast.transport.reports import Reports


class Places:
    """How many are here, and how many may be.

    Args:
        connections_max: How many connections may be open, in handshakes or after; 0: no limit.
        handshakes_max: How many handshakes may be in flight; 0: no limit.
        connections: Open connections by address.
        handshakes: Handshakes in flight by address.
        reports: Asked whether the limits of one address are only reported.
    """

    def __init__(
        self,
        *,
        connections_max: int,
        handshakes_max: int,
        connections: AddressCounts,
        handshakes: AddressCounts,
        reports: Reports,
    ) -> None:
        self._connections_max = connections_max
        self._handshakes_max = handshakes_max
        self._connections_of = connections
        self._handshakes_of = handshakes
        self._reports = reports
        self.connections = 0
        self.handshakes = 0

    def change(
        self,
        *,
        connections_max: int,
        handshakes_max: int,
        connections_per_address: int,
        handshakes_per_address: int,
        is_proxy: Callable[[str], bool],
    ) -> None:
        """Hold newcomers to other limits. Who is there stays, and counts."""
        self._connections_max = connections_max
        self._handshakes_max = handshakes_max
        self._connections_of.change(connections_per_address, is_proxy)
        self._handshakes_of.change(handshakes_per_address, is_proxy)

    def most_of_one_address(self, is_proxy: Callable[[str], bool]) -> int:
        """Return how many connections the address has that has the most, beside those of proxies."""
        return self._connections_of.most(is_proxy)

    def claim(self, address: str) -> Refusal | None:
        """Take both places for a newcomer, or say why there is none. Undone by ``end_handshake`` and ``release``."""
        if self._connections_max and self.connections >= self._connections_max:
            return no_place("connections_max")
        if self._handshakes_max and self.handshakes >= self._handshakes_max:
            return no_place("handshakes_max")
        refusal = self._claim_of_address(address)
        if refusal is None:
            self.connections += 1
            self.handshakes += 1
        return refusal

    def has_spare(self) -> bool:
        """Tell whether more than the last place is free: that one is for a client, and not for the relay itself."""
        connections_max, handshakes_max = self._connections_max, self._handshakes_max
        has_connection = not connections_max or self.connections + 1 < connections_max
        return has_connection and (not handshakes_max or self.handshakes + 1 < handshakes_max)

    def reclaim(self, address: str, claimed: str) -> Refusal | None:
        """Let both places count for another address than they were claimed with, or say why they must not.

        Who is turned away is so with the places that it has: what they were
        claimed with is still to be released.
        """
        refusal = self._claim_of_address(address)
        if refusal is None:
            self._connections_of.release(claimed)
            self._handshakes_of.release(claimed)
        return refusal

    def end_handshake(self, address: str) -> None:
        """Give back a handshake's place."""
        self.handshakes -= 1
        self._handshakes_of.release(address)

    def release(self, address: str) -> None:
        """Give back a connection's place. Its handshake has ended before."""
        self.connections -= 1
        self._connections_of.release(address)

    def _claim_of_address(self, address: str) -> Refusal | None:
        refusal = self._admit(self._connections_of, address, "connections_per_address")
        if refusal is not None:
            return refusal
        refusal = self._admit(self._handshakes_of, address, "handshakes_per_address")
        if refusal is not None:
            self._connections_of.release(address)
        return refusal

    def _admit(self, counts: AddressCounts, address: str, limit: str) -> Refusal | None:
        if counts.admit(address):
            return None
        if not self._reports.tolerates(limit):
            return no_place(limit, status=429, outcome=Outcome.ADDRESS_LIMIT)
        counts.add(address)
        return None
