"""All settings together, and the rule that they keep among themselves.

``Settings(...)`` reads its arguments and nothing else, so that a test or an
embedder gets what it says. Reading files and the environment is ``load.py``'s.

This package sees no other, so it cannot know whether a template compiles or an
origin parses. Who builds those objects says so, in the same words, at start and in
``roomcast check``.
"""

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from roomcast.settings import agreement
from roomcast.settings.sections import (
    DEFAULT_ROOM,
    AdminSettings,
    ApiKeys,
    DeflateSettings,
    LimitSettings,
    LogSettings,
    OriginSettings,
    Rooms,
    ServerSettings,
    TlsSettings,
    TokenSettings,
)


class Settings(BaseSettings):
    """Everything that can be configured, checked and frozen."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        env_prefix="ROOMCAST_",
        env_nested_delimiter="__",
        # A list from outside is JSON or comma-separated; parse_list reads both.
        enable_decoding=False,
    )

    server: ServerSettings = ServerSettings()
    """The public door."""
    tls: TlsSettings = TlsSettings()
    """The public door's certificate."""
    admin: AdminSettings = AdminSettings()
    """The private door."""
    api_keys: ApiKeys = ()
    """Who may use the API, beside whoever holds admin.api_key."""
    origins: OriginSettings = OriginSettings()
    """Which web pages may connect."""
    tokens: TokenSettings = TokenSettings()
    """Who may enter rooms that ask for a token."""
    limits: LimitSettings = LimitSettings()
    """How much anyone may take."""
    deflate: DeflateSettings = DeflateSettings()
    """Compression."""
    rooms: Rooms = (DEFAULT_ROOM,)
    """The room templates; the most specific that matches a path wins."""
    log: LogSettings = LogSettings()
    """What is written, and how."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the arguments alone; see the top of this file."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @model_validator(mode="after")
    def _keys_agree(self) -> "Settings":
        problems = [*agreement.doors_collide(self.server, self.admin), *agreement.half_a_certificate(self.tls)]
        problems += [*agreement.names_collide(self.rooms), *agreement.nobody_is_asked(self.server)]
        problems += agreement.holders_collide(self.api_keys)
        problems += [*agreement.pings_overlap(self.limits), *agreement.fragments_exceed(self.limits)]
        problems += [*agreement.nobody_has_keys(self.tokens, self.rooms)]
        problems += [*agreement.cookies_are_hijacked(self.tokens, self.origins, self.rooms)]
        for room in self.rooms:
            problems += agreement.misfits(room.inherit(self.limits))
        if problems:
            raise ValueError("\n".join(problems))
        return self
