"""The kinds of value that a setting can have, each with the rule it must keep.

A rule that fails raises ValueError with the rule alone: whoever reports it
(``load.py``) puts the key, the value and the place it came from in front.

Bounds are not taste. An upper bound catches the slip of a unit (milliseconds
where seconds are meant, bytes where a count is meant) at start, where it costs a
line on the terminal, and not weeks later in production.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

# sockaddr_un.sun_path is 108 bytes on Linux, its terminating zero included.
UNIX_PATH_MAX_BYTES = 107
HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)
NO_HOST_HAS = re.compile(r"[\s/*?#@]")
TEMPLATE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
# What a Bearer header can carry (RFC 6750, 2.1).
API_KEY = re.compile(r"[A-Za-z0-9._~+/-]+=*")
API_KEY_MIN_CHARACTERS = 32


def parse_list(value: object) -> object:
    """Read the one string that a list is outside TOML: JSON in brackets, else comma-separated."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return parse_json(value)
    return [item.strip() for item in value.split(",") if item.strip()]


def parse_json(value: object) -> object:
    """Read a string as JSON; leave every other value to the next rule."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error}") from error


def check_bind_host(host: str) -> str:
    """Accept what a door can bind: an address, a host name, or ``unix:`` and an absolute path."""
    if host.startswith("unix:"):
        return _check_unix(host)
    if _is_address(host) or HOST_NAME.fullmatch(host):
        return host
    raise ValueError(
        'is neither an address ("127.0.0.1", "::", without brackets and without a port), nor a host name, '
        'nor "unix:/absolute/path"'
    )


def _check_unix(host: str) -> str:
    path = host.removeprefix("unix:")
    if not path.startswith("/") or "\0" in path:
        raise ValueError("needs an absolute path after unix:, as in unix:/run/roomcast/public.sock")
    if len(path.encode()) > UNIX_PATH_MAX_BYTES:
        raise ValueError(f"is longer than the {UNIX_PATH_MAX_BYTES} bytes that the kernel allows the path of a socket")
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def check_served_host(host: str) -> str:
    """Accept, in lower case, what may be a Host name; which names there are, and their one spelling, policies know."""
    if not host or NO_HOST_HAS.search(host):
        raise ValueError('is no bare host name: write "chat.example.com", without scheme, port or path')
    return host.lower()


def check_template_name(name: str) -> str:
    """Accept what is fit to be a label in metrics and a word in a log line."""
    if not TEMPLATE_NAME.fullmatch(name):
        raise ValueError(
            "must be a letter, then letters, digits, - or _, 63 characters in all: metrics carry it as a label"
        )
    return name


def check_template_path(path: str) -> str:
    """Accept a path from the root; whether it compiles is checked where templates are built."""
    if not path.startswith("/"):
        raise ValueError('must begin with "/", as in "/rooms/{room}"')
    return path


def check_api_key(key: str) -> str:
    """Accept nothing, or a key that nobody can guess; the message does not quote it."""
    if key and not API_KEY.fullmatch(key):
        raise ValueError("may hold letters, digits and -._~+/ only, and = at its end: a Bearer header carries no other")
    if key and len(key) < API_KEY_MIN_CHARACTERS:
        raise ValueError(f"is shorter than {API_KEY_MIN_CHARACTERS} characters; openssl rand -hex 32 makes a good one")
    return key


def check_distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a value that is listed twice: it is a slip, and one of the two was meant to be another."""
    for index, value in enumerate(values):
        if value in values[:index]:
            # Its position, not its text: the list may have come from a secret.
            raise ValueError(f"lists something twice: number {index + 1} was there already")
    return values


# "A key of the same size as the hash output … or larger MUST be used" (RFC 7518, 3.2).
SECRET_MIN_BYTES = 32
COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")


def check_token_secret(secret: str) -> str:
    """Accept what nobody guesses: whoever does makes tokens for every room. Never quotes it."""
    if secret and (len(secret.encode()) < SECRET_MIN_BYTES or not secret.isascii() or not secret.isprintable()):
        raise ValueError(
            f"should have at least {SECRET_MIN_BYTES} bytes of printable ASCII, as openssl rand -base64 48 makes them"
        )
    return secret


def check_jwks_url(url: str) -> str:
    """Accept a URL whose answer nobody on the way can replace: https, or http to this machine."""
    if not url:
        return url
    try:
        parts = urlsplit(url)
        is_url = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_url = False
    if not is_url or not url.isascii() or not url.isprintable() or " " in url or "@" in parts.netloc:
        raise ValueError('is no URL: write "https://id.example.com/jwks.json", without a user name')
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("should begin with https://, or with http:// for a host that is this machine")
    return url


def is_loopback(host: str) -> bool:
    """Tell whether this host is this machine: an address of it, or the name that always is."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # Any other name is whatever some resolver says it is.
        return False


def check_cookie_name(name: str) -> str:
    """Accept what can be the name of a cookie (RFC 6265, 4.1.1)."""
    if not COOKIE_NAME.fullmatch(name):
        raise ValueError("is no name of a cookie: letters, digits, - and _ are")
    return name


def _zero_or_at_least(minimum: float) -> Callable[[float], float]:
    def check(value: float) -> float:
        if 0 < value < minimum:
            raise ValueError(f"should be 0, which turns it off, or at least {minimum:g}")
        return value

    return check


REPORTABLE = (
    "connections_per_address",
    "handshakes_per_address",
    "members_max",
    "fragments_max",
    "messages_per_s",
    "bytes_per_s",
    "control_frames_per_s",
    "fragments_per_s",
)
"""The limits that share out work, and places which another limit bounds in all. Every other one protects memory."""


BindHost = Annotated[str, AfterValidator(check_bind_host)]
ServedHost = Annotated[str, AfterValidator(check_served_host)]
ServedHosts = Annotated[tuple[ServedHost, ...], BeforeValidator(parse_list), AfterValidator(check_distinct)]
Port = Annotated[int, Field(ge=0, le=65_535)]

Protocol = Literal["rfc6455", "hixie76", "sse"]
Protocols = Annotated[
    tuple[Protocol, ...], BeforeValidator(parse_list), AfterValidator(check_distinct), Field(min_length=1)
]

ApiKey = Annotated[str, AfterValidator(check_api_key)]
Scope = Literal["publish", "read", "admin"]
Scopes = Annotated[tuple[Scope, ...], BeforeValidator(parse_list), AfterValidator(check_distinct), Field(min_length=1)]
# Below 64 KiB a message of the usual limit would not fit; all connections of the door may bring such a body at once.
BodySize = Annotated[int, Field(ge=65_536, le=16 << 20)]

TemplateName = Annotated[str, AfterValidator(check_template_name)]
TemplatePath = Annotated[str, AfterValidator(check_template_path)]
Networks = Annotated[tuple[str, ...], BeforeValidator(parse_list), AfterValidator(check_distinct)]
Names = Annotated[tuple[str, ...], BeforeValidator(parse_list), AfterValidator(check_distinct)]
OriginPatterns = Annotated[tuple[str, ...], BeforeValidator(parse_list), AfterValidator(check_distinct)]

TokenSecret = Annotated[str, AfterValidator(check_token_secret)]
JwksUrl = Annotated[str, AfterValidator(check_jwks_url)]
CookieName = Annotated[str, AfterValidator(check_cookie_name)]
Paths = Annotated[tuple[str, ...], BeforeValidator(parse_list), AfterValidator(check_distinct)]

# 0 stands for "no limit" in these. A million of anything, or a GiB in one message,
# is more than one process can carry: it is a slip of the unit.
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Size = Annotated[int, Field(ge=0, le=1 << 30)]
# Of the whole process; below a MiB it could hold not one message for one laggard.
TotalSize = Annotated[int, Field(ge=0, le=1 << 40), AfterValidator(_zero_or_at_least(1 << 20))]
BufferSize = Annotated[int, Field(ge=0, le=1 << 30), AfterValidator(_zero_or_at_least(4096))]
# A message takes 256 bytes of it beside its payload, so that less than this holds none worth
# the name, and whoever lags for a moment would have overflowed.
LogSize = Annotated[int, Field(ge=4096, le=1 << 30)]
Interval = Annotated[float, Field(ge=0, le=3600), AfterValidator(_zero_or_at_least(0.1))]

# These have no "no limit". Without a bound on the head or on the wait for it, a peer
# that nobody has admitted yet could take memory and descriptors for ever.
HeadSize = Annotated[int, Field(ge=1024, le=1 << 20)]
HeaderCount = Annotated[int, Field(ge=8, le=1000)]
Wait = Annotated[float, Field(ge=0.1, le=300)]
