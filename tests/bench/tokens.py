"""What it costs to check a token, by the algorithm that signed it: ``python -m tests.bench.tokens``.

No relay is started: it is called what a handshake calls, once for each token.
"""

from collections.abc import Iterator

from roomcast.policies.keyring import KeyRing
from roomcast.policies.keys import read_keys
from roomcast.policies.tokens import Expectations, verify
from tests.bench.compression import duration_us
from tests.tokens import ALGORITHMS, NOW_S, claims, signer


def row(algorithm: str) -> Iterator[str]:
    """Yield the cells of one line of the table."""
    issuer = signer(algorithm)
    token, keys, expected = issuer.token(claims(sub="alice")), KeyRing(read_keys(issuer.public)), Expectations()
    yield algorithm
    yield f"{duration_us(lambda: verify(token, keys, expected, NOW_S)) / 1000:.2f}"


def table() -> str:
    """Return the costs by algorithm, as Markdown."""
    lines = [("algorithm", "check, ms"), ("---", "---"), *(row(algorithm) for algorithm in ALGORITHMS)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(table())
