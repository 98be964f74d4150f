"""Who the client is, by what proxies wrote; and what clients write in the hope to be somebody else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.forwarded import HOPS_MAX, Client, Forwarding, Scheme, TrustedProxies

PROXY, INNER = "10.0.0.1", "10.0.0.2"
"""Two that are trusted: the peer, and another behind it."""
ADA, EVIL = "203.0.113.9", "198.51.100.6"
"""A client's own address, and one that it would like to have."""
UNKNOWN = Client(PROXY, None)
"""Nothing is known but the peer."""
TRUSTED = TrustedProxies(["10.0.0.0/24", "2001:db8:1::/48", "unix:"])


def headers(**values: Sequence[str]) -> Callable[[str], Sequence[str]]:
    return lambda name: values.get(name.replace("-", "_"), ())


def by_x_forwarded_for(*lines: str, peer: str = PROXY, proto: Sequence[str] = ()) -> Client:
    return Forwarding(TRUSTED).client(peer, headers(x_forwarded_for=lines, x_forwarded_proto=proto))


def by_forwarded(*lines: str, peer: str = PROXY) -> Client:
    return Forwarding(TRUSTED, header="forwarded").client(peer, headers(forwarded=lines))


# --- who is trusted


@pytest.mark.parametrize(
    ("network", "trusted", "others"),
    [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["9.255.255.255", "11.0.0.0", "::a00:1"]),
        ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1"]),
        ("2001:db8::/33", ["2001:db8::", "2001:DB8:7fff:ffff::1"], ["2001:db8:8000::", "2001:db7:ffff::"]),
        ("fe80::/10", ["fe80::1", "fe80::1%eth0", "febf:ffff::%2"], ["fec0::", "fe7f::1%eth0"]),
        ("::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]),
        ("::/0", ["::", "ffff::"], ["192.0.2.7", "::ffff:192.0.2.7"]),
        ("unix:", [""], ["127.0.0.1", "unix:"]),
    ],
)
def test_network_holds_its_own_and_no_neighbour(network: str, trusted: list[str], others: list[str]) -> None:
    proxies = TrustedProxies([network])

    assert [proxies.trusts(address) for address in trusted] == [True] * len(trusted)
    assert [proxies.trusts(address) for address in [*others, "no address"]] == [False] * (len(others) + 1)


def test_networks_of_any_length_and_family_stand_side_by_side() -> None:
    proxies = TrustedProxies(["192.0.2.1", "192.0.2.3", "198.51.100.0/24", "2001:db8::/32"])

    seen = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.255", "2001:db8::1", ""]

    assert [proxies.trusts(address) for address in seen] == [True, False, True, True, True, False]


def test_nobody_is_trusted_by_default() -> None:
    assert not any(TrustedProxies([]).trusts(address) for address in ("", "127.0.0.1", "::1", "10.0.0.1"))


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("10.0.0.1/8", 'has bits set behind its length: write "10.0.0.0/8", or "10.0.0.1" for that one'),
        ("2001:db8::1/32", 'has bits set behind its length: write "2001:db8::/32", or "2001:db8::1" for that one'),
        ("::ffff:10.0.0.0/104", 'is IPv4 as IPv6 sees it: write "10.0.0.0/8"'),
        ("::ffff:10.0.0.1", 'is IPv4 as IPv6 sees it: write "10.0.0.1/32"'),
        ("", "is neither a network"),
        ("10.0.0.0/33", "is neither a network"),
        ("2001:db8::/129", "is neither a network"),
        ("10.0.0.0/", "is neither a network"),
        ("10.0.0.0/-8", "is neither a network"),
        ("10.0.0.0/255.0.0.0", "is neither a network"),
        ("10.0.0.0/8/8", "is neither a network"),
        ("10.0.0", "is neither a network"),
        ("010.0.0.1", "is neither a network"),
        (" 10.0.0.1", "is neither a network"),
        ("[::1]", "is neither a network"),
        ("10.0.0.1:80", "is neither a network"),
        ("fe80::1%eth0", "is neither a network"),
        ("fe80::%eth0/64", "is neither a network"),
        ("proxy.example", "is neither a network"),
        ("*", "is neither a network"),
        ("unix:/run/proxy.sock", "is neither a network"),
    ],
)
def test_entry_that_is_no_network_is_an_error_that_names_it(entry: str, rule: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f'trusted_proxies "{entry}": {rule}')):
        TrustedProxies(["10.0.0.0/8", entry])


@pytest.mark.parametrize(
    ("networks", "is_anyone"),
    [([], False), (["0.0.0.0/1", "::/1"], False), (["0.0.0.0/0"], True), (["10.0.0.0/8", "::/0"], True)],
)
def test_whether_anyone_is_trusted_can_be_asked(networks: list[str], is_anyone: bool) -> None:
    assert TrustedProxies(networks).is_anyone_trusted is is_anyone


# --- who owes a PROXY header


@pytest.mark.parametrize(("address", "owes"), [(PROXY, True), ("", True), (ADA, False), ("127.0.0.1", False)])
def test_proxy_header_is_owed_by_those_who_are_trusted_and_nobody_else(address: str, owes: bool) -> None:
    assert Forwarding(TRUSTED, proxy_protocol=True).owes_proxy_header(address) is owes
    assert not Forwarding(TRUSTED).owes_proxy_header(address)


# --- X-Forwarded-For


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ([ADA], ADA),
        ([f" {ADA}\t"], ADA),
        ([f"{ADA}:55555"], ADA),
        (["2001:db8:2::1"], "2001:db8:2::1"),
        (["2001:DB8:2:0:0::1"], "2001:db8:2::1"),
        (["[2001:db8:2::1]"], "2001:db8:2::1"),
        (["[2001:db8:2::1]:443"], "2001:db8:2::1"),
        (["::ffff:203.0.113.9"], ADA),
        (["[::ffff:203.0.113.9]:1"], ADA),
        ([f"{ADA}, {INNER}"], ADA),
        ([f"{ADA},{INNER},2001:db8:1::7"], ADA),
        ([ADA, INNER], ADA),
        ([INNER, PROXY], INNER),
        ([], PROXY),
    ],
)
def test_client_is_the_first_from_the_right_that_is_no_proxy_of_ours(lines: list[str], address: str) -> None:
    assert by_x_forwarded_for(*lines) == Client(address, None)


@pytest.mark.parametrize(
    "lines",
    [
        [f"{EVIL}, {ADA}"],
        [EVIL, ADA],
        [f"{PROXY}, {ADA}"],
        [f"{EVIL}, {PROXY}, {ADA}, {INNER}"],
        [f"garbage, {ADA}"],
        [f'"{EVIL}, {ADA}'],
        [f"{EVIL},,,{ADA}"],
        ["," * 100_000 + ADA],
        [f"{PROXY}," * 10_000 + ADA],
        ["x" * 100_000 + f",{ADA}"],
    ],
)
def test_what_a_client_writes_at_the_left_is_not_believed(lines: list[str]) -> None:
    assert by_x_forwarded_for(*lines).address == ADA


@pytest.mark.parametrize(
    "last",
    [
        "",
        "unknown",
        "_hidden",
        "unix:",
        "proxy.example",
        "203.0.113",
        "203.0.113.256",
        "0203.0.113.9",
        "203.0.113.9:",
        "203.0.113.9:123456",
        "203.0.113.9 198.51.100.6",
        "203.0.113.9/32",
        "2001:db8:2::1%eth0",
        "[2001:db8:2::1%eth0]",
        "[2001:db8:2::1",
        "2001:db8:2::1]",
        "[203.0.113.9]",
        "2001:db8:2:0:0:0:0:1:443",
        "\u0662\u0660\u0663.0.113.9",
        "203.0.113.9\x00",
        "for=203.0.113.9",
        "," * 100_000,
        "x" * 100_000,
    ],
)
def test_what_is_no_address_ends_the_reading_with_the_last_that_is_known(last: str) -> None:
    assert by_x_forwarded_for(f"{EVIL}, {last}").address == PROXY
    assert by_x_forwarded_for(f"{EVIL}, {last}, {INNER}").address == INNER


def test_reading_ends_after_as_many_proxies_as_no_chain_has() -> None:
    def read(hops: int) -> str:
        return by_x_forwarded_for(", ".join([ADA, *[f"10.0.0.{hop}" for hop in range(1, hops)]])).address

    assert read(HOPS_MAX) == ADA
    assert read(HOPS_MAX + 1) == "10.0.0.1"
    assert read(HOPS_MAX + 2) == "10.0.0.2"


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        (["https"], "https"),
        (["http"], "http"),
        (["HTTPS"], "https"),
        (["wss"], "https"),
        (["ws"], "http"),
        (["http, https"], "https"),
        (["https", "http"], "http"),
        (["https,"], None),
        (["https, garbage"], None),
        (["on"], None),
        ([""], None),
        ([], None),
    ],
)
def test_scheme_is_what_the_peer_wrote_last(values: list[str], scheme: Scheme) -> None:
    assert by_x_forwarded_for(ADA, proto=values) == Client(ADA, scheme)
    assert by_x_forwarded_for(proto=values) == Client(PROXY, scheme)


# --- Forwarded


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([f"for={ADA}"], Client(ADA, None)),
        ([f"For={ADA};PROTO=https;by={PROXY}"], Client(ADA, "https")),
        ([f'for="{ADA}:55555";proto=HTTP'], Client(ADA, "http")),
        ([f'for="{ADA}:_port"'], Client(ADA, None)),
        (['for="[2001:db8:2::1]"'], Client("2001:db8:2::1", None)),
        (['for="[2001:DB8:2::1]:443";host="a;for=198.51.100.6"'], Client("2001:db8:2::1", None)),
        (['for="\\2\\03.0.113.9"'], Client(ADA, None)),
        ([f"proto=wss ; for={ADA} ;"], Client(ADA, "https")),
        ([f"for={ADA};proto=gopher"], Client(ADA, None)),
        ([f"for={ADA};proto=https, for={INNER};proto=http"], Client(ADA, "https")),
        ([f"for={ADA};proto=https", f"for={INNER}"], Client(ADA, "https")),
        ([f"for={ADA}, for={INNER};proto=https"], Client(ADA, None)),
        ([f"for={INNER};proto=https, for={PROXY};proto=http"], Client(INNER, "https")),
        (["proto=https"], Client(PROXY, "https")),
        ([], UNKNOWN),
    ],
)
def test_client_and_scheme_are_those_of_the_hop_that_is_used(lines: list[str], client: Client) -> None:
    assert by_forwarded(*lines) == client


@pytest.mark.parametrize(
    "lines",
    [
        [f"for={EVIL};proto=http, for={ADA};proto=https"],
        [f"for={EVIL}", f"for={ADA};proto=https"],
        [f'for="{EVIL}, for={ADA};proto=https'],
        [f'for={EVIL};x=", for={ADA};proto=https'],
        [f'for={EVIL};x="\\, for={ADA};proto=https'],
        [f"for={EVIL};, for={ADA};proto=https"],
        ['"' * 100_000 + f",for={ADA};proto=https"],
        ["for=," * 20_000 + f"for={ADA};proto=https"],
        [";" * 100_000 + f",for={ADA};proto=https"],
    ],
)
def test_entry_that_a_client_left_open_swallows_none_that_a_proxy_wrote(lines: list[str]) -> None:
    assert by_forwarded(*lines) == Client(ADA, "https")


@pytest.mark.parametrize(
    "last",
    [
        "",
        ";",
        "for",
        "for=",
        "for =203.0.113.9",
        "for= 203.0.113.9",
        "for=unknown",
        "for=_hidden",
        'for="_hidden:80"',
        "for=2001:db8:2::1",
        "for=[2001:db8:2::1]",
        'for="2001:db8:2::1"',
        'for="203.0.113.9',
        "for=203.0.113.9;for=198.51.100.6",
        "for=203.0.113.9;For=203.0.113.9",
        "for=203.0.113.9;;proto",
        "for=203.0.113.9 proto=https",
        'for=203.0.113.9;host="a,b"',
        f'for=203.0.113.9;host="{"a" * 500}"',
        "203.0.113.9",
        "host=relay.example",
    ],
)
def test_entry_that_breaks_a_rule_or_hides_its_client_ends_the_reading(last: str) -> None:
    assert by_forwarded(f"for={EVIL};proto=https, {last}") == UNKNOWN
    assert by_forwarded(f"for={EVIL}, {last}, for={INNER};proto=http").address == INNER


def test_entry_of_many_blanks_is_read_once_and_not_in_all_the_ways_that_there_are() -> None:
    assert by_forwarded("; " * 200 + "(") == UNKNOWN
    assert by_forwarded("; " * 200 + f"for={ADA}").address == ADA


# --- whom to believe


def test_peer_that_is_not_trusted_speaks_for_itself_whatever_it_writes() -> None:
    says = headers(x_forwarded_for=[EVIL], x_forwarded_proto=["https"], forwarded=[f"for={EVIL};proto=https"])

    assert Forwarding(TRUSTED).client(ADA, says) == Client(ADA, None)
    assert Forwarding(TRUSTED, header="forwarded").client(ADA, says) == Client(ADA, None)
    assert Forwarding(TrustedProxies([])).client(PROXY, says) == UNKNOWN


def test_only_one_of_the_two_headers_is_read() -> None:
    says = headers(x_forwarded_for=[ADA], x_forwarded_proto=["http"], forwarded=[f"for={EVIL};proto=https"])

    assert Forwarding(TRUSTED).client(PROXY, says) == Client(ADA, "http")
    assert Forwarding(TRUSTED, header="forwarded").client(PROXY, says) == Client(EVIL, "https")


def test_peer_of_a_unix_socket_is_believed_where_it_is_listed() -> None:
    assert by_x_forwarded_for(ADA, peer="") == Client(ADA, None)
    assert Forwarding(TrustedProxies(["10.0.0.0/24"])).client("", headers(x_forwarded_for=[ADA])) == Client("", None)


@given(st.lists(st.one_of(st.text(), st.text(alphabet='for=203.119;,"\\[]: _')), max_size=5))
def test_whatever_was_written_the_result_is_an_address_and_what_a_trusted_peer_wrote_holds(lines: list[str]) -> None:
    for read, own in ((by_x_forwarded_for, ADA), (by_forwarded, f"for={ADA}")):
        address = read(*lines).address
        assert TrustedProxies([address]).trusts(address)
        assert read(*lines, own).address == ADA


@given(st.lists(st.text(alphabet="0123456789abcdef.:/%") | st.text() | st.just("unix:"), max_size=3), st.text())
def test_networks_are_refused_by_value_error_and_no_address_by_any(networks: list[str], address: str) -> None:
    try:
        proxies = TrustedProxies(networks)
    except ValueError:
        return

    assert proxies.trusts("") is ("unix:" in networks)
    assert proxies.trusts(address) in (True, False)
    assert all(proxies.trusts(network.partition("/")[0]) for network in networks if network != "unix:")
