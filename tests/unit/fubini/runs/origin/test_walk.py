"""How far a look goes, and that a cut is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fubini.runs.origin.walk import AHEAD, BEHIND, Link, Walked, walk

#   a -> b -> d -> e    and  a -> c -> d
LINKS = [Link(s, t, "read") for s, t in ("ab", "ac", "bd", "cd", "de")]


def asked(direction: str, levels: list[list[str]] | None = None) -> Callable[[Sequence[str]], Iterable[Link]]:
    def links_of(places: Sequence[str]) -> list[Link]:
        if levels is not None:
            levels.append(list(places))
        return [link for link in LINKS if link.end(direction)[0] in places]

    return links_of


def look(start: str, direction: str, depth: int = 9, limit: int = 9) -> Walked:
    return walk([start], direction, asked(direction), depth=depth, limit=limit)


def test_every_place_has_its_shortest_distance_and_every_link_is_kept() -> None:
    found = look("a", AHEAD)
    assert found.depth == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 3}
    assert sorted(found.links) == sorted(LINKS) and not found.more


def test_looking_back_sees_only_what_was_before() -> None:
    assert look("d", BEHIND).depth == {"d": 0, "b": 1, "c": 1, "a": 2}


def test_a_cut_by_depth_names_the_places_that_have_more() -> None:
    found = look("a", AHEAD, depth=1)
    assert (set(found.depth), found.more) == ({"a", "b", "c"}, {"b", "c"})


def test_an_end_at_the_last_depth_is_no_cut() -> None:
    assert look("a", AHEAD, depth=3).more == set()


def test_a_cut_by_number_keeps_links_between_what_is_there() -> None:
    found = look("a", AHEAD, limit=2)
    assert (set(found.depth), found.more) == ({"a", "b", "c"}, {"b", "c"})
    assert sorted(found.links) == [Link("a", "b", "read"), Link("a", "c", "read")]


def test_a_level_is_asked_for_as_one_and_never_twice() -> None:
    levels: list[list[str]] = []
    walk(["a"], AHEAD, asked(AHEAD, levels), depth=9, limit=9)
    assert levels == [["a"], ["b", "c"], ["d"], ["e"]]


def test_a_circle_ends() -> None:
    ring = [Link("a", "b", "read"), Link("b", "a", "read")]
    found = walk(["a"], AHEAD, lambda places: [r for r in ring if r.source in places], depth=30, limit=30)
    assert set(found.depth) == {"a", "b"} and not found.more
