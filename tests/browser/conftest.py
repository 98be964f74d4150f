"""A real Chromium, driven through playwright, and something to point it at."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.standin import StandIn, running_stand_in

# As root, Chromium runs only without its sandbox; it opens nothing here but our own page.
# The others keep it from talking to its maker, whom a machine without internet cannot reach.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The distribution's Chromium: playwright's own download is neither needed nor wanted.

    Where there is none, no test asks for this: tests/skips.toml lists them all. One for each file,
    and not for all: playwright keeps a loop running in this thread, and tests that come later bring their own.
    """
    executable = shutil.which("chromium")
    # Five seconds are not enough where a browser shares two cores with other tests.
    expect.set_options(timeout=10_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def desk(chromium: Browser) -> Iterator[BrowserContext]:
    """One person's browser; what waits longer than ten seconds in it has failed."""
    context = chromium.new_context()
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with running_stand_in() as door:
        yield door
