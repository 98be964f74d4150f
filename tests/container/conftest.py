"""The image, built from this checkout once per session, and a relay that runs from it as the README advises."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.container.engine import Container, built, running

# As locked up as the relay promises to work, with ports that the engine chooses. The health check
# is the image's own; only its pace is another, for a test waits for it.
LOCKED_UP: Final = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--publish", "127.0.0.1::8080", "--publish", "127.0.0.1::8081", "--health-interval", "1s"),
    # A busy machine may be too slow for some of them.
    *("--health-retries", "20"),
)


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    with built() as tag:
        yield tag


@pytest.fixture(scope="session")
def relay(image: str) -> Iterator[Container]:
    with running(image, *LOCKED_UP) as container:
        container.wait_until_healthy()
        yield container
