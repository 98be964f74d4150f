"""The policy of a page names what the page holds, and nothing else; the client may be loaded by anybody."""

import re

import pytest

from roomcast.pages import CHAT, CLIENT, CLIENT_PATH, DASHBOARD, Document
from roomcast.pages.documents import content_security_policy

PAGES = [CHAT, DASHBOARD]


def header(document: Document, name: str) -> str:
    [value] = [value for key, value in document.headers if key == name]
    return value


def test_policy_names_style_and_script_by_their_hashes() -> None:
    # printf 'p{}' | openssl dgst -sha256 -binary | base64, and the same for f()
    page = b"<style>p{}</style><p>text</p><script src=/a.js></script><script type=module>f()</script>"

    policy = content_security_policy(page)

    assert "style-src 'sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y=';" in policy
    assert "script-src 'self' 'sha256-GcEEE0IkDzIP5EQ6DXZaDPORqT5RTBELX8Fyzyg9yvo=';" in policy


@pytest.mark.parametrize("page", PAGES)
def test_page_needs_nothing_from_elsewhere(page: Document) -> None:
    policy = header(page, "Content-Security-Policy")

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    # A hash does not cover attributes: style="…" and onclick="…" would be blocked.
    assert re.search(rb"<[^>]*\s(style|on\w+)=", page.body) is None
    assert b"\r" not in page.body
    assert re.findall(rb'<script[^>]* src="([^"]*)"', page.body) == [CLIENT_PATH.encode()]


@pytest.mark.parametrize("document", [*PAGES, CLIENT])
def test_document_is_taken_for_nothing_else_and_asked_for_each_time(document: Document) -> None:
    assert header(document, "X-Content-Type-Options") == "nosniff"
    assert header(document, "Cache-Control") == "no-cache"
    assert header(document, "Content-Type").endswith("; charset=utf-8")
    document.body.decode()


def test_client_may_be_loaded_by_pages_of_any_origin() -> None:
    assert header(CLIENT, "Content-Type") == "text/javascript; charset=utf-8"
    assert header(CLIENT, "Access-Control-Allow-Origin") == "*"
    assert header(CLIENT, "Cross-Origin-Resource-Policy") == "cross-origin"
