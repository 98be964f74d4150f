"""How origins are written: what is read, and what an operator is told to write instead."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.allowlist import Allowlist, Origin, is_listable_opaque, is_opaque, parse_origin

ORIGIN_TEXT = st.one_of(st.text(), st.text(alphabet="htps:/*.aÜ[]%@?\\0189null, "))


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://example.com", Origin("https", "example.com", None)),
        ("HTTPS://Example.COM:443", Origin("https", "example.com", None)),
        ("http://example.com:80", Origin("http", "example.com", None)),
        ("http://example.com:443", Origin("http", "example.com", 443)),
        ("https://example.com:80", Origin("https", "example.com", 80)),
        ("http://[::1]:8080", Origin("http", "[::1]", 8080)),
        ("chrome-extension://abcdef", Origin("chrome-extension", "abcdef", None)),
        ("moz-extension://0c1d-2e", Origin("moz-extension", "0c1d-2e", None)),
        ("capacitor://localhost:443", Origin("capacitor", "localhost", 443)),
    ],
)
def test_an_origin_is_read_into_its_one_spelling(text: str, origin: Origin) -> None:
    assert parse_origin(text) == origin
    assert parse_origin(str(origin)) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com",
        "https:example.com",
        "https:/example.com",
        "https//example.com",
        " https://example.com",
        "https://example.com ",
        "https://example.com\n",
        "https://example.com https://other.example",
        "1http://example.com",
        "http\u017f://example.com",
        "https://example.com/",
        "https://example.com?q",
        "https://example.com#f",
        "https:\\\\example.com",
        "https://example.com\\",
        "https://user@example.com",
        "https://user:word@example.com",
        "https://example.com:",
        "https://example.com:65536",
        "https://example.com:0",
        "https://.example.com",
        "https://example..com",
        "https://*.example.com",
        "https://::1",
        "https://[fe80::1%25eth0]",
        "https://127.1",
        "https://",
        "https:///",
        "https://:443",
        "ws://example.com",
        "wss://example.com",
        "file://server",
        "null",
        "https://" + "a" * 400,
    ],
)
def test_what_is_not_just_scheme_host_and_port_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_origin(text)


@given(ORIGIN_TEXT)
def test_an_origin_is_refused_by_value_error_or_keeps_its_spelling(text: str) -> None:
    try:
        origin = parse_origin(text)
    except ValueError:
        return

    assert parse_origin(str(origin)) == origin


@pytest.mark.parametrize("text", ["null", "NULL", "file://", "FILE://", "app://"])
def test_opaque_origins_that_are_sent_can_be_listed(text: str) -> None:
    assert is_opaque(text)
    assert is_listable_opaque(text)
    assert Allowlist([text]).lists_opaque(text.lower())
    assert Allowlist([text.lower()]).lists_opaque(text)


@pytest.mark.parametrize(
    "text",
    ["data:", "data:text/html,x", "about:blank", "blob:https://example.com/1", "javascript:x\ny", "file:///etc/passwd"],
)
def test_opaque_origins_that_are_never_sent_cannot_be_listed(text: str) -> None:
    assert is_opaque(text)
    assert not is_listable_opaque(text)
    with pytest.raises(ValueError, match=r"null|blanks|path"):
        Allowlist([text])


@pytest.mark.parametrize("text", ["nullx", "https://null", "localhost:3000", "file", "null\n", "nu\u017f"])
def test_what_only_resembles_an_opaque_origin_is_none(text: str) -> None:
    assert not is_opaque(text)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("", "an origin is scheme://host[:port]"),
        ("app.example.com", 'did you mean "https://app.example.com"?'),
        ("//app.example.com", 'did you mean "https://app.example.com"?'),
        ("*.example.com", 'did you mean "https://*.example.com"?'),
        ("app.example.com:8443", 'did you mean "https://app.example.com:8443"?'),
        ("localhost:3000", 'did you mean "http://localhost:3000"?'),
        ("localhost:*", 'did you mean "http://localhost:*"?'),
        ("127.0.0.1:3000", 'did you mean "http://127.0.0.1:3000"?'),
        ("[::1]", 'did you mean "http://[::1]"?'),
        ("*.localhost", 'did you mean "http://*.localhost"?'),
        ("https:/app.example.com", "an origin is scheme://host[:port]"),
        ("about:blank", 'sends "null": write that'),
        ("**", "an origin is scheme://host[:port]"),
        ("*://app.example.com", 'list "http://app.example.com" and "https://app.example.com"'),
        ("1http://app.example.com", "an origin is scheme://host[:port]"),
        ("https://a.example,https://b.example", "one origin, without blanks, commas"),
        ("https://a.example https://b.example", "one origin, without blanks, commas"),
        ("https://a.example ", "one origin, without blanks, commas"),
        ("\thttps://a.example", "one origin, without blanks, commas"),
        ("https://a.example/", 'an origin has no path: write "https://a.example"'),
        ("https://a.example:8443/chat?x=1", 'an origin has no path: write "https://a.example:8443"'),
        ("https://*.example.com:*/chat", 'an origin has no path: write "https://*.example.com:*"'),
        ("https://me:word@a.example/chat", 'an origin has no path: write "https://a.example"'),
        ("https://a.example?x", 'an origin has no path: write "https://a.example"'),
        ("https://me@a.example", 'an origin has no user: write "https://a.example"'),
        ("wss://a.example", 'of the page, not of the socket: write "https://a.example"'),
        ("WSS://*.example.com/rooms/lobby", 'write "https://*.example.com"'),
        ("ws://a.example:81", 'of the page, not of the socket: write "http://a.example:81"'),
        ("file://server", 'write "file://", or "null"'),
        ("file:///", 'write "file://", or "null"'),
        ("http://", "has no host"),
        ("https:///chat", "has no host"),
        ("https://*", 'let in every host; write "*"'),
        ("https://*:*", 'let in every host; write "*"'),
        ("https://*:8443", 'let in every host; write "*"'),
        ("chrome-extension://*", 'let in every host; write "*"'),
        ("https://*.", "has no host"),
        ("https://*.*.example.com", "whole first labels"),
        ("https://a.*.example.com", "whole first labels"),
        ("https://*a.example.com", "whole first labels"),
        ("https://a*.example.com", "whole first labels"),
        ("https://example.*", "whole first labels"),
        ("https://**.example.com", "whole first labels"),
        ("https://a.example:8*", "whole first labels"),
        ("https://*.com", 'all of ".com"; name at least two labels'),
        ("https://*.com.:8443", 'all of ".com"; name at least two labels'),
        ("https://*.xn--p1ai", 'all of ".xn--p1ai"'),
        ("https://*.0.0.1", "no IPv4 address"),
        ("https://*.127.0.0.1", "an address has no labels"),
        ("https://*.[::1]", "an address has no labels"),
        ("https://a.example:65536", "port 65536 is not within 1 to 65535"),
        ("https://a.example:", "is not host[:port]"),
        ("https://::1", "an IPv6 address stands in brackets"),
        ("https://i❤.ws", "its punycode spelling can be given"),
    ],
)
def test_an_entry_that_cannot_work_is_quoted_with_what_to_write(entry: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f'allow "{entry}": ') + ".*" + re.escape(told)):
        Allowlist(["https://fine.example", entry])


def test_one_text_in_place_of_the_list_is_an_error() -> None:
    with pytest.raises(ValueError, match="allow is a list"):
        Allowlist("*")


@given(st.lists(ORIGIN_TEXT, max_size=3))
def test_entries_are_refused_by_nothing_but_value_error(entries: list[str]) -> None:
    try:
        allowlist = Allowlist(entries)
    except ValueError:
        return

    assert allowlist.is_open == ("*" in entries)


@pytest.mark.parametrize("suffix", ["localhost", "test", "lan", "internal", "example", "local."])
def test_names_that_no_stranger_can_register_may_follow_a_star(suffix: str) -> None:
    allowlist = Allowlist([f"http://*.{suffix}"])

    assert allowlist.entry_for(Origin("http", f"app.{suffix}", None)) == f"http://*.{suffix}"


def test_the_closest_entry_is_the_one_that_is_named() -> None:
    entries = ["https://*.example.com", "https://*.b.example.com", "https://a.b.example.com", "*"]
    allowlist = Allowlist(entries)

    named = [allowlist.entry_for(parse_origin(f"https://{host}.example.com")) for host in ("a.b", "x.b", "x.y.b", "x")]

    assert named == [entries[2], entries[1], entries[1], entries[0]]


@given(ORIGIN_TEXT, ORIGIN_TEXT)
def test_an_entry_without_a_star_lets_in_its_own_origin_and_no_other(entry: str, other: str) -> None:
    try:
        listed, asking = parse_origin(entry), parse_origin(other)
        allowlist = Allowlist([entry])
    except ValueError:
        return

    assert allowlist.entry_for(listed) == entry
    assert (allowlist.entry_for(asking) == entry) is (asking == listed)


def test_error_names_the_list_as_it_is_called_where_it_is_written() -> None:
    with pytest.raises(ValueError, match='shadow "https://\\*": this would let in every host'):
        Allowlist(["https://*"], "shadow")
    with pytest.raises(ValueError, match="shadow is a list"):
        Allowlist("*", "shadow")
