"""What can be fuzzed: each target is a module with ``check`` and ``seeds``, under its name."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from tests.fuzz import extensions, forwarded, head, hixie76, proxy, rfc6455, token


class Target(NamedTuple):
    """Something that strangers feed with bytes."""

    name: str
    check: Callable[[bytes], None]
    """Raises AssertionError where an input breaks a promise; whatever else it raises is a fault as well."""
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[str, ...] = ()
    """What its inputs are made of, for the fuzzer to put together."""


TARGETS: Final = {
    target.name: target
    for target in (
        Target("rfc6455", rfc6455.check, rfc6455.seeds),
        Target("hixie76", hixie76.check, hixie76.seeds),
        Target("head", head.check, head.seeds, head.WORDS),
        Target("extensions", extensions.check, extensions.seeds, extensions.WORDS),
        Target("proxy", proxy.check, proxy.seeds),
        Target("forwarded", forwarded.check, forwarded.seeds, forwarded.WORDS),
        Target("token", token.check, token.seeds, token.WORDS),
    )
}
