"""The limits of frames that bring no message, as a decoder asks for them."""

from collections.abc import Callable

from roomcast.policies.limits import FrameRate
from roomcast.protocol.errors import FrameError
from roomcast.protocol.frames import CloseCode
from roomcast.transport.reports import Reports


class FrameRates:
    """``control_frames_per_s`` and ``fragments_per_s``, for all members of one template.

    See ``protocol.rates``. It is one object for all of them, because nearly
    everybody sends a pong now and then, and an idle member has to stay small.

    Args:
        control_frames_per_s: 0 is no limit.
        fragments_per_s: Likewise.
        clock: Seconds from a clock that never goes back.
        reports: Asked whether one of them is only reported.
    """

    __slots__ = ("_clock", "_control", "_fragments", "_reports")

    def __init__(
        self, control_frames_per_s: int, fragments_per_s: int, clock: Callable[[], float], reports: Reports
    ) -> None:
        self._control = FrameRate("control_frames_per_s", control_frames_per_s)
        self._fragments = FrameRate("fragments_per_s", fragments_per_s)
        self._clock = clock
        self._reports = reports

    def control(self, even_s: float) -> float:
        """Count a ping, a pong or a frame to discard. Raises FrameError with 1008 if it is one too many."""
        return self._admit(self._control, even_s)

    def fragment(self, even_s: float) -> float:
        """Count a frame that does not end its message, likewise."""
        return self._admit(self._fragments, even_s)

    def may_exceed(self, limit: str) -> bool:
        """Tell whether a limit that has just been exceeded is only reported."""
        return self._reports.tolerates(limit)

    def _admit(self, rate: FrameRate, even_s: float) -> float:
        admitted = rate.admit(even_s, self._clock())
        if admitted is not None:
            return admitted
        if not self._reports.tolerates(rate.limit):
            text = f"more frames than {rate.limit} = {rate.per_s} allows"
            raise FrameError(text, CloseCode.POLICY_VIOLATION, limit=rate.limit)
        return even_s
