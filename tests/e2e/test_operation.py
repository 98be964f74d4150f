"""Two minutes in the life of the composed system: it is used, it breaks, and who watches it is told so, and no more.

`make e2e` runs it, with a container engine. Built images apart it takes three minutes.
"""

from typing import Final

import pytest

from tests.e2e.breakages import BREAKAGES
from tests.e2e.conftest import Story
from tests.e2e.people import Listener

# The story is played before the first of these tests.
pytestmark = pytest.mark.timeout(240)
KINDS: Final = ("WebsocketsListener", "ProjectListener", "CurlListener")


def listener(story: Story, kind: str) -> Listener:
    return next(one for one in story.listeners if type(one).__name__ == kind)


def test_first_message_passes_within_a_minute_of_docker_compose_up(story: Story) -> None:
    print(f"the first message passed {story.first_message_s:.1f} s after `docker compose up`")

    assert story.first_message_s < 60


def test_no_alert_would_fire_while_nothing_is_broken(story: Story) -> None:
    assert story.chapters["nothing"].appeared == set()


@pytest.mark.parametrize("name", BREAKAGES)
def test_prometheus_sees_what_is_broken(story: Story, name: str) -> None:
    seen = story.chapters[name].seen

    assert seen is not None
    assert seen > 0


@pytest.mark.parametrize("name", BREAKAGES)
def test_the_right_alert_would_fire_and_no_other(story: Story, name: str) -> None:
    expected = BREAKAGES[name].alert

    assert expected.rule in story.rules
    assert story.chapters[name].appeared == {expected}


def test_nothing_else_would_fire_until_the_end(story: Story) -> None:
    # Those that count what happened in ten minutes remember it.
    assert story.in_the_end <= {breakage.alert for breakage in BREAKAGES.values()}


@pytest.mark.parametrize("kind", KINDS)
def test_client_hears_everything_once_and_in_order_while_there_is_a_relay(story: Story, kind: str) -> None:
    heard = listener(story, kind).heard
    until_it_was_killed = [number for number in heard if number <= story.killed_at]

    assert heard == sorted(set(heard))
    assert until_it_was_killed == [n for n in story.backend.heard if heard[0] <= n <= story.killed_at]


@pytest.mark.parametrize("kind", KINDS)
def test_client_comes_back_to_a_relay_that_was_killed(story: Story, kind: str) -> None:
    assert listener(story, kind).heard[-1] > story.killed_at
