"""One spelling for each host, and what is refused instead of being repaired."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.hosts import PrivateHosts, ServedHosts, canonical_host, header_text, split_port

LONGEST_LABEL = "a" * 63
LONGEST_HOST = ".".join([LONGEST_LABEL] * 3 + ["b" * 61])


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com", "example.com"),
        ("localhost", "localhost"),
        ("my_app.example.com", "my_app.example.com"),
        ("-a-.example.com", "-a-.example.com"),
        ("r3---sn.example.com", "r3---sn.example.com"),
        ("example.com.", "example.com."),
        ("127.0.0.1", "127.0.0.1"),
        ("1.example.com", "1.example.com"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("a_b.bücher.example", "a_b.xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ。com", "example.com"),
        ("\u212aelvin.example", "kelvin.example"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws"),
        (LONGEST_HOST, LONGEST_HOST),
        (LONGEST_HOST + ".", LONGEST_HOST + "."),
    ],
)
def test_every_spelling_of_a_host_becomes_one(written: str, canonical: str) -> None:
    assert canonical_host(written) == canonical
    assert canonical_host(canonical) == canonical


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("", "no host name"),
        (".", "no host name"),
        (".example.com", "no host name"),
        ("a..example.com", "no host name"),
        ("example.com..", "no host name"),
        ("exam ple.com", "no host name"),
        ("example.com\n", "no host name"),
        ("%65xample.com", "no host name"),
        ("*.example.com", "no host name"),
        ("user@example.com", "no host name"),
        (LONGEST_LABEL + "a.example.com", "no host name"),
        ("a." * 126 + "ab", "no host name"),
        (LONGEST_HOST + "b.", "longer than 253"),
        ("ü" * 255, "longer than 253"),
        ("ü" * 64 + ".example", "label too long"),
        ("üa." * 60 + "example", "no host name"),
        ("127.1", "no IPv4 address"),
        ("256.0.0.1", "no IPv4 address"),
        ("0127.0.0.1", "no IPv4 address"),
        ("1.2.3.4.5", "no IPv4 address"),
        ("127.0.0.1.", "no IPv4 address"),
        ("example.123", "no IPv4 address"),
        ("[::1", "no IPv6 address"),
        ("[]", "no IPv6 address"),
        ("[::g]", "no IPv6 address"),
        ("[127.0.0.1]", "no IPv6 address"),
        ("[::1]x", "no IPv6 address"),
        ("[fe80::1%eth0]", "has a zone"),
        ("[fe80::1%25eth0]", "has a zone"),
        ("\u2100.example", "no host name"),
        ("ex\u0000ample.é", "no host name"),
        ("i❤.ws", "punycode"),
        ("\ud800.example", "punycode"),
        ("a\u200d.example", "punycode"),
    ],
)
def test_what_no_browser_would_send_is_no_host(written: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        canonical_host(written)


@given(st.one_of(st.text(), st.text(alphabet="aÜ.-_[]:%0129*\u3002\u200d")))
def test_a_host_is_refused_by_value_error_or_is_ascii_and_stays_as_it_is(text: str) -> None:
    try:
        host = canonical_host(text)
    except ValueError:
        return

    assert host.isascii()
    assert canonical_host(host) == host


@pytest.mark.parametrize(
    ("authority", "host", "port"),
    [
        ("example.com", "example.com", None),
        ("example.com:1", "example.com", 1),
        ("example.com:65535", "example.com", 65535),
        ("example.com:00443", "example.com", 443),
        ("[::1]:8080", "[::1]", 8080),
        ("[::1]", "[::1]", None),
        (":80", "", 80),
    ],
)
def test_a_port_is_cut_off(authority: str, host: str, port: int | None) -> None:
    assert split_port(authority) == (host, port)


@pytest.mark.parametrize(
    ("authority", "rule"),
    [
        ("example.com:", "not host"),
        ("example.com:http", "not host"),
        ("example.com:+80", "not host"),
        ("example.com:8 0", "not host"),
        ("example.com:80\n", "not host"),
        ("example.com:٨٠", "not host"),
        ("example.com:000080", "not host"),
        ("::1", "in brackets"),
        ("::1:8080", "in brackets"),
        ("[::1]8080", "in brackets"),
        ("example.com:0", "not within 1 to 65535"),
        ("example.com:65536", "not within 1 to 65535"),
    ],
)
def test_what_is_no_port_is_refused(authority: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        split_port(authority)


def test_header_text_is_the_same_however_its_bytes_were_read() -> None:
    sent = "bücher.example".encode()

    assert header_text(sent.decode("latin-1")) == "bücher.example"
    assert header_text(sent.decode()) == "bücher.example"
    assert header_text("例え") == "例え"
    assert header_text("example") == "example"


def test_without_names_every_host_is_served() -> None:
    hosts = ServedHosts([])

    assert hosts.serves("anything")
    assert hosts.serves("not a host")
    assert hosts.serves(None)


@pytest.mark.parametrize(
    ("host", "is_served"),
    [
        ("relay.example.com", True),
        ("relay.example.com:8080", True),
        ("RELAY.example.com", True),
        ("bücher.example", True),
        ("bÃ¼cher.example", True),
        ("[::1]:80", True),
        ("[2001:db8::1]", True),
        ("evil.example.com", False),
        ("x.relay.example.com", False),
        ("relay.example.com.", False),
        ("relay.example.com:", False),
        ("relay.example.com@evil.com", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_names_that_are_listed_are_served(host: str | None, is_served: bool) -> None:
    hosts = ServedHosts(["Relay.example.com", "xn--bcher-kva.example", "[0::1]", "2001:DB8::1"])

    assert hosts.serves(host) is is_served


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("relay.example.com:8080", 'hosts "relay.example.com:8080": a name has no port: write "relay.example.com"'),
        ("https://relay.example.com", 'hosts "https://relay.example.com": "https://relay.example.com" is not host'),
        ("*.example.com", 'hosts "*.example.com": "*.example.com" is no host name'),
        ("[::1]:80", 'hosts "[::1]:80": a name has no port: write "[::1]"'),
        ("::g", "is no IPv6 address"),
    ],
)
def test_a_name_that_could_not_be_served_is_an_error(entry: str, rule: str) -> None:
    with pytest.raises(ValueError, match=re.escape(rule)):
        ServedHosts([entry])


@given(st.text())
def test_no_host_header_makes_it_raise(host: str) -> None:
    assert not ServedHosts(["relay.invalid.example"]).serves(host)


@given(st.text(alphabet="a.:[]019 ü") | st.text())
def test_an_authority_is_refused_by_value_error_or_is_its_host_and_its_port(authority: str) -> None:
    try:
        host, port = split_port(authority)
    except ValueError:
        return

    assert host == authority.rpartition(":")[0] if port is not None else host == authority
    assert port is None or int(authority.rpartition(":")[2]) == port


@given(st.text(max_size=20))
def test_a_header_is_the_same_text_in_either_encoding(text: str) -> None:
    assert header_text(text.encode().decode("latin-1")) == text


@given(st.lists(st.text(alphabet="aB1.-_[]:", max_size=8), max_size=3))
def test_names_are_refused_by_value_error_or_are_served_in_any_case(names: list[str]) -> None:
    try:
        hosts = ServedHosts(names)
    except ValueError:
        return

    assert all(hosts.serves(f"[{name}]" if name.count(":") > 1 and name[0] != "[" else name.upper()) for name in names)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "192.0.2.7", "[::1]:8081", "relay.internal", "Bücher.example"],
)
def test_private_door_answers_to_addresses_localhost_and_what_is_listed(host: str) -> None:
    assert PrivateHosts(["relay.internal", "bücher.example"]).serves(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "1.2.3", "[::1", "relay.internal:0"],
)
def test_private_door_answers_to_nothing_else(host: str | None) -> None:
    assert not PrivateHosts(["relay.internal"]).serves(host)


def test_name_of_the_private_door_that_is_none_is_quoted() -> None:
    with pytest.raises(ValueError, match='hosts "a:80": a name has no port: write "a"'):
        PrivateHosts(["a:80"])
