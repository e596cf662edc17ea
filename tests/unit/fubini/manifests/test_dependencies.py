"""Graphs of names: circles, order, and who comes before whom."""

from __future__ import annotations

import random
from itertools import pairwise

from fubini.manifests.dependencies import Ancestry, find_cycle, in_order, names_in


def random_graph(source: random.Random, count: int) -> dict[str, list[str]]:
    return {f"n{i}": [f"n{source.randrange(count)}" for _ in range(source.randrange(3))] for i in range(count)}


def reachable(edges: dict[str, list[str]], start: str) -> set[str]:
    found: set[str] = set()
    todo = list(edges[start])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(edges[name])
    return found


def test_a_circle_is_found_exactly_where_one_is() -> None:
    for seed in range(500):
        edges = random_graph(random.Random(seed), 8)
        cyclic = any(name in reachable(edges, name) for name in edges)
        cycle = find_cycle(edges)
        assert bool(cycle) == cyclic
        for here, there in pairwise(cycle):
            assert there in edges[here]
        if cycle:
            assert cycle[0] == cycle[-1]


def test_order_and_ancestry_agree_with_reachability() -> None:
    for seed in range(500):
        edges = random_graph(random.Random(seed), 8)
        if find_cycle(edges):
            continue
        order = in_order(edges)
        assert sorted(order) == sorted(edges)
        assert all(order.index(d) < order.index(n) for n, ds in edges.items() for d in ds)
        ancestry = Ancestry(edges)
        for later in edges:
            before = reachable(edges, later)
            assert {n for n in edges if ancestry.before(n, later)} == before


def test_a_long_chain_needs_no_stack() -> None:
    edges = {f"n{i}": [f"n{i - 1}"] if i else [] for i in range(20_000)}
    assert find_cycle(edges) == []
    assert Ancestry(edges).before("n0", "n19999")
    edges["n0"] = ["n19999"]
    assert len(find_cycle(edges)) == 20_001


def test_unknown_names_are_passed_over() -> None:
    assert find_cycle({"a": ["ghost"]}) == []
    assert not Ancestry({"a": ["ghost"]}).before("ghost", "a")
    assert not Ancestry({}).before("a", "b")


def test_names_are_read_from_depends_as_argo_reads_them() -> None:
    assert names_in("(a.Succeeded || b-2) && !c.AnySucceeded") == [
        ("a", "Succeeded"),
        ("b-2", ""),
        ("c", "AnySucceeded"),
    ]
    assert names_in("a.b") == [("a", ""), ("b", "")]
