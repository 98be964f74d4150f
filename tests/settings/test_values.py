"""What a value must be, at the limits of each rule and on both sides of them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from roomcast.settings.values import (
    BindHost,
    BufferSize,
    CookieName,
    HeadSize,
    Interval,
    JwksUrl,
    OriginPatterns,
    Port,
    Protocols,
    ServedHosts,
    TemplateName,
    TemplatePath,
    TokenSecret,
    TotalSize,
    Wait,
    parse_json,
    parse_list,
)


def accepted(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refusal(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b ,c,", ["a", "b", "c"]),
        ('["a, b", "c"]', ["a, b", "c"]),
        (' ["a"]', ["a"]),
        ("http://[::1]:*,b", ["http://[::1]:*", "b"]),
    ],
)
def test_list_from_outside_is_json_or_comma_separated(text: str, items: list[str]) -> None:
    assert parse_list(text) == items


def test_list_that_is_a_list_already_stays_as_it_is() -> None:
    assert parse_list(["a,b"]) == ["a,b"]


def test_broken_json_says_where_it_breaks() -> None:
    with pytest.raises(ValueError, match=r"is no JSON: .*column 2"):
        parse_list("[")


def test_json_that_is_read_already_stays_as_it_is() -> None:
    assert parse_json([1]) == [1]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost", "relay.example.com", "my_host", "unix:/run/public.sock"],
)
def test_door_binds_addresses_names_and_unix_sockets(host: str) -> None:
    assert accepted(BindHost, host) == host


@pytest.mark.parametrize("host", ["", "127.0.0.1:8080", "[::1]", "http://localhost", "a b", "-a", "a..b", "*"])
def test_door_binds_nothing_else(host: str) -> None:
    assert 'neither an address ("127.0.0.1", "::", without brackets and without a port)' in refusal(BindHost, host)


@pytest.mark.parametrize("host", ["unix:", "unix:public.sock", "unix:./a", "unix:/a\0b"])
def test_unix_socket_needs_an_absolute_path(host: str) -> None:
    assert "needs an absolute path after unix:" in refusal(BindHost, host)


def test_path_of_a_unix_socket_fits_what_the_kernel_takes() -> None:
    longest = "/" + "a" * 106

    assert accepted(BindHost, f"unix:{longest}")
    assert "longer than the 107 bytes" in refusal(BindHost, f"unix:{longest}a")
    assert "longer than the 107 bytes" in refusal(BindHost, f"unix:{longest[:-1]}é")


def test_served_hosts_compare_without_case() -> None:
    assert accepted(ServedHosts, "Chat.Example.com,192.0.2.1") == ("chat.example.com", "192.0.2.1")


def test_served_ipv6_host_may_have_the_brackets_of_its_header() -> None:
    assert accepted(ServedHosts, ["[2001:db8::1]"]) == ("[2001:db8::1]",)


def test_served_host_may_be_written_as_its_users_write_it() -> None:
    assert accepted(ServedHosts, ["Bücher.example"]) == ("bücher.example",)


@pytest.mark.parametrize("host", ["https://a.example", "a.example/", "*.example", "a@b.example", "a b", ""])
def test_served_host_is_a_bare_name(host: str) -> None:
    assert "is no bare host name" in refusal(ServedHosts, [host])


def test_list_names_nothing_twice_and_says_where_it_did() -> None:
    assert "number 3 was there already" in refusal(OriginPatterns, "a,b,a")


def test_item_of_a_list_that_may_be_secret_is_not_repeated_in_the_error() -> None:
    assert "confidential" not in refusal(OriginPatterns, "confidential,confidential")


def test_protocols_are_any_of_the_three() -> None:
    assert accepted(Protocols, "hixie76,sse") == ("hixie76", "sse")
    assert "'rfc6455', 'hixie76' or 'sse'" in refusal(Protocols, ["hybi10"])


def test_at_least_one_protocol_is_spoken() -> None:
    assert "at least 1 item" in refusal(Protocols, [])


@pytest.mark.parametrize("name", ["a", "Rooms-2_b", "a" * 63])
def test_template_name_is_fit_for_a_label(name: str) -> None:
    assert accepted(TemplateName, name) == name


@pytest.mark.parametrize("name", ["", "2a", "a b", "a\n", "é", "a" * 64])
def test_template_name_that_is_not_fit_for_a_label_is_refused(name: str) -> None:
    assert "must be a letter, then letters, digits, - or _" in refusal(TemplateName, name)


def test_template_path_begins_at_the_root() -> None:
    assert accepted(TemplatePath, "/a") == "/a"
    assert 'must begin with "/"' in refusal(TemplatePath, "a")


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        (Port, (0, 65_535, "8080"), (-1, 65_536, 1.5, "http")),
        (Interval, (0, 0.1, 3600), (-1, 0.09, 3601, float("nan"))),
        (BufferSize, (0, 4096, 1 << 30), (-1, 4095, (1 << 30) + 1)),
        (TotalSize, (0, 1 << 20, 1 << 40), (-1, (1 << 20) - 1, (1 << 40) + 1)),
        (Wait, (0.1, 300), (0, 0.09, 301, float("inf"))),
        (HeadSize, (1024, 1 << 20), (0, 1023, (1 << 20) + 1)),
    ],
)
def test_number_has_bounds_that_catch_a_wrong_unit(
    kind: Any, inside: tuple[object, ...], outside: tuple[object, ...]
) -> None:
    for value in inside:
        assert accepted(kind, value) is not None
    for value in outside:
        assert refusal(kind, value)


def test_interval_between_off_and_the_shortest_names_both() -> None:
    assert refusal(Interval, 0.05) == "Value error, should be 0, which turns it off, or at least 0.1"


@pytest.mark.parametrize("secret", ["", "x" * 32, " ~" * 16])
def test_secret_is_none_or_long_enough(secret: str) -> None:
    assert accepted(TokenSecret, secret) == secret


@pytest.mark.parametrize("secret", ["x" * 31, "é" * 32, "x" * 32 + "\n"])
def test_secret_that_could_be_guessed_or_misread_is_refused_without_a_word_of_it(secret: str) -> None:
    rule = refusal(TokenSecret, secret)

    assert "at least 32 bytes of printable ASCII" in rule
    assert secret not in rule


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://id.example.com/jwks.json?a=b",
        "https://id.example.com:8443",
        "http://localhost:1/a",
        "http://127.1.2.3/a",
        "http://[::1]:80/a",
    ],
)
def test_url_of_keys_is_https_or_on_this_machine(url: str) -> None:
    assert accepted(JwksUrl, url) == url


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://id.example.com/a", "should begin with https://"),
        ("http://10.0.0.1/a", "should begin with https://"),
        ("file:///etc/keys", "is no URL"),
        ("ftp://localhost/a", "should begin with https://"),
        ("id.example.com", "is no URL"),
        ("https://", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://a:0/", "is no URL"),
        ("https://a:x/", "is no URL"),
        ("https://a b/", "is no URL"),
        ("https://a/\r\nHost: b", "is no URL"),
        ("https://ä.example/", "is no URL"),
        ("https://me:password@a/", "is no URL"),
    ],
)
def test_url_that_anybody_on_the_way_could_answer_is_refused(url: str, rule: str) -> None:
    assert rule in refusal(JwksUrl, url)


@pytest.mark.parametrize("name", ["", "session", "__Host-session"])
def test_cookie_has_a_name_or_is_not_read(name: str) -> None:
    assert accepted(CookieName, name) == name


@pytest.mark.parametrize("name", ["a b", "a=b", "a;b", "é", '"a"'])
def test_name_that_no_cookie_has_is_refused(name: str) -> None:
    assert "is no name of a cookie" in refusal(CookieName, name)
