"""The keys of the settings, read; and the error where what reads them is not installed.

What checks tokens needs PyJWT and cryptography, which come with the extra ``tokens``.
So it is imported only where tokens are configured, here and in ``tokens.py``, inside
of functions: without the extra, that is an error at start, and no traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roomcast.settings import Settings
from roomcast.settings.named_files import read_named

if TYPE_CHECKING:
    from roomcast.policies.keys import Key

_NOT_INSTALLED = "[tokens] needs libraries that are not installed: pip install 'roomcast[tokens]'"


def is_configured(settings: Settings) -> bool:
    """Tell whether there is a key by which tokens can be checked."""
    tokens = settings.tokens
    return bool(tokens.secret or tokens.keys or tokens.jwks_url)


def check_installed() -> None:
    """Make sure that tokens can be checked here.

    Raises:
        ValueError: With what to install.
    """
    try:
        import cryptography
        import jwt
    except ModuleNotFoundError:
        raise ValueError(_NOT_INSTALLED) from None
    del cryptography, jwt


def read_token_keys(settings: Settings) -> list[Key]:
    """Return the keys of the settings: the secret, and those in the files.

    Raises:
        ValueError: Naming the file and the rule that it breaks, or what to install. No key is quoted.
    """
    if not is_configured(settings):
        return []
    check_installed()
    from roomcast.policies.keys import BadKeyError, read_keys, secret_key

    keys = [secret_key(settings.tokens.secret)] if settings.tokens.secret else []
    for path in settings.tokens.keys:
        try:
            keys += read_keys(read_named(path))
        except OSError as error:
            raise ValueError(f"[tokens] keys: {path} cannot be read: {error.strerror}") from None
        except BadKeyError as error:
            raise ValueError(f"[tokens] keys: {path}: {error}") from None
    return keys
