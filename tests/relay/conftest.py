"""What several tests of the hub begin with."""

import pytest

from tests.relay.driven_relay import Relay


@pytest.fixture
def relay() -> Relay:
    return Relay()
