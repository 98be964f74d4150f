"""Settings: what can be configured, where it is read from, and what is wrong with it.

``load()`` reads every source and returns ``Loaded``; ``Settings`` alone reads nothing.
"""

from roomcast.settings.errors import SettingsError
from roomcast.settings.load import Loaded, load
from roomcast.settings.model import Settings
from roomcast.settings.sections import (
    AdminSettings,
    LimitSettings,
    LogSettings,
    OriginSettings,
    RoomOriginSettings,
    RoomSettings,
    ServerSettings,
)

__all__ = [
    "AdminSettings",
    "LimitSettings",
    "Loaded",
    "LogSettings",
    "OriginSettings",
    "RoomOriginSettings",
    "RoomSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "load",
]
