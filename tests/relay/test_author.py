from roomcast.relay.author import Author
from tests.relay.fake_wire import BracketFormat, FakeMember


def test_author_has_the_name_of_a_member_and_nothing_else_of_it() -> None:
    member = FakeMember(BracketFormat())
    member.id, member.subject = "k7c2m9qa.7", "alice"

    author = Author(member)

    assert (author.id, author.subject) == ("k7c2m9qa.7", "alice")
    assert Author.__slots__ == ("id", "subject")


def test_two_connections_of_one_person_are_two_authors() -> None:
    member = FakeMember(BracketFormat())

    assert Author(member) != Author(member)
