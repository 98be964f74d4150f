"""``/api/v1/reload`` and ``/api/v1/plan``: a configuration taken while the relay serves, and what one would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from falcon import HTTPUnprocessableEntity

from roomcast.api import intake
from roomcast.api.answers import say
from roomcast.api.keys import Scope
from roomcast.api.models import ConfigurationChange, Nothing, Planned, Reloaded
from roomcast.api.turns import to_its_end

if TYPE_CHECKING:
    from falcon import Request, Response

    from roomcast.api.guard import Guard
    from roomcast.settings.difference import Change

TOML: Final = "application/toml"


class Configuration(Protocol):
    """Whose configuration it is. Both make the greenlet wait, and raise ValueError with what is wrong."""

    def reload(self) -> Sequence[Change]:
        """Take the configuration as it is now; return what has changed."""

    def plan(self, text: str) -> Planned:
        """Say what a configuration file of this text would do."""


class Reload:
    """``/api/v1/reload``: read the configuration again."""

    def __init__(self, guard: Guard, configuration: Configuration) -> None:
        self._guard = guard
        self._configuration = configuration

    def on_post(self, request: Request, response: Response) -> None:
        """Take all of it, or nothing."""
        self._guard.require(request, Scope.ADMIN)
        intake.query(request, Nothing)
        try:
            # Whoever asked may be gone before it is done; it is done all the same.
            changes = to_its_end(self._configuration.reload)
        except ValueError as error:
            raise HTTPUnprocessableEntity(description=str(error)) from None
        say(response, Reloaded(changes=told(changes)))


class Plan:
    """``/api/v1/plan``: what a file would do, and nothing is done."""

    def __init__(self, guard: Guard, configuration: Configuration) -> None:
        self._guard = guard
        self._configuration = configuration

    def on_post(self, request: Request, response: Response) -> None:
        """Judge the body, which is the file."""
        self._guard.require(request, Scope.ADMIN)
        intake.query(request, Nothing)
        if intake.media_type(request) != TOML:
            raise intake.unsupported((TOML,), f"say what the body is: curl -H 'Content-Type: {TOML}'")
        try:
            text = intake.body(request).decode()
            planned = self._configuration.plan(text)
        except UnicodeDecodeError:
            raise HTTPUnprocessableEntity(description="the file is no UTF-8, which TOML must be") from None
        except ValueError as error:
            raise HTTPUnprocessableEntity(description=str(error)) from None
        say(response, planned)


def told(changes: Sequence[Change]) -> list[ConfigurationChange]:
    """Return changes as the API tells them."""
    return [ConfigurationChange(key=each.key, old=each.old, new=each.new) for each in changes]
