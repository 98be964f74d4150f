"""The chat page from a relay with a certificate of its own: https and wss, on one port."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.test_two_tabs import chat_page, tab, write
from tests.certificates import issue


def test_tabs_see_each_others_messages_over_tls(chromium: Browser, tmp_path: Path) -> None:
    # The authority is the tests' own, which no browser knows.
    desk = chromium.new_context(ignore_https_errors=True)
    desk.set_default_timeout(10_000)
    with chat_page(*issue(tmp_path).assignments) as url:
        assert url.startswith("https://")
        ada, grace = tab(desk, url, "Ada"), tab(desk, url, "Grace")

        write(ada, "hello from the first")
        expect(grace.get_by_role("listitem")).to_contain_text(["hello from the first"])
        desk.close()
