"""The two questions of a prober: is the process alive, and does it want traffic?

They differ in what a "no" leads to. A prober that finds no life restarts the
process, and with it every member's connection; so ``/healthz`` says yes
whenever the loop turns, however slowly, and a loop that is stuck answers
nothing: the probe's own timeout is the "no". A relay that is starting or
draining is alive, and ``/readyz`` keeps newcomers away from it.
"""

from collections.abc import Callable

from falcon import HTTP_503, MEDIA_TEXT, Request, Response


class Health:
    """``/healthz``: 200 from any loop that turns."""

    def on_get(self, _: Request, response: Response) -> None:
        """Say that the loop turns, by answering."""
        _say(response, "ok")

    on_head = on_get


class Readiness:
    """``/readyz``: 200, or 503 with the word that says why.

    Args:
        is_ready: Whether new members are wanted.
        is_draining: Whether the relay was asked to stop; if neither is so, it is starting.
    """

    def __init__(self, is_ready: Callable[[], bool], is_draining: Callable[[], bool]) -> None:
        self._is_ready = is_ready
        self._is_draining = is_draining

    def on_get(self, _: Request, response: Response) -> None:
        """Say whether new members are wanted now."""
        if self._is_ready():
            _say(response, "ready")
            return
        response.status = HTTP_503
        _say(response, "draining" if self._is_draining() else "starting")

    on_head = on_get


def _say(response: Response, word: str) -> None:
    response.content_type = MEDIA_TEXT
    # Some probers go through an HTTP cache, which may keep a 200 that names no age.
    response.set_header("Cache-Control", "no-store")
    response.text = word + "\n"
