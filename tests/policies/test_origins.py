"""Which pages may connect: tables of what was confused before, by us or by others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.origins import OriginPolicy, Verdict, how_to_allow, spelled

HOST = "relay.example"
UNNAMED = "a page of another origin asks, and does not say of which"


def judge(allow: list[str], origin: str | None, host: str | None = HOST, scheme: str | None = None) -> Verdict:
    return OriginPolicy(allow=allow).judge(origin, host=host, scheme=scheme)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("https://app.example.com", "https://APP.Example.com"),
        ("https://app.example.com", "HTTPS://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("https://app.example.com", "https://app.example.com:443"),
        ("http://app.example.com", "http://app.example.com:80"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("https://app.example.com.", "https://app.example.com."),
        ("https://my_app.example.com", "https://my_app.example.com"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("http://[2001:DB8::A]", "http://[2001:db8:0::a]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", "https://bücher.example"),
        ("https://xn--bcher-kva.example", "https://bÃ¼cher.example"),
        ("https://BÜCHER.example", "https://XN--BCHER-KVA.example"),
        ("https://*.bücher.example", "https://app.xn--bcher-kva.example"),
        ("https://*.xn--bcher-kva.example", "https://app.bücher.example"),
        ("https://xn--i-7iq.ws", "https://xn--i-7iq.ws"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("moz-extension://0c1d-2e", "moz-extension://0c1d-2e"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("https://*.example.com", "https://a.example.com"),
        ("https://*.example.com", "https://a.b.example.com"),
        ("https://*.example.com", "https://A.B.Example.com:443"),
        ("https://*.Example.COM", "https://a.example.com"),
        ("https://*.example.com:8443", "https://a.example.com:8443"),
        ("https://*.example.com:*", "https://a.example.com"),
        ("https://*.example.com:*", "https://a.example.com:8443"),
        ("https://*.example.com.", "https://a.example.com."),
        ("http://*.localhost:*", "http://app.localhost:5173"),
        ("http://localhost:*", "http://localhost"),
        ("http://localhost:*", "http://localhost:80"),
        ("http://localhost:*", "http://localhost:65535"),
        ("http://[::1]:*", "http://[::1]:3000"),
        ("null", "null"),
        ("file://", "file://"),
        ("file://", "FILE://"),
        ("app://", "app://"),
    ],
)
def test_an_origin_is_allowed_by_the_entry_that_means_it(entry: str, origin: str) -> None:
    assert judge(["https://unrelated.example", entry], origin) == Verdict(True, f'allow "{entry}"')


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("https://example.com", "https://evilexample.com"),
        ("https://example.com", "https://example.com.evil.org"),
        ("https://example.com", "https://example.comevil.org"),
        ("https://example.com", "https://a.example.com"),
        ("https://example.com", "https://example.co"),
        ("https://example.com", "http://example.com"),
        ("http://example.com", "https://example.com"),
        ("http://example.com", "http://example.com:443"),
        ("https://example.com", "https://example.com:8443"),
        ("https://example.com:8443", "https://example.com"),
        ("https://example.com", "https://example.com."),
        ("https://example.com.", "https://example.com"),
        ("https://example.com", "chrome-extension://example.com"),
        ("https://bücher.example", "https://bucher.example"),
        ("https://example.com", "https://ехample.com"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://evilexample.com"),
        ("https://*.example.com", "https://x.example.com.evil.org"),
        ("https://*.example.com", "https://x.evilexample.com"),
        ("https://*.example.com", "http://x.example.com"),
        ("https://*.example.com", "https://x.example.com:8443"),
        ("https://*.example.com", "https://x.example.com."),
        ("https://*.example.com:8443", "https://x.example.com"),
        ("https://*.example.com:8443", "https://x.example.com:8444"),
        ("https://*.example.com:*", "https://example.com:8443"),
        ("http://localhost:*", "https://localhost"),
        ("http://localhost:*", "http://localhost.evil.org:80"),
        ("http://localhost:*", "http://evil.localhost"),
        ("http://localhost:*", "http://127.0.0.1:3000"),
        ("http://127.0.0.1:*", "http://127.0.0.1.evil.org"),
        ("http://[::1]", "http://[::2]"),
        ("chrome-extension://abcdef", "chrome-extension://abcdeg"),
        ("chrome-extension://abcdef", "moz-extension://abcdef"),
        ("null", "https://null"),
    ],
)
def test_an_origin_that_only_resembles_an_entry_is_refused(entry: str, origin: str) -> None:
    assert judge([entry], origin) == Verdict(False, "not same_origin, not in allow")


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "example.com",
        "localhost:3000",
        "https://example.com/",
        "https://example.com/chat",
        "https://example.com?x",
        "https://example.com#x",
        "https://example.com\\.evil.org",
        "https://evil.org@example.com",
        "https://example.com@evil.org",
        "https://example.com:",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:443443",
        "https://example.com:443:443",
        "https://example.com https://evil.org",
        "https://evil.org, https://example.com",
        "https://.example.com",
        "https://a..example.com",
        "https://*.example.com",
        "https://%65xample.com",
        "https://example.com\t",
        "http://::1",
        "http://[::1%25lo]",
        "http://127.1",
        "wss://example.com",
        "https:example.com",
        "//example.com",
    ],
)
def test_an_origin_that_no_browser_sends_is_let_in_by_a_star_only(origin: str) -> None:
    entries = ["https://example.com", "https://*.example.com", "http://[::1]", "http://127.0.0.1"]

    assert judge(entries, origin) == Verdict(False, "an origin is scheme://host[:port]")
    assert judge([*entries, "*"], origin) == Verdict(True, 'allow "*"')


@pytest.mark.parametrize(
    "origin", ["null", "NULL", "file://", "file:///etc/motd", "file://server", "data:", "about:blank", "http://"]
)
def test_an_opaque_origin_is_not_let_in_by_a_star(origin: str) -> None:
    verdict = judge(["*", "https://example.com", "app://"], origin, host="null")

    assert not verdict.is_allowed
    assert "must itself be in allow" in verdict.rule


SITES = {
    # The page's site, what else is configured, and the verdict on a request without Origin.
    "same origin": ("same-origin", {}, Verdict(True, "same_origin = true")),
    "same origin, where clients without Origin are refused": (
        "same-origin",
        {"missing": "refuse"},
        Verdict(True, "same_origin = true"),
    ),
    "same origin, where that does not count": (
        "same-origin",
        {"same_origin": False},
        Verdict(False, "same_origin = false, not in allow"),
    ),
    "same origin, where it is listed": (
        "same-origin",
        {"same_origin": False, "allow": ["https://relay.example"]},
        Verdict(True, 'allow "https://relay.example"'),
    ),
    "another site": ("cross-site", {}, Verdict(False, UNNAMED)),
    "another site, though anybody may come": ("cross-site", {"allow": ["*"]}, Verdict(False, UNNAMED)),
    "another host of the site": ("same-site", {}, Verdict(False, UNNAMED)),
    "typed by the user": ("none", {}, Verdict(True, 'missing = "allow"')),
    "typed by the user, where clients without Origin are refused": (
        "none",
        {"missing": "refuse"},
        Verdict(False, 'missing = "refuse"'),
    ),
    "no browser, or an old one": (None, {"missing": "refuse"}, Verdict(False, 'missing = "refuse"')),
    "a word of the future": ("same-planet", {}, Verdict(True, 'missing = "allow"')),
}


@pytest.mark.parametrize(("site", "keys", "verdict"), SITES.values(), ids=SITES)
def test_request_without_an_origin_is_judged_by_its_site(
    site: str | None, keys: dict[str, Any], verdict: Verdict
) -> None:
    policy = OriginPolicy(**{"allow": [], **keys})

    assert policy.judge(None, host=HOST, scheme=None, site=site) == verdict


def test_site_is_not_asked_where_there_is_an_origin() -> None:
    policy = OriginPolicy(allow=["https://app.example"])

    assert policy.judge("https://app.example", host=HOST, scheme=None, site="cross-site").is_allowed
    assert not policy.judge("https://evil.example", host=HOST, scheme=None, site="same-origin").is_allowed


def test_same_origin_is_by_the_scheme_that_the_client_speaks() -> None:
    policy = OriginPolicy(allow=["http://localhost:*"], same_origin=False)

    assert policy.judge(None, host="localhost:8080", scheme="http", site="same-origin").is_allowed
    assert not policy.judge(None, host="localhost:8080", scheme="https", site="same-origin").is_allowed


def test_null_and_file_are_listed_apart() -> None:
    assert not judge(["null"], "file://").is_allowed
    assert not judge(["file://"], "null").is_allowed


@pytest.mark.parametrize("origin", ["https://anywhere.example", "http://localhost:1", "chrome-extension://abcdef"])
def test_a_star_lets_in_everyone_else(origin: str) -> None:
    policy = OriginPolicy(allow=["*"])

    assert policy.is_open
    assert policy.judge(origin, host=None, scheme=None) == Verdict(True, 'allow "*"')


def test_a_star_is_not_named_where_a_closer_entry_matches() -> None:
    policy = OriginPolicy(allow=["*", "https://a.example"])

    assert policy.judge("https://a.example", host=None, scheme=None).rule == 'allow "https://a.example"'


def test_without_a_star_the_policy_is_not_open() -> None:
    assert not OriginPolicy(allow=["https://*.example.com", "http://localhost:*"]).is_open


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("https://relay.example", "relay.example", "https"),
        ("https://relay.example", "relay.example", None),
        ("http://relay.example", "relay.example", None),
        ("https://relay.example", "relay.example:443", None),
        ("https://relay.example:443", "relay.example", "https"),
        ("http://relay.example:80", "relay.example", "http"),
        ("http://relay.example:8080", "relay.example:8080", "http"),
        ("https://relay.example:8080", "relay.example:8080", None),
        ("https://RELAY.example", "Relay.Example", None),
        ("https://xn--bcher-kva.example", "bücher.example", None),
        ("https://xn--bcher-kva.example", "bÃ¼cher.example", None),
        ("http://[::1]:8080", "[0::1]:8080", "http"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "http"),
        ("https://relay.example.", "relay.example.", None),
    ],
)
def test_a_page_may_connect_to_the_host_it_came_from(origin: str, host: str, scheme: str | None) -> None:
    assert judge([], origin, host, scheme) == Verdict(True, "same_origin = true")


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("https://relay.example", "other.example", None),
        ("https://relay.example", "relay.example", "http"),
        ("http://relay.example", "relay.example", "https"),
        ("https://relay.example", "relay.example:80", None),
        ("http://relay.example", "relay.example:443", None),
        ("http://relay.example:8080", "relay.example", "http"),
        ("http://relay.example", "relay.example:8080", "http"),
        ("http://relay.example:3000", "relay.example:8080", None),
        ("https://relay.example", "relay.example.", None),
        ("https://a.relay.example", "relay.example", None),
        ("https://relay.example", None, None),
        ("https://relay.example", "", None),
        ("https://relay.example", "relay.example:", None),
        ("https://relay.example", "relay.example, evil.org", None),
        ("https://relay.example", "evil.org@relay.example", None),
        ("chrome-extension://relay", "relay", None),
        ("ftp://relay.example", "relay.example", None),
        ("http://[::1]", "::1", None),
    ],
)
def test_a_page_of_another_scheme_host_or_port_is_not_same_origin(
    origin: str, host: str | None, scheme: str | None
) -> None:
    assert judge([], origin, host, scheme) == Verdict(False, "not same_origin, not in allow")


def test_same_origin_can_be_switched_off() -> None:
    policy = OriginPolicy(allow=[], same_origin=False)

    verdict = policy.judge("https://relay.example", host="relay.example", scheme="https")

    assert verdict == Verdict(False, "same_origin = false, not in allow")


def test_a_missing_origin_is_judged_by_its_own_key() -> None:
    policy = OriginPolicy(allow=["*"], missing="refuse")

    assert judge([], None) == Verdict(True, 'missing = "allow"')
    assert policy.judge(None, host=HOST, scheme=None) == Verdict(False, 'missing = "refuse"')


def test_the_verdict_is_the_same_whether_or_not_it_is_enforced() -> None:
    enforcing, reporting = OriginPolicy(allow=[]), OriginPolicy(allow=[], enforce=False)

    assert (enforcing.enforce, reporting.enforce) == (True, False)
    for origin in ("https://evil.org", "null", "x"):
        verdict = reporting.judge(origin, host=HOST, scheme=None)
        assert verdict == enforcing.judge(origin, host=HOST, scheme=None)
        assert not verdict.is_allowed


@pytest.mark.parametrize("origin", ["https://evil.org", "null", "evil", None])
def test_a_refusal_lists_nothing_of_the_allowlist(origin: str | None) -> None:
    policy = OriginPolicy(allow=["https://secret.example", "https://*.hidden.example"], missing="refuse")

    verdict = policy.judge(origin, host=HOST, scheme=None)

    assert not verdict.is_allowed
    assert "secret" not in verdict.rule
    assert "hidden" not in verdict.rule


def test_an_entry_that_cannot_work_is_an_error_at_start() -> None:
    with pytest.raises(ValueError, match=r'allow "https://a\.example/": an origin has no path'):
        OriginPolicy(allow=["https://a.example/"])


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        (None, 'set missing = "allow" in [origins]'),
        ("https://x.example", 'add "https://x.example" to [origins] allow'),
        ("HTTPS://X.example:443", 'add "https://x.example" to [origins] allow'),
        ("http://bÃ¼cher.example:81", 'add "http://xn--bcher-kva.example:81" to [origins] allow'),
        ("null", 'add "null" to [origins] allow; pages that have nothing in common share it'),
        ("FILE://", 'add "file://" to [origins] allow; pages that have nothing in common share it'),
        ("data:text/html,<p>", "nothing allows it: it names no host"),
        ("x.example\u2028", 'only "*" in [origins] allow allows it: an origin is scheme://host[:port]'),
    ],
)
def test_the_log_says_how_to_allow_an_origin(origin: str | None, told: str) -> None:
    assert how_to_allow(origin) == told


def test_the_log_names_the_list_of_a_template_that_has_its_own() -> None:
    assert how_to_allow("https://x.example", "origins.allow of template lobby") == (
        'add "https://x.example" to origins.allow of template lobby'
    )


HEADERS = st.one_of(
    st.text(),
    st.text(alphabet="htps:/.*aÜ[]%@\\08null "),
    st.from_regex(r"[a-z]{2,5}://(\[[0-9a-f:]{0,9}\]|[a-zÄÖ0-9._-]{0,9})(:[0-9]{0,6})?", fullmatch=True),
)


@given(origin=st.none() | HEADERS, host=st.none() | HEADERS, scheme=st.sampled_from([None, "http", "https"]))
def test_no_header_makes_judge_raise(origin: str | None, host: str | None, scheme: str | None) -> None:
    policy = OriginPolicy(allow=["https://*.example.com", "http://localhost:*", "null"])

    assert policy.judge(origin, host=host, scheme=scheme).rule


@given(HEADERS)
def test_what_the_log_says_to_add_does_allow_it(origin: str) -> None:
    told = how_to_allow(origin)

    assert told.isascii()
    assert told.isprintable()
    if told.startswith("add "):
        assert OriginPolicy(allow=[told.split('"')[1]]).judge(origin, host=None, scheme=None).is_allowed
    elif told.startswith("only "):
        assert OriginPolicy(allow=["*"]).judge(origin, host=None, scheme=None).is_allowed


LABELS = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,3}", fullmatch=True), min_size=1, max_size=4)


@given(LABELS, LABELS)
def test_a_star_stands_for_one_or_more_whole_first_labels(labels: list[str], suffix: list[str]) -> None:
    policy = OriginPolicy(allow=[f"https://*.{'.'.join(suffix)}.test"], same_origin=False)

    def is_allowed(host: str) -> bool:
        return policy.judge(f"https://{host}", host=None, scheme=None).is_allowed

    below = ".".join([*labels, *suffix, "test"])
    assert is_allowed(below)
    assert not is_allowed(below + ".org")
    assert not is_allowed("x" + ".".join([*suffix, "test"]))
    assert not is_allowed(".".join([*suffix, "test"]))


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        ("HTTPS://App.Example:443", "https://app.example"),
        ("null", "null"),
        ("data:secret", "opaque"),
        ("http://evil.example/?token=secret", "malformed"),
        ("http://user:secret@evil.example", "malformed"),
        ("secret", "malformed"),
    ],
)
def test_origin_is_shown_without_what_may_be_a_secret(origin: str, shown: str) -> None:
    assert spelled(origin) == shown


@given(HEADERS)
def test_whatever_came_is_shown_short_and_in_one_spelling(origin: str) -> None:
    shown = spelled(origin)

    assert shown.isascii()
    assert shown.isprintable()
    assert shown in ("opaque", "malformed") or spelled(shown) == shown


def test_rules_name_the_list_as_it_is_called_where_it_is_written() -> None:
    def rules(key: str) -> list[str]:
        policies = [OriginPolicy(allow=["null", "https://a.example", entry], key=key) for entry in ("file://", "*")]
        origins = ("null", "data:x", "https://a.example", "https://b.example")
        return [policy.judge(origin, host=HOST, scheme=None).rule for policy in policies for origin in origins]

    assert rules("shadow") == [rule.replace("allow", "shadow") for rule in rules("allow")]
    assert 'shadow "https://a.example"' in rules("shadow")
