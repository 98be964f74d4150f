"""How much one member and one address may take.

Each limit is counted where it is spent and knows nothing of the others. Time is
an argument, in seconds of any clock; one that is set back costs nobody
anything, it only refills nothing for that once. A limit of 0 is no limit.

The address of a proxy stands for all who come through it, so the addresses that
proxies have in practice (loopback, private, CGNAT, link-local) are not counted,
nor are those of trusted proxies, whatever they are. That holds for a client's
private address, too, as a trusted proxy reports it: seen from within a container
network everybody has that of the gateway.

Sources: RFC 1918, 6598, 3927, 4193 and 4291 for those addresses; RFC 6177 for
the /64 that one IPv6 customer has at least.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from math import inf

# How much a member that was silent may send at once, in seconds of its rate.
BURST_S = 2

_IPV6_GROUP_BITS = 64

_EXEMPT_IPV4 = tuple(
    IPv4Network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
)
_EXEMPT_IPV6 = tuple(IPv6Network(network) for network in ("::1/128", "fc00::/7", "fe80::/10"))


class MemberRate:
    """What one member may send, in messages and in bytes a second, and ``BURST_S`` times that at once.

    Two buckets in one object, without a call between them: this runs for every
    message that arrives. A message larger than the burst of bytes never passes,
    so the settings have to keep ``bytes_per_s * BURST_S`` at or above
    ``message_max_bytes``.

    Args:
        messages_per_s: 0 is no limit.
        bytes_per_s: Likewise. Where both are 0, ``for_limits`` spares the call.

    Raises:
        ValueError: If one is below 0, or not even one message would fit into the burst.
    """

    __slots__ = ("_at_s", "_bytes", "_bytes_per_s", "_messages", "_messages_per_s")

    def __init__(self, messages_per_s: float, bytes_per_s: float) -> None:
        if not (messages_per_s >= 0 and bytes_per_s >= 0):
            raise ValueError(f"messages_per_s = {messages_per_s} and bytes_per_s = {bytes_per_s} must not be below 0")
        if 0 < messages_per_s * BURST_S < 1:
            raise ValueError(f"messages_per_s = {messages_per_s} would let no message pass; {1 / BURST_S} would")
        # An endless rate fills an endless bucket: no branch for "no limit".
        self._messages_per_s = messages_per_s or inf
        self._bytes_per_s = bytes_per_s or inf
        self._messages = self._messages_per_s * BURST_S
        self._bytes = self._bytes_per_s * BURST_S
        self._at_s = 0.0

    @classmethod
    def for_limits(cls, messages_per_s: float, bytes_per_s: float) -> "MemberRate | None":
        """Return what counts one member, or None where nothing is to be counted."""
        return cls(messages_per_s, bytes_per_s) if messages_per_s or bytes_per_s else None

    def admit(self, size_bytes: int, now_s: float, count: int = 1) -> str | None:
        """Count a message and return None; or count nothing and return the key of the limit it exceeds.

        ``count`` messages may come together, of ``size_bytes`` in all.
        """
        rate, byte_rate = self._messages_per_s, self._bytes_per_s
        messages, left_bytes = self._messages, self._bytes
        elapsed_s = now_s - self._at_s
        self._at_s = now_s
        if elapsed_s > 0:
            # Comparisons instead of min(): its calls would be half of the cost.
            # Below the burst only: what was made up for may be more, and is kept.
            if messages < (burst := rate * BURST_S):
                messages += elapsed_s * rate
                if messages > burst:
                    messages = burst
            if left_bytes < (burst := byte_rate * BURST_S):
                left_bytes += elapsed_s * byte_rate
                if left_bytes > burst:
                    left_bytes = burst
        if messages < count:
            exceeded = "messages_per_s"
        elif left_bytes < size_bytes:
            exceeded = "bytes_per_s"
        else:
            exceeded = None
            messages -= count
            left_bytes -= size_bytes
        self._messages, self._bytes = messages, left_bytes
        return exceeded

    def give_back(self, size_bytes: int, count: int) -> None:
        """Count as not sent what was admitted just now, for it was not."""
        self._messages += count
        self._bytes += size_bytes

    def make_up(self, held_s: float, now_s: float) -> None:
        """Let a member send what it could not while it was not read, beside its burst: it comes all at once.

        Args:
            held_s: How long that was.
            now_s: When it ended.
        """
        silent_s = max(now_s - held_s - self._at_s, 0.0)
        self._at_s = now_s
        self._messages = _made_up(self._messages, self._messages_per_s, silent_s, held_s)
        self._bytes = _made_up(self._bytes, self._bytes_per_s, silent_s, held_s)

    def admit_beyond(self, limit: str, size_bytes: int) -> str | None:
        """Count a message that is beyond ``limit``, which is only reported, for the other of the two limits.

        Returns:
            None; or, having counted nothing, the other limit, if the message is beyond that too.
        """
        if limit == "messages_per_s":
            if self._bytes < size_bytes:
                return "bytes_per_s"
            self._bytes -= size_bytes
        elif self._messages >= 1:
            # Messages are looked at first, so it is beyond them only where it
            # has been told so already.
            self._messages -= 1
        return None


def _made_up(level: float, rate: float, silent_s: float, held_s: float) -> float:
    if rate == inf:
        return inf
    return max(min(level + silent_s * rate, rate * BURST_S), level) + held_s * rate


class FrameRate:
    """How many frames of one kind a member may send a second, and ``BURST_S`` times that at once.

    It keeps nothing of any member. What one has sent is a single number, which
    whoever reads its frames keeps for it: the second at which this rate will
    have made up for all of them. Nearly everybody sends a pong now and then, so
    nearly everybody would have a bucket, of 150 bytes; a number has 24.

    Args:
        limit: The name of the setting.
        per_s: 0 is no limit.

    Raises:
        ValueError: If ``per_s`` is below 0.

    Source: the generic cell rate algorithm of ITU-T I.371, as "virtual scheduling".
    """

    __slots__ = ("_ahead_max_s", "_interval_s", "limit", "per_s")

    def __init__(self, limit: str, per_s: int) -> None:
        if per_s < 0:
            raise ValueError(f"{limit} = {per_s} must not be below 0")
        self.limit = limit
        self.per_s = per_s
        self._interval_s = 1 / per_s if per_s else 0.0
        # In the middle between the last frame that passes and the first that
        # does not: a sum of two hundred intervals is not exact.
        self._ahead_max_s = BURST_S - self._interval_s / 2

    def admit(self, even_s: float, now_s: float) -> float | None:
        """Count one frame and return the new number; or count nothing and return None if it is one too many.

        Args:
            even_s: What the last call returned for this member; 0 if there was none.
            now_s: Now.
        """
        if not self._interval_s:
            return even_s
        ahead_s = even_s - now_s
        # Nobody is ever further ahead than a burst: else the clock was set back.
        if not 0 <= ahead_s <= BURST_S + self._interval_s:
            even_s = now_s
        elif ahead_s > self._ahead_max_s:
            return None
        return even_s + self._interval_s


# Each connection asks four times, two of them soon after one another. To parse an
# address takes 3 µs; of a handshake they would be a tenth.
@lru_cache(maxsize=1024)
def address_group(address: str) -> str | None:
    """Return what the limits of one address count: an IPv4 address, or the /64 of an IPv6 one.

    None means that it is not counted: the address of a proxy, or none at all.

    Args:
        address: As the kernel gave it, never as a client wrote it. What is no
            IP address came in by a unix socket, and is not counted either.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    # A listener on "::" sees IPv4 peers as ::ffff:192.0.2.1; all of them share
    # one /64.
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if isinstance(ip, IPv4Address):
        return None if any(ip in network for network in _EXEMPT_IPV4) else str(ip)
    if any(ip in network for network in _EXEMPT_IPV6):
        return None
    group = int(ip) >> (128 - _IPV6_GROUP_BITS) << (128 - _IPV6_GROUP_BITS)
    return f"{IPv6Address(group)}/{_IPV6_GROUP_BITS}"


class AddressCounts:
    """The connections of one kind that each address has, in groups as ``address_group`` makes them.

    Holds an entry for an address only while it has a connection, so that a
    walk through all of IPv6 leaves nothing behind. Whoever is under no limit is
    counted as well: the limit may change while it stays.

    Args:
        limit: Connections of one group; 0 is no limit.
        is_proxy: Tells which addresses stand for many, beside those that do in practice.
    """

    __slots__ = ("_counts", "_is_proxy", "_limit")

    def __init__(self, limit: int, is_proxy: Callable[[str], bool] = lambda _: False) -> None:
        self._limit = limit
        self._is_proxy = is_proxy
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def change(self, limit: int, is_proxy: Callable[[str], bool]) -> None:
        """Hold newcomers to another limit, and take others for proxies. Who is there stays, and counts."""
        self._limit = limit
        self._is_proxy = is_proxy

    def most(self, is_proxy: Callable[[str], bool] | None = None) -> int:
        """Return how many the address has that has the most, of those that are under a limit: if need be, by others."""
        is_proxy = is_proxy or self._is_proxy
        counted = (count for group, count in self._counts.items() if not is_proxy(group.partition("/")[0]))
        return max(counted, default=0)

    def admit(self, address: str) -> bool:
        """Count one more connection and return True, owing a ``release``; or return False if it is one too many."""
        group = address_group(address)
        if group is None:
            return True
        count = self._counts.get(group, 0)
        if self._limit and count >= self._limit and not self._is_proxy(address):
            return False
        self._counts[group] = count + 1
        return True

    def add(self, address: str) -> None:
        """Count one more connection though it is one too many, owing a ``release``."""
        group = address_group(address)
        if group is not None:
            self._counts[group] = self._counts.get(group, 0) + 1

    def release(self, address: str) -> None:
        """Count one connection less: exactly once for each one that was admitted, or added."""
        group = address_group(address)
        if group is None:
            return
        count = self._counts.pop(group, 0)
        if count > 1:
            self._counts[group] = count - 1
