import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.relay.burst import Burst
from roomcast.relay.counters import TemplateCounters
from roomcast.relay.message import Kind, Message
from roomcast.relay.reasons import Reason
from tests.relay.fake_wire import BracketFormat, FakeMember, message

ANN = FakeMember(BracketFormat())
BOB = FakeMember(BracketFormat())


def a_batch() -> list[Message]:
    return [
        message(4, b"one", sender=ANN),
        message(5, b"two", Kind.BINARY, sender=BOB),
        message(6, b"three"),
        message(7, b"four", sender=ANN),
    ]


def test_one_message_is_its_frame_and_no_copy() -> None:
    wire_format = BracketFormat()
    only = message(4, b"hello")

    assert Burst([only], wire_format, is_echoed=True).data is only.frame(wire_format)


def test_frames_are_joined_in_order() -> None:
    assert Burst(a_batch(), BracketFormat(), is_echoed=True).data == b"<one><two><three><four>"


def test_what_a_format_cannot_carry_is_left_out() -> None:
    text_only = BracketFormat(b"[]", carries_binary=False)

    assert Burst(a_batch(), text_only, is_echoed=True).data == b"[one][three][four]"


def test_burst_of_nothing_that_can_be_carried_is_empty() -> None:
    text_only = BracketFormat(b"[]", carries_binary=False)

    assert Burst([message(4, kind=Kind.BINARY)], text_only, is_echoed=True).data == b""


def test_with_echo_nobody_is_a_sender() -> None:
    assert not Burst(a_batch(), BracketFormat(), is_echoed=True).senders


@pytest.mark.parametrize(("sender", "data"), [(ANN, b"<two><three>"), (BOB, b"<one><three><four>")], ids=["ann", "bob"])
def test_without_echo_each_sender_is_spared_its_own(sender: FakeMember, data: bytes) -> None:
    burst = Burst(a_batch(), BracketFormat(), is_echoed=False)

    assert set(burst.senders) == {ANN.author, BOB.author}
    assert burst.without(sender) == data


def test_sender_of_everything_is_left_with_nothing() -> None:
    burst = Burst([message(1, sender=ANN), message(2, sender=ANN)], BracketFormat(), is_echoed=False)

    assert burst.without(ANN) == b""


def test_sender_is_no_sender_where_its_message_cannot_be_carried() -> None:
    burst = Burst(a_batch(), BracketFormat(b"[]", carries_binary=False), is_echoed=False)

    assert set(burst.senders) == {ANN.author}
    assert burst.without(ANN) == b"[three]"


def test_taken_bursts_are_counted_for_all_members_at_once() -> None:
    wire_format = BracketFormat()
    counters = TemplateCounters("rooms")

    Burst(a_batch(), wire_format, is_echoed=True).count_taken(counters, 10)

    assert counters.delivered == 40
    assert wire_format.frames_sent[Kind.TEXT] == 30
    assert wire_format.frames_sent[Kind.BINARY] == 10
    assert wire_format.sent_bytes == 10 * len(b"<one><two><three><four>")
    assert counters.dropped == {}


def test_what_could_not_be_carried_is_counted_as_unsupported() -> None:
    text_only = BracketFormat(b"[]", carries_binary=False)
    counters = TemplateCounters("rooms")

    Burst(a_batch(), text_only, is_echoed=True).count_taken(counters, 10)

    assert counters.delivered == 30
    assert counters.dropped == {Reason.UNSUPPORTED: 10}


def test_own_messages_are_not_counted_as_delivered() -> None:
    wire_format = BracketFormat()
    counters = TemplateCounters("rooms")

    Burst(a_batch(), wire_format, is_echoed=False).count_taken_without(counters, ANN)

    assert counters.delivered == 2
    assert wire_format.frames_sent[Kind.TEXT] == 1
    assert wire_format.frames_sent[Kind.BINARY] == 1
    assert wire_format.sent_bytes == len(b"<two><three>")


@pytest.mark.parametrize(("member", "gone"), [(ANN, 1), (FakeMember(BracketFormat()), 3)], ids=["sender", "other"])
def test_what_the_dead_would_have_got_is_counted_without_their_own(member: FakeMember, gone: int) -> None:
    text_only = BracketFormat(b"[]", carries_binary=False)
    counters = TemplateCounters("rooms")

    Burst(a_batch(), text_only, is_echoed=False).count_lost(counters, member)

    assert counters.dropped == {Reason.GONE: gone, Reason.UNSUPPORTED: 1}
    assert counters.delivered == 0


@pytest.mark.parametrize(
    ("taken", "cursor", "half_written", "rest", "delivered"),
    [
        (b"", 3, None, b"", 0),
        (b"<", 4, Kind.TEXT, b"one>", 0),
        (b"<one", 4, Kind.TEXT, b">", 0),
        (b"<one>", 4, None, b"", 1),
        (b"<one><", 5, Kind.BINARY, b"two>", 1),
        (b"<one><two>", 5, None, b"", 2),
        (b"<one><two><three><four", 7, Kind.TEXT, b">", 3),
        (b"<one><two><three><four>", 7, None, b"", 4),
    ],
)
def test_write_ends_in_a_frame_or_between_two(
    taken: bytes, cursor: int, half_written: Kind | None, rest: bytes, delivered: int
) -> None:
    wire_format = BracketFormat()
    counters = TemplateCounters("rooms")

    stop = Burst(a_batch(), wire_format, is_echoed=True).count_short(counters, ANN, len(taken))

    assert (stop.cursor, stop.half_written, bytes(stop.rest)) == (cursor, half_written, rest)
    assert counters.delivered == delivered == sum(wire_format.frames_sent)
    assert wire_format.sent_bytes == len(taken)


@pytest.mark.parametrize(
    ("taken", "cursor", "rest"),
    [(b"", 4, b""), (b"<t", 5, b"wo>"), (b"<two>", 5, b""), (b"<two><th", 6, b"ree>")],
)
def test_write_of_a_sender_passes_over_its_own(taken: bytes, cursor: int, rest: bytes) -> None:
    burst = Burst(a_batch(), BracketFormat(), is_echoed=False)

    stop = burst.count_short(TemplateCounters("rooms"), ANN, len(taken))

    assert (stop.cursor, bytes(stop.rest)) == (cursor, rest)


def test_what_could_not_be_carried_is_counted_only_up_to_where_the_write_ended() -> None:
    text_only = BracketFormat(b"[]", carries_binary=False)
    counters = TemplateCounters("rooms")
    burst = Burst([*a_batch(), message(8, kind=Kind.BINARY)], text_only, is_echoed=True)

    stop = burst.count_short(counters, ANN, len(b"[one]"))

    assert stop.cursor == 5
    assert counters.dropped == {Reason.UNSUPPORTED: 1}


def test_rest_shares_the_bytes_of_its_frame_alone() -> None:
    wire_format = BracketFormat()
    batch = a_batch()

    stop = Burst(batch, wire_format, is_echoed=True).count_short(TemplateCounters("rooms"), ANN, 1)

    assert stop.rest.obj is batch[0].frame(wire_format)


# Whatever is said, and wherever the kernel stops

BATCHES = st.lists(
    st.tuples(st.sampled_from(Kind), st.sampled_from([None, ANN, BOB]), st.binary(max_size=4)), min_size=1, max_size=8
)


@given(said=BATCHES, carries_binary=st.booleans(), is_echoed=st.booleans(), share=st.floats(0, 1))
def test_what_was_taken_and_what_is_left_make_up_what_a_member_was_owed(
    said: list[tuple[Kind, FakeMember | None, bytes]], carries_binary: bool, is_echoed: bool, share: float
) -> None:
    wire_format = BracketFormat(carries_binary=carries_binary)
    counters = TemplateCounters("rooms")
    batch = [
        message(offset, payload, kind, sender=sender) for offset, (kind, sender, payload) in enumerate(said, start=1)
    ]
    burst = Burst(batch, wire_format, is_echoed=is_echoed)
    owed = [one for one in batch if is_echoed or one.sender is not ANN.author]
    data = burst.without(ANN) if ANN.author in burst.senders else burst.data
    taken = int(len(data) * share)

    stop = burst.count_short(counters, ANN, taken)

    behind = [one.frame(wire_format) or b"" for one in owed if one.offset > stop.cursor]
    assert data == b"".join(one.frame(wire_format) or b"" for one in owed)
    assert data == data[:taken] + bytes(stop.rest) + b"".join(behind)
    assert counters.delivered == sum(wire_format.frames_sent)
    assert bool(stop.rest) == (stop.half_written is not None)
