"""Members with a token: told in time, told to go in time, whatever the clock does; and taken back."""

from __future__ import annotations

import gevent
import pytest

from roomcast.policies.grants import Action, Grant
from roomcast.policies.revocations import Revocations
from roomcast.relay.reasons import Reason
from roomcast.transport.token_holders import TokenHolders
from tests.diary import Diary


class Holder:
    """A member that writes down what it is told."""

    def __init__(self, expires_s: float, subject: str | None = "alice", issued_s: float | None = None) -> None:
        self.grant: Grant | None = Grant(subject, (), frozenset(Action), expires_s, issued_s)
        self.heard: list[object] = []
        self.is_broken = False

    def expiring(self, expires_in_ms: int) -> None:
        self.heard.append(expires_in_ms)

    def dismiss(self, reason: Reason, detail: str = "") -> None:
        if self.is_broken:
            raise RuntimeError("it was to go, and could not")
        self.heard.append(str(reason))


class Club:
    """Members with a token, and a clock that the test sets."""

    def __init__(self, *, warn_s: float = 30, leeway_s: float = 0, entries_max: int = 10) -> None:
        self.now_s = 1000.0
        self.diary = Diary()
        self.holders = TokenHolders(
            Revocations(entries_max),
            clock=lambda: self.now_s,
            warn_s=warn_s,
            leeway_s=leeway_s,
            journal=self.diary.journal,
        )

    def enter(self, expires_s: float, subject: str | None = "alice", issued_s: float | None = None) -> Holder:
        holder = Holder(expires_s, subject, issued_s)
        assert holder.grant is not None
        self.holders.add(holder, holder.grant)
        return holder

    def at(self, now_s: float) -> None:
        self.now_s = now_s
        self.holders.tick()


def test_member_is_told_that_its_token_ends_and_then_to_go() -> None:
    club = Club()
    ada = club.enter(1100)

    club.at(1069)
    assert ada.heard == []
    club.at(1070)
    assert ada.heard == [30_000]
    club.at(1099.9)
    assert ada.heard == [30_000]
    club.at(1100)
    assert ada.heard == [30_000, "token_expired"]
    club.at(1200)
    assert ada.heard == [30_000, "token_expired"]


def test_nobody_is_told_where_the_operator_does_not_want_it() -> None:
    club = Club(warn_s=0)
    ada = club.enter(1100)

    for now_s in range(1001, 1101):
        club.at(now_s)

    assert ada.heard == ["token_expired"]


def test_member_whose_token_ends_soon_is_told_at_once() -> None:
    club = Club()
    ada = club.enter(1003.5)

    club.at(1001)
    club.at(1003)
    assert ada.heard == [2500]
    club.at(1004)
    assert ada.heard == [2500, "token_expired"]


def test_leeway_lengthens_a_token() -> None:
    club = Club(leeway_s=5)
    ada = club.enter(1100)

    club.at(1104)
    assert ada.heard == [1000]
    club.at(1105)
    assert ada.heard == [1000, "token_expired"]


def test_clock_that_leaps_forward_ends_what_has_ended_meanwhile() -> None:
    club = Club()
    ada, bob = club.enter(2_000_000), club.enter(900_000_000)

    club.at(800_000_000)

    assert (ada.heard, bob.heard) == (["token_expired"], [])


def test_clock_that_is_set_back_ends_nobody_early_and_nobody_late() -> None:
    club = Club()
    ada = club.enter(1100)
    club.at(1080)

    club.at(500)
    bob = club.enter(600)
    club.at(569)
    assert bob.heard == []
    club.at(570)
    club.at(600)
    assert bob.heard == [30_000, "token_expired"]
    club.at(1100)
    assert ada.heard == [20_000, "token_expired"]


def test_member_whose_end_moves_away_with_the_clock_is_looked_at_again() -> None:
    club = Club(warn_s=1)
    crowd = [club.enter(1002) for _ in range(60)]
    club.at(1001)
    while not crowd[-1].heard:
        gevent.idle()
    # All of them are due; ten are looked at in the next turn. Until then the clock is set back.
    club.at(1002)
    club.now_s = 1000.0
    while len(crowd[-1].heard) < 2:
        gevent.idle()

    club.at(1003)

    assert crowd[0].heard == [1000, "token_expired"]
    assert crowd[-1].heard == [1000, 2000, "token_expired"]


def test_who_has_left_is_forgotten() -> None:
    club = Club()
    ada, bob = club.enter(1100), club.enter(1100)

    club.holders.remove(ada)
    club.holders.remove(ada)
    assert len(club.holders) == 1
    club.holders.remove(bob)
    club.at(1100)

    assert (ada.heard, bob.heard, len(club.holders)) == ([], [], 0)


def test_who_was_told_to_go_may_go() -> None:
    club = Club()
    ada = club.enter(1100)
    club.at(1100)

    club.holders.remove(ada)

    assert len(club.holders) == 0


def test_crowd_whose_tokens_end_together_is_told_in_several_turns() -> None:
    club = Club(warn_s=0)
    crowd = [club.enter(1100) for _ in range(120)]

    club.at(1100)
    assert sum(map(len, (member.heard for member in crowd))) == 50
    # A second tick, and who leaves meanwhile, change nothing of it.
    club.holders.remove(crowd[-1])
    club.at(1101)
    while sum(len(member.heard) for member in crowd) < 119:
        gevent.idle()

    assert [member.heard for member in crowd] == [["token_expired"]] * 119 + [[]]


def test_one_that_cannot_go_keeps_nobody_else() -> None:
    club = Club(warn_s=0)
    ada, bob = club.enter(1100), club.enter(1100)
    ada.is_broken = True

    club.at(1100)

    assert bob.heard == ["token_expired"]
    [record] = club.diary.finish()
    assert (record["event"], record["level"]) == ("internal fault", "error")


def test_members_of_a_revoked_subject_are_closed_and_no_others() -> None:
    club = Club()
    ada, again = club.enter(1100), club.enter(9000, issued_s=999)
    others = [club.enter(1100, "bob"), club.enter(1100, None)]

    assert club.holders.revoke("alice") == 2

    assert [ada.heard, again.heard] == [["revoked"], ["revoked"]]
    assert [member.heard for member in others] == [[], []]
    assert club.holders.revoke("nobody") == 0


def test_member_that_was_warned_and_one_that_is_about_to_be_are_revoked_as_well() -> None:
    club = Club()
    ada = club.enter(1100)
    club.at(1080)

    assert club.holders.revoke("alice") == 1

    assert ada.heard == [20_000, "revoked"]


def test_revocation_is_told_to_the_log_without_a_name() -> None:
    club = Club(entries_max=1)
    club.enter(1100)
    club.holders.revoke("alice")

    club.holders.revoke("bob", ttl_s=60)

    first, given_up, second = club.diary.finish()
    assert (first["event"], first["members"], first["for_s"]) == ("tokens revoked", 1, 86_400)
    assert (given_up["event"], given_up["level"]) == ("revocation given up", "warning")
    assert (second["event"], second["members"], second["for_s"]) == ("tokens revoked", 0, 60)
    assert "alice" not in str([first, given_up, second])


@pytest.mark.parametrize("is_started", [False, True])
def test_clockwork_can_be_stopped(is_started: bool) -> None:
    club = Club()
    if is_started:
        club.holders.start()

    club.holders.stop()
