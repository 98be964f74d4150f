"""Which path is which room, and which template decides about it."""

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomcast.policies.templates import RoomNameError, Template, Templates, check_room_name, room_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/rooms/lobby", "/rooms/lobby"),
        ("/lobby", "/lobby"),
        ("/Rooms/Lobby", "/Rooms/Lobby"),
        ("/rooms/%6cobby", "/rooms/lobby"),
        ("/rooms/b%C3%BCcher", "/rooms/bücher"),
        ("/rooms/b%c3%bccher", "/rooms/bücher"),
        ("/rooms/a%20b", "/rooms/a b"),
        ("/rooms/a+b", "/rooms/a+b"),
        ("/rooms/100%25", "/rooms/100%"),
        ("/rooms/a%252Fb", "/rooms/a%2Fb"),
        ("/rooms/a%25252Fb", "/rooms/a%252Fb"),
        ("/rooms/%252e%252e", "/rooms/%2e%2e"),
        ("/rooms/a%3Fb%23c", "/rooms/a?b#c"),
        ("/rooms/...", "/rooms/..."),
        ("/rooms/.hidden", "/rooms/.hidden"),
        ("/rooms/a;b=c", "/rooms/a;b=c"),
        ("/rooms/%F0%9F%90%B1", "/rooms/🐱"),
        ("/rooms/%C2%A0", "/rooms/\u00a0"),
        ("/" + "a" * 254, "/" + "a" * 254),
        ("/a" + "%C3%BC" * 126 + "b", "/a" + "ü" * 126 + "b"),
    ],
)
def test_a_path_is_decoded_once_into_a_room_name(path: str, name: str) -> None:
    assert room_name(path) == name


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("", "begins with /"),
        ("rooms/lobby", "begins with /"),
        ("*", "begins with /"),
        ("http://relay.example/rooms/lobby", "begins with /"),
        ("/", "is the page"),
        ("//", 'no segment ""'),
        ("/rooms/", 'no segment ""'),
        ("/rooms//lobby", 'no segment ""'),
        ("//rooms/lobby", 'no segment ""'),
        ("/rooms/.", 'no segment "."'),
        ("/rooms/./lobby", 'no segment "."'),
        ("/rooms/..", 'no segment ".."'),
        ("/../rooms", 'no segment ".."'),
        ("/rooms/%2e", 'no segment "."'),
        ("/rooms/%2E%2e/admin", 'no segment ".."'),
        ("/rooms/.%2E", 'no segment ".."'),
        ("/rooms/a%2Fb", r"no encoded / or \\"),
        ("/rooms/a%2fb", r"no encoded / or \\"),
        ("/rooms/a%5Cb", r"no encoded / or \\"),
        ("/rooms/a%5cb", r"no encoded / or \\"),
        ("/rooms/a\\b", r"no \\"),
        ("/rooms/%", "'%' is no percent-encoded byte"),
        ("/rooms/%2", "'%2' is no percent-encoded byte"),
        ("/rooms/%zz", "'%zz' is no percent-encoded byte"),
        ("/rooms/%u0041", "'%u0' is no percent-encoded byte"),
        ("/rooms/%+1", "'%\\+1' is no percent-encoded byte"),
        ("/rooms/%\n1", "is no percent-encoded byte"),
        ("/rooms/%%41", "'%%4' is no percent-encoded byte"),
        ("/rooms/%00", "U\\+0000"),
        ("/rooms/%0A", "U\\+000A"),
        ("/rooms/%1F", "U\\+001F"),
        ("/rooms/\t", "U\\+0009"),
        ("/rooms/%7F", "U\\+007F"),
        ("/rooms/%C2%80", "U\\+0080"),
        ("/rooms/%C2%9F", "U\\+009F"),
        ("/rooms/%FF", "is UTF-8"),
        ("/rooms/%C3", "is UTF-8"),
        ("/rooms/%FC", "is UTF-8"),
        ("/rooms/%C0%AF", "is UTF-8"),
        ("/rooms/%C0%AE%C0%AE", "is UTF-8"),
        ("/rooms/%ED%A0%80", "is UTF-8"),
        ("/rooms/%F4%90%80%80", "is UTF-8"),
        ("/rooms/bücher", "beyond ASCII"),
        ("/rooms/lobby?x=1", r"\?, #"),
        ("/rooms/lobby#x", r"\?, #"),
        ("/" + "a" * 255, "at most 255 bytes"),
        ("/" + "%C3%BC" * 127 + "b", "at most 255 bytes"),
    ],
)
def test_a_path_that_is_not_a_name_as_it_stands_is_refused(path: str, rule: str) -> None:
    with pytest.raises(RoomNameError, match=rule):
        room_name(path)


def test_names_are_not_normalised() -> None:
    composed, decomposed = room_name("/rooms/%C3%A9"), room_name("/rooms/e%CC%81")

    assert composed != decomposed


PATHS = st.one_of(
    st.text(), st.text().map("/".__add__), st.text(alphabet="/.%25cC3BFfe0\\a").map("/".__add__), st.just("/a" * 128)
)


@given(PATHS)
def test_a_path_is_refused_by_its_error_or_is_a_safe_name(path: str) -> None:
    try:
        name = room_name(path)
    except RoomNameError:
        return

    assert name.startswith("/")
    assert len(name.encode()) <= 255
    assert not {"", ".", ".."} & set(name[1:].split("/"))
    assert "\\" not in name
    assert name.count("/") == path.count("/")


@pytest.mark.parametrize(
    ("path", "room", "is_match"),
    [
        ("/rooms/{room}", "/rooms/lobby", True),
        ("/rooms/{room}", "/rooms/{room}", True),
        ("/rooms/{room}", "/rooms/a?b", True),
        ("/rooms/{room}", "/rooms", False),
        ("/rooms/{room}", "/rooms/a/b", False),
        ("/rooms/{room}", "/Rooms/a", False),
        ("/rooms/{room}", "/roomsx/a", False),
        ("/rooms/{room}", "x/rooms/a", False),
        ("/rooms/{room}", "xrooms/a", False),
        ("/{room}", "/lobby", True),
        ("/{room}", "/-", True),
        ("/{room}", "/a/b", False),
        ("/lobby", "/lobby", True),
        ("/lobby", "/lobby2", False),
        ("/a/{x}/c", "/a/b/c", True),
        ("/a/{x}/c", "/a/b/d", False),
        ("/files/{path...}", "/files", False),
        ("/files/{path...}", "/files/a", True),
        ("/files/{path...}", "/files/a/b/c", True),
        ("/files/{user}/{path...}", "/files/a", False),
        ("/files/{user}/{path...}", "/files/a/b", True),
        ("/bücher/{x}", "/bücher/a", True),
        ("/bücher/{x}", "/bu\u0308cher/a", False),
        ("/a b/{x}", "/a b/c", True),
    ],
)
def test_a_variable_is_one_segment_and_the_rest_at_least_one(path: str, room: str, is_match: bool) -> None:
    template = Template("t", path)

    assert Templates([template]).match(room) is (template if is_match else None)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("", "begins with /"),
        ("rooms/{room}", "begins with /"),
        ("/", "is the page"),
        ("/rooms/", 'no segment ""'),
        ("//rooms", 'no segment ""'),
        ("/rooms/../{x}", 'no segment ".."'),
        ("/rooms/./{x}", 'no segment "."'),
        ("/rooms/room-{x}", 'in "room-{x}": a variable is a whole segment, {x} or at the end {x...}'),
        ("/rooms/{x}{y}", "a whole segment"),
        ("/rooms/{}", "a whole segment"),
        ("/rooms/{...}", "a whole segment"),
        ("/rooms/{x", "a whole segment"),
        ("/rooms/x}", "a whole segment"),
        ("/rooms/{x y}", "a whole segment"),
        ("/rooms/{1x}", "a whole segment"),
        ("/rooms/{x…}", "a whole segment"),
        ("/rooms/{x:int}", "a whole segment"),
        ("/rooms/{x...}/end", "nothing can follow it"),
        ("/rooms/{x...}/{y...}", "nothing can follow it"),
        ("/rooms/{x}/{x}", "two variables of one name"),
        ("/rooms/{x}/{x...}", "two variables of one name"),
        ("/rooms/*", '"*": a variable is written {x}'),
        ("/rooms/:room", '":room": a variable is written {x}'),
        ("/rooms/<room>", '"<room>": a variable is written {x}'),
        ("/rooms/a%20b/{x}", "written decoded"),
        ("/rooms/{x}?token=1", "a whole segment"),
        ("/rooms/x?token=1", "written decoded"),
        ("/rooms/x#1", "written decoded"),
        ("/rooms/a\\b", "no \\"),
        ("/rooms/a\nb", "U+000A"),
        ("/rooms/" + "a" * 248 + "/{x}", "needs 257 bytes"),
        ("/rooms/" + "ü" * 125, "needs 257 bytes"),
        ("/-/ready", 'could match "/-/…", which is reserved'),
        ("/-/{x}", "reserved"),
        ("/-/{x...}", "reserved"),
        ("/{a}/{b}", "reserved"),
        ("/{a}/ready", "reserved"),
        ("/{a}/{b}/{c}", "reserved"),
        ("/{a...}", "reserved"),
        ("/{a}/{b...}", "reserved"),
    ],
)
def test_a_template_that_cannot_work_is_quoted_with_the_rule(path: str, rule: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f'template "{path}": ') + ".*" + re.escape(rule)):
        Template("t", path)


def test_a_template_as_long_as_a_room_name_may_be_is_taken() -> None:
    templates = Templates([Template("t", "/rooms/" + "a" * 246 + "/{x}")])

    assert templates.match(room_name("/rooms/" + "a" * 246 + "/b"))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\u2028"])
def test_a_name_that_cannot_stand_in_a_log_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is blank or not printable"):
        Template(name, "/rooms/{room}")


@given(st.text().map("/".__add__) | st.text(alphabet="/{}x.-%*").map("/".__add__))
def test_a_template_is_refused_by_nothing_but_value_error(path: str) -> None:
    try:
        templates = Templates([Template("t", path)])
    except ValueError:
        return

    assert templates.match("/-/ready") is None


@pytest.mark.parametrize(
    ("paths", "room", "winner"),
    [
        (["/rooms/{room}", "/rooms/lobby"], "/rooms/lobby", "/rooms/lobby"),
        (["/rooms/{room}", "/rooms/lobby"], "/rooms/other", "/rooms/{room}"),
        (["/rooms/{rest...}", "/rooms/{room}"], "/rooms/a", "/rooms/{room}"),
        (["/rooms/{rest...}", "/rooms/{room}"], "/rooms/a/b", "/rooms/{rest...}"),
        (["/rooms/{rest...}", "/rooms/{x}/{y...}"], "/rooms/a", "/rooms/{rest...}"),
        (["/rooms/{rest...}", "/rooms/{x}/{y...}"], "/rooms/a/b/c", "/rooms/{x}/{y...}"),
        (["/a/{x}/c", "/a/{x}/{y}", "/a/b/c"], "/a/b/c", "/a/b/c"),
        (["/a/{x}/c", "/a/{x}/{y}", "/a/b/c"], "/a/x/c", "/a/{x}/c"),
        (["/a/{x}/c", "/a/{x}/{y}", "/a/b/c"], "/a/b/d", "/a/{x}/{y}"),
        (["/{x}", "/rooms/{x}"], "/rooms", "/{x}"),
        (["/a/{r...}", "/a/b/c"], "/a/b/d", "/a/{r...}"),
    ],
)
def test_the_most_specific_template_decides(paths: list[str], room: str, winner: str) -> None:
    templates = [Template(path, path) for path in paths]

    for order in (templates, templates[::-1]):
        found = Templates(order).match(room)
        assert found is not None
        assert found.path == winner


def test_a_room_without_a_template_has_none() -> None:
    templates = Templates([Template("rooms", "/rooms/{room}")])

    assert templates.match("/other/lobby") is None
    assert templates.match("/-/ready") is None
    assert Templates([]).match("/rooms/lobby") is None


@pytest.mark.parametrize(
    ("one", "other", "both_match"),
    [
        ("/a/{x}", "/a/{y}", "/a/x"),
        ("/a/b", "/a/b", "/a/b"),
        ("/a/{x...}", "/a/{y...}", "/a/x"),
        ("/a/{x}/c", "/a/b/{y}", "/a/b/c"),
        ("/a/b/{r...}", "/a/{x}/c", "/a/b/c"),
        ("/a/b/{r...}", "/a/{x}/c/{s...}", "/a/b/c/r"),
    ],
)
def test_two_templates_of_which_neither_is_more_specific_are_refused(one: str, other: str, both_match: str) -> None:
    templates = [Template("one", one), Template("other", other)]

    with pytest.raises(ValueError, match=re.escape(f'"{one}" and "{other}" are ambiguous: both match "{both_match}"')):
        Templates(templates)
    assert all(Templates([template]).match(both_match) for template in templates)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a/{x...}", "/{y}"),
        ("/a/{x}/{r...}", "/a/{r...}"),
        ("/a/{x}/c", "/a/{r...}"),
        ("/a/{x}/c", "/a/b/{y}/d"),
        ("/a/{x}", "/b/{x}"),
    ],
)
def test_two_templates_are_taken_if_no_room_is_both_or_one_is_more_specific(one: str, other: str) -> None:
    Templates([Template("one", one), Template("other", other)])


def test_two_templates_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape('"/a/{x}" and "/b/{x}" are both named "rooms"')):
        Templates([Template("rooms", "/a/{x}"), Template("rooms", "/b/{x}")])


SEGMENTS = st.sampled_from(["a", "b", "{x}"])
SHAPES = st.tuples(st.lists(SEGMENTS, max_size=3), st.sampled_from(["a", "b", "{y}", "{z...}"]))


@given(st.lists(SHAPES, max_size=5, unique_by=str), st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
def test_the_tree_finds_what_looking_at_each_template_would(
    shapes: list[tuple[list[str], str]], segments: list[str]
) -> None:
    paths = [
        "/" + "/".join(["r", *(s.replace("x", f"x{i}") for i, s in enumerate(head)), last]) for head, last in shapes
    ]
    templates = [Template(path, path) for path in paths]
    try:
        tree = Templates(templates)
    except ValueError:
        return
    room = "/" + "/".join(["r", *segments])

    matching = [template for template in templates if Templates([template]).match(room)]
    found = tree.match(room)

    assert (found in matching) if matching else (found is None)
    for template in matching:
        # Each template that matches as well is not more specific anywhere.
        assert found is not None
        assert all(mine[0] >= theirs[0] for mine, theirs in zip(found.segments, template.segments, strict=False))


@given(PATHS)
def test_a_name_is_the_same_whichever_of_its_bytes_are_encoded(path: str) -> None:
    try:
        name = room_name(path)
    except RoomNameError:
        return

    assert room_name(quote(name)) == name
    assert (
        room_name("/" + "/".join("".join(f"%{byte:02x}" for byte in part.encode()) for part in name[1:].split("/")))
        == name
    )


@pytest.mark.parametrize("name", ["/rooms/lobby", "/rooms/a b", "/rooms/100%", "/rooms/%41", "/rooms/é"])
def test_a_name_that_is_decoded_already_is_not_decoded_again(name: str) -> None:
    assert check_room_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "/", "lobby", "/rooms/", "/rooms/../lobby", "/rooms/a\\b", "/a\x00", "/" + "é" * 128]
)
def test_a_decoded_name_keeps_the_rules_of_all_names(name: str) -> None:
    with pytest.raises(RoomNameError):
        check_room_name(name)
