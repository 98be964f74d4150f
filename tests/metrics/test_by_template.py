"""Families by template: what they say of themselves, without keeping it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from roomcast.metrics.by_template import ByTemplate
from roomcast.relay.counters import TemplateCounters


def counted(*members: int) -> list[TemplateCounters]:
    templates = [TemplateCounters(f"template-{number}") for number in range(len(members))]
    for of, value in zip(templates, members, strict=True):
        of.members = value
    return templates


def members_of(of: TemplateCounters) -> Sequence[int]:
    return (of.members,)


def test_gauge_has_a_sample_for_each_template() -> None:
    family = ByTemplate("roomcast_members", "Members.", "gauge", counted(3, 0), members_of)

    assert [(sample.name, sample.labels, sample.value) for sample in family.samples] == [
        ("roomcast_members", {"template": "template-0"}, 3),
        ("roomcast_members", {"template": "template-1"}, 0),
    ]
    assert "".join(family.pieces()) == (
        'roomcast_members{template="template-0"} 3.0\nroomcast_members{template="template-1"} 0.0\n'
    )


def test_counter_has_a_sample_for_each_word_and_labels_in_order() -> None:
    read = [1, 2]
    family = ByTemplate("roomcast_x", "X.", "counter", counted(0), lambda of: read, "word", ("a", "b"))

    assert [(sample.name, sample.labels) for sample in family.samples] == [
        ("roomcast_x_total", {"template": "template-0", "word": "a"}),
        ("roomcast_x_total", {"template": "template-0", "word": "b"}),
    ]
    assert list(family.pieces()) == [
        'roomcast_x_total{template="template-0",word="a"} 1.0\nroomcast_x_total{template="template-0",word="b"} 2.0\n'
    ]


def test_each_piece_is_as_it_is_when_it_is_asked_for() -> None:
    templates = counted(*[0] * 100)
    pieces = ByTemplate("roomcast_members", "Members.", "gauge", templates, members_of).pieces()
    next(pieces)

    templates[-1].members = 7

    assert "".join(pieces).endswith('roomcast_members{template="template-99"} 7.0\n')


def test_templates_that_come_meanwhile_are_for_the_next_scrape() -> None:
    templates = {of.name: of for of in counted(*[0] * 100)}
    pieces = ByTemplate("roomcast_members", "Members.", "gauge", templates.values(), members_of).pieces()
    next(pieces)

    templates["another"] = TemplateCounters("another")

    assert "another" not in "".join(pieces)


def test_values_that_are_not_as_many_as_the_words_are_a_fault() -> None:
    family = ByTemplate("roomcast_x", "X.", "counter", counted(0), lambda of: [1], "word", ("a", "b"))

    with pytest.raises(ValueError, match="zip"):
        "".join(family.pieces())
