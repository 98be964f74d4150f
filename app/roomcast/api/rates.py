"""How much each holder of a key may publish in each room: as much as one member may.

A backend that is let loose costs a room what a member does that is let loose, so the
same limits hold, ``messages_per_s`` and ``bytes_per_s`` of the room's template. Who
may send more is given a template that allows more.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from falcon import HTTPError, HTTPTooManyRequests

from roomcast.api.directory import Terms
from roomcast.policies.limits import BURST_S, MemberRate

# Beyond, the one that was used longest ago begins anew: at worst it may send another
# burst. 10,000 take about 3 MiB.
RATES_MAX: Final = 10_000


class HolderRates:
    """The rates of all holders in all rooms.

    Args:
        clock: Seconds, from a clock that never goes back.
        rates_max: How many are remembered.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, rates_max: int = RATES_MAX) -> None:
        self._clock = clock
        self._rates_max = rates_max
        self._rates: OrderedDict[tuple[str, str], MemberRate] = OrderedDict()

    def admit(self, holder: str, room: str, terms: Terms, size_bytes: int, count: int = 1) -> None:
        """Count ``count`` messages of ``size_bytes`` in all.

        Raises:
            HTTPError: 429 if that is too much now, 413 if it always is. Then nothing was counted.
        """
        if not (terms.messages_per_s or terms.bytes_per_s):
            return
        exceeded = self._rate(holder, room, terms).admit(size_bytes, self._clock(), count)
        if exceeded is not None:
            raise _refusal(exceeded, terms, size_bytes, count)

    def give_back(self, holder: str, room: str, size_bytes: int, count: int) -> None:
        """Take back what was admitted just now, and was not sent."""
        rate = self._rates.get((holder, room))
        if rate is not None:
            rate.give_back(size_bytes, count)

    def _rate(self, holder: str, room: str, terms: Terms) -> MemberRate:
        key = (holder, room)
        rate = self._rates.get(key)
        if rate is None:
            rate = self._rates[key] = MemberRate(terms.messages_per_s, terms.bytes_per_s)
            if len(self._rates) > self._rates_max:
                self._rates.popitem(last=False)
        self._rates.move_to_end(key)
        return rate


def _refusal(exceeded: str, terms: Terms, size_bytes: int, count: int) -> HTTPError:
    given, per_s = (count, terms.messages_per_s) if exceeded == "messages_per_s" else (size_bytes, terms.bytes_per_s)
    rule = f"{exceeded} = {per_s} of this room's template, {BURST_S * per_s} at once"
    if given > BURST_S * per_s:
        return HTTPError(413, description=f"{rule}: what is sent at once may have no more; send it in parts")
    # A bucket that was empty is full again by then.
    return HTTPTooManyRequests(description=f"{rule}: sent too fast", retry_after=BURST_S)
