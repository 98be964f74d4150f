"""The policy of a page names what the page holds, and nothing else."""

import re

from roomcast.transport.pages import CHAT, content_security_policy


def test_policy_names_style_and_script_by_their_hashes() -> None:
    # printf 'p{}' | openssl dgst -sha256 -binary | base64, and the same for f()
    page = b"<style>p{}</style><p>text</p><script type=module>f()</script>"

    policy = content_security_policy(page)

    assert "style-src 'sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y='" in policy
    assert "script-src 'sha256-GcEEE0IkDzIP5EQ6DXZaDPORqT5RTBELX8Fyzyg9yvo='" in policy


def test_chat_page_needs_nothing_from_elsewhere() -> None:
    policy = content_security_policy(CHAT)

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    # A hash does not cover attributes: style="…" and onclick="…" would be blocked.
    assert re.search(rb"<[^>]*\s(style|on\w+)=", CHAT) is None
    assert b"\r" not in CHAT
