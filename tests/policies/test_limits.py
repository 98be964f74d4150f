"""How much one member and one address may take, at the limit and on both sides of it."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.limits import BURST_S, AddressCounts, FrameRate, MemberRate, address_group


def test_a_member_may_send_twice_its_rate_of_messages_at_once() -> None:
    rate = MemberRate(messages_per_s=100, bytes_per_s=0)

    verdicts = [rate.admit(10**9, now_s=5.0) for _ in range(201)]

    assert verdicts == [None] * 200 + ["messages_per_s"]


def test_a_member_may_send_twice_its_rate_of_bytes_at_once() -> None:
    rate = MemberRate(messages_per_s=0, bytes_per_s=500)

    assert [rate.admit(size, now_s=5.0) for size in (999, 1, 1)] == [None, None, "bytes_per_s"]
    assert rate.admit(0, now_s=5.0) is None


def test_a_member_that_keeps_to_its_rate_is_never_refused() -> None:
    rate = MemberRate(messages_per_s=8, bytes_per_s=800)

    assert all(rate.admit(100, now_s=tick / 8) is None for tick in range(1000))


def test_a_refused_message_counts_for_neither_limit() -> None:
    rate = MemberRate(messages_per_s=1, bytes_per_s=50)

    assert rate.admit(101, now_s=1.0) == "bytes_per_s"
    assert [rate.admit(50, now_s=1.0) for _ in range(3)] == [None, None, "messages_per_s"]
    assert rate.admit(50, now_s=2.0) is None


@pytest.mark.parametrize(
    ("limit", "size", "verdict"),
    [("messages_per_s", 60, None), ("messages_per_s", 61, "bytes_per_s"), ("bytes_per_s", 500, None)],
)
def test_a_message_beyond_a_limit_that_is_only_reported_counts_for_the_other(
    limit: str, size: int, verdict: str | None
) -> None:
    rate = MemberRate(messages_per_s=1, bytes_per_s=50)
    assert rate.admit(40, now_s=1.0) is None

    assert rate.admit_beyond(limit, size) == verdict

    rest = {"messages_per_s": [None, "messages_per_s"], "bytes_per_s": ["messages_per_s", "messages_per_s"]}
    assert [rate.admit(0, now_s=1.0) for _ in range(2)] == rest[limit]


def test_a_message_beyond_both_limits_takes_nothing_of_either() -> None:
    rate = MemberRate(messages_per_s=0.5, bytes_per_s=50)
    assert rate.admit(90, now_s=1.0) is None

    assert rate.admit(11, now_s=1.0) == "messages_per_s"
    assert rate.admit_beyond("messages_per_s", 11) == "bytes_per_s"
    assert rate.admit_beyond("bytes_per_s", 11) is None

    # Two seconds later there is one message again, and all the bytes.
    assert [rate.admit(100, now_s=3.0) for _ in range(2)] == [None, "messages_per_s"]


def test_a_silent_member_saves_up_no_more_than_the_burst() -> None:
    rate = MemberRate(messages_per_s=1, bytes_per_s=100)

    assert rate.admit(200, now_s=0.0) is None
    assert rate.admit(201, now_s=1e6) == "bytes_per_s"
    assert [rate.admit(1, now_s=1e6) for _ in range(3)] == [None, None, "messages_per_s"]


def test_what_a_member_could_not_send_is_made_up_for_and_no_more() -> None:
    rate = MemberRate(messages_per_s=1, bytes_per_s=100)
    assert [rate.admit(100, now_s=10.0) for _ in range(2)] == [None, None]

    # Half a second later it was held back, for three.
    rate.make_up(held_s=3.0, now_s=13.5)

    assert [rate.admit(100, now_s=13.5) for _ in range(4)] == [None, None, None, "messages_per_s"]
    assert [rate.admit(100, now_s=14.0), rate.admit(1, now_s=14.0)] == [None, "messages_per_s"]


def test_what_was_made_up_for_is_kept_beside_the_burst() -> None:
    rate = MemberRate(messages_per_s=1, bytes_per_s=0)

    rate.make_up(held_s=3.0, now_s=1000.0)

    assert [rate.admit(1, now_s=2000.0) for _ in range(6)] == [None] * 5 + ["messages_per_s"]


def test_there_is_nothing_to_make_up_for_where_nothing_is_limited() -> None:
    rate = MemberRate(messages_per_s=1, bytes_per_s=0)

    rate.make_up(held_s=0.0, now_s=0.0)

    assert [rate.admit(10**12, now_s=0.0) for _ in range(3)] == [None, None, "messages_per_s"]


def test_a_member_survives_a_clock_that_is_set_back() -> None:
    rate = MemberRate(messages_per_s=1, bytes_per_s=0)

    assert [rate.admit(1, now_s) for now_s in (1000.0, 1000.0, 10.0, 11.0)] == [None, None, "messages_per_s", None]


def test_nothing_is_counted_where_nothing_is_limited() -> None:
    assert MemberRate.for_limits(0, 0) is None
    assert MemberRate.for_limits(1, 0) is not None
    assert MemberRate.for_limits(0, 1) is not None
    assert MemberRate(0, 0).admit(10**12, now_s=1.0) is None


@pytest.mark.parametrize(("messages_per_s", "bytes_per_s"), [(-1, 0), (0, -1), (nan, 0), (0, nan)])
def test_a_rate_below_zero_is_an_error(messages_per_s: float, bytes_per_s: float) -> None:
    with pytest.raises(ValueError, match="must not be below 0"):
        MemberRate(messages_per_s, bytes_per_s)


def test_a_rate_whose_burst_is_no_whole_message_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"messages_per_s = 0\.4 would let no message pass; 0\.5 would"):
        MemberRate(0.4, 0)
    assert MemberRate(0.5, 0).admit(1, now_s=0.0) is None


# --- frames


class Sender:
    """One member's frames, and the number that is kept for it."""

    def __init__(self, rate: FrameRate) -> None:
        self._rate = rate
        self._even_s: float = 0

    def send(self, now_s: float) -> bool:
        admitted = self._rate.admit(self._even_s, now_s)
        if admitted is None:
            return False
        self._even_s = admitted
        return True


@pytest.mark.parametrize("per_s", [1, 3, 7, 50, 2048])
@pytest.mark.parametrize("now_s", [0.0, 1.0, 987_654.321])
def test_a_member_may_send_twice_its_rate_of_frames_at_once_and_one_more_is_too_many(per_s: int, now_s: float) -> None:
    member = Sender(FrameRate("control_frames_per_s", per_s))

    assert all(member.send(now_s) for _ in range(2 * per_s))
    assert not member.send(now_s)
    # What was one too many was not counted: time enough for one lets one pass.
    assert [member.send(now_s + 1 / per_s) for _ in range(2)] == [True, False]


def test_a_member_that_keeps_to_its_rate_of_frames_is_never_refused() -> None:
    member = Sender(FrameRate("control_frames_per_s", 8))

    assert all(member.send(tick / 8) for tick in range(1000))


def test_a_silent_member_saves_up_no_more_frames_than_the_burst() -> None:
    member = Sender(FrameRate("control_frames_per_s", 2))

    assert [member.send(1e6) for _ in range(5)] == [True] * 4 + [False]
    assert [member.send(2e6) for _ in range(5)] == [True] * 4 + [False]


def test_a_clock_that_is_set_back_costs_a_member_no_frame() -> None:
    member = Sender(FrameRate("control_frames_per_s", 1))

    assert [member.send(now_s) for now_s in (1000.0, 1000.0, 1000.0, 10.0)] == [True, True, False, True]


def test_members_of_one_rate_do_not_count_for_each_other() -> None:
    rate = FrameRate("control_frames_per_s", 1)
    ada, bob = Sender(rate), Sender(rate)

    assert [ada.send(5.0) for _ in range(3)] == [True, True, False]
    assert [bob.send(5.0) for _ in range(3)] == [True, True, False]


def test_a_rate_of_0_lets_every_frame_pass() -> None:
    member = Sender(FrameRate("control_frames_per_s", 0))

    assert all(member.send(5.0) for _ in range(10_000))


def test_a_rate_of_frames_below_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match="fragments_per_s = -1 must not be below 0"):
        FrameRate("fragments_per_s", -1)


# --- addresses


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("8.8.8.8", "8.8.8.8"),
        ("172.15.255.255", "172.15.255.255"),
        ("172.32.0.0", "172.32.0.0"),
        ("100.63.255.255", "100.63.255.255"),
        ("100.128.0.0", "100.128.0.0"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2::5", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::5", "2001:db8:1:3::/64"),
        ("2001:DB8:1:2::5", "2001:db8:1:2::/64"),
        ("::2", "::/64"),
    ],
)
def test_an_address_is_counted_by_itself_or_by_its_64(address: str, group: str) -> None:
    assert address_group(address) == group


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/run/roomcast/public.sock",
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.1.1",
        "::1",
        "fd00::1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
    ],
)
def test_the_address_of_a_proxy_is_not_counted(address: str) -> None:
    assert address_group(address) is None


def test_an_address_has_as_many_connections_as_the_limit_and_no_more() -> None:
    counts = AddressCounts(limit=2)

    assert [counts.admit("203.0.113.9") for _ in range(3)] == [True, True, False]
    assert counts.admit("203.0.113.10")
    counts.release("203.0.113.9")
    assert counts.admit("::ffff:203.0.113.9")
    assert not counts.admit("203.0.113.9")


def test_a_connection_that_is_added_beyond_the_limit_counts_until_it_is_released() -> None:
    counts = AddressCounts(limit=1)
    counts.admit("203.0.113.9")

    counts.add("203.0.113.9")
    counts.add("127.0.0.1")
    counts.release("203.0.113.9")

    assert not counts.admit("203.0.113.9")
    counts.release("203.0.113.9")
    assert counts.admit("203.0.113.9")
    assert len(counts) == 1


def test_one_customer_of_ipv6_is_one_address() -> None:
    counts = AddressCounts(limit=1)

    assert counts.admit("2001:db8::1")
    assert not counts.admit("2001:db8::2")
    assert counts.admit("2001:db8:0:1::1")


def test_what_is_not_counted_is_never_refused() -> None:
    counts = AddressCounts(limit=1)

    assert all(counts.admit(address) for address in ("127.0.0.1", "127.0.0.1", "", ""))
    counts.release("127.0.0.1")
    assert len(counts) == 0


def test_address_that_is_said_to_be_a_proxy_s_is_under_no_limit() -> None:
    counts = AddressCounts(limit=1, is_proxy={"203.0.113.9"}.__contains__)

    assert all(counts.admit("203.0.113.9") for _ in range(3))
    assert counts.admit("203.0.113.10")
    counts.release("203.0.113.9")
    assert not counts.admit("203.0.113.10")


def test_without_a_limit_everybody_is_let_in_and_counted() -> None:
    counts = AddressCounts(limit=0)

    assert all(counts.admit("203.0.113.9") for _ in range(5))
    assert counts.most() == 5
    for _ in range(5):
        counts.release("203.0.113.9")
    assert len(counts) == counts.most() == 0


def test_limit_that_changes_counts_those_who_are_there() -> None:
    counts = AddressCounts(limit=0)
    assert all(counts.admit("203.0.113.9") for _ in range(2))

    counts.change(3, lambda _: False)

    assert [counts.admit("203.0.113.9") for _ in range(2)] == [True, False]


def test_address_that_becomes_a_proxy_s_gives_back_what_it_took() -> None:
    counts = AddressCounts(limit=1)
    assert counts.admit("203.0.113.9")

    counts.change(1, {"203.0.113.9"}.__contains__)
    assert counts.admit("203.0.113.9")
    assert counts.most() == 0
    counts.release("203.0.113.9")
    counts.release("203.0.113.9")

    assert len(counts) == 0


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["203.0.113.1", "203.0.113.2", "2001:db8::1"])), max_size=40))
def test_an_address_without_connections_leaves_nothing_behind(steps: list[tuple[bool, str]]) -> None:
    counts = AddressCounts(limit=2)
    held: list[str] = []

    for is_arrival, address in steps:
        if is_arrival:
            assert counts.admit(address) is (held.count(address) < 2)
            held += [address] if held.count(address) < 2 else []
        elif address in held:
            held.remove(address)
            counts.release(address)
        assert len(counts) == len(set(held))


def test_releasing_what_was_never_admitted_counts_nothing() -> None:
    counts = AddressCounts(limit=1)

    counts.release("203.0.113.9")

    assert [counts.admit("203.0.113.9") for _ in range(2)] == [True, False]


# Whatever comes


RATES = st.sampled_from([0, 0.5, 1, 3, 100])
SENDING = st.lists(st.tuples(st.sampled_from([0, 0, 0.1, 0.5, 1, 5]), st.integers(0, 250)), max_size=40)


@given(messages_per_s=RATES, bytes_per_s=st.sampled_from([0, 100]), sending=SENDING)
def test_nobody_sends_more_than_the_burst_and_the_rate_since(
    messages_per_s: float, bytes_per_s: float, sending: list[tuple[float, int]]
) -> None:
    rate = MemberRate(messages_per_s, bytes_per_s)
    now_s, passed_bytes = 1000.0, []

    for pause_s, size_bytes in sending:
        now_s += pause_s
        if rate.admit(size_bytes, now_s) is None:
            passed_bytes.append(size_bytes)

    # Rounding: a tenth of a second is no binary fraction.
    allowed_s = BURST_S + now_s - 1000.0 + 1e-6
    assert not messages_per_s or len(passed_bytes) <= allowed_s * messages_per_s
    assert not bytes_per_s or sum(passed_bytes) <= allowed_s * bytes_per_s


@given(per_s=st.sampled_from([1, 3, 50]), pauses_s=st.lists(st.sampled_from([0, 0, 0, 0.01, 0.4, 3]), max_size=150))
def test_nobody_sends_more_frames_than_the_burst_and_the_rate_since(per_s: int, pauses_s: list[float]) -> None:
    member, now_s, passed = Sender(FrameRate("fragments_per_s", per_s)), 1000.0, 0

    for pause_s in pauses_s:
        now_s += pause_s
        passed += member.send(now_s)

    # Half a frame too early is early enough: no sum of intervals is exact.
    assert passed <= (BURST_S + now_s - 1000.0) * per_s + 0.5 + 1e-6


@given(st.floats(), st.floats())
def test_a_rate_is_refused_by_value_error_or_lets_something_pass(messages_per_s: float, bytes_per_s: float) -> None:
    try:
        rate = MemberRate(messages_per_s, bytes_per_s)
    except ValueError:
        return

    assert rate.admit(0, 1.0) is None


@given(st.text() | st.ip_addresses().map(str))
def test_any_address_is_in_one_group_or_in_none(address: str) -> None:
    group = address_group(address)

    assert group is None or address_group(group.removesuffix("/64")) == group


def test_messages_that_come_together_are_counted_together_or_not_at_all() -> None:
    rate = MemberRate(messages_per_s=5, bytes_per_s=50)

    assert rate.admit(10, 0.0, 11) == "messages_per_s"
    assert rate.admit(101, 0.0, 10) == "bytes_per_s"
    assert rate.admit(100, 0.0, 10) is None
    assert rate.admit(0, 0.0) == "messages_per_s"


def test_what_was_not_sent_after_all_is_given_back() -> None:
    rate = MemberRate(messages_per_s=5, bytes_per_s=50)
    rate.admit(100, 0.0, 10)

    rate.give_back(100, 10)

    assert rate.admit(100, 0.0, 10) is None
