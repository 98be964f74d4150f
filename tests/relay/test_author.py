import weakref

from roomcast.relay.author import Author
from tests.relay.fake_wire import BracketFormat, FakeMember


def test_author_goes_by_the_id_and_the_subject_of_the_one_that_spoke() -> None:
    member = FakeMember(BracketFormat())

    author = Author(member)

    assert (author.id, author.subject) == (member.id, member.subject)


def test_author_does_not_hold_the_one_that_spoke() -> None:
    member = FakeMember(BracketFormat())
    author = Author(member)
    is_there = weakref.ref(member)

    del member

    assert is_there() is None
    assert author.id
