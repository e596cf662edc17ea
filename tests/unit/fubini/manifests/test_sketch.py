"""Pictures of manifests: boxes, what comes after what, and an end to everything that has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fubini.manifests.sketch import MAX_NODES, sketch_of

ROOT = Path(__file__).resolve().parents[4]


def drawn(templates: list[dict[str, Any]], entry: str = "main") -> list[tuple[str, list[str], bool]]:
    found = sketch_of({"spec": {"entrypoint": entry, "templates": templates}})
    names = {n.id: n.name for n in found.nodes}
    return [(n.name, [names[p] for p in n.parents], n.loop) for n in found.nodes]


LEAF = {"name": "leaf", "container": {"image": "a"}}


def test_groups_of_steps_come_after_one_another_and_nested_ones_are_opened() -> None:
    inner = {"name": "inner", "steps": [[{"name": "a", "template": "leaf"}], [{"name": "b", "template": "leaf"}]]}
    main = {
        "name": "main",
        "steps": [
            [{"name": "x", "template": "leaf", "withItems": [1, 2]}, {"name": "in", "template": "inner"}],
            [{"name": "y", "template": "leaf", "when": "1 == 2"}],
        ],
    }
    assert drawn([main, inner, LEAF]) == [("x", [], True), ("a", [], False), ("b", ["a"], False), ("y", ["x", "b"], False)]


def test_tasks_of_a_dag_come_after_what_they_depend_on_in_either_spelling() -> None:
    tasks = [
        {"name": "d", "template": "leaf", "depends": "(b.Succeeded || c) && !a.Failed"},
        {"name": "a", "template": "leaf"},
        {"name": "b", "template": "leaf", "dependencies": ["a"]},
        {"name": "c", "templateRef": {"name": "other", "template": "t"}, "dependencies": ["a"]},
    ]
    assert drawn([{"name": "main", "dag": {"tasks": tasks}}, LEAF]) == [
        ("a", [], False), ("b", ["a"], False), ("c", ["a"], False), ("d", ["b", "c", "a"], False),
    ]  # fmt: skip


def test_what_has_no_end_or_no_shape_is_drawn_as_far_as_it_goes() -> None:
    again = {"name": "main", "steps": [[{"name": "work", "template": "leaf"}], [{"name": "next", "template": "main"}]]}
    assert drawn([again, LEAF]) == [("work", [], False), ("next", ["work"], False)]
    circle = [{"name": "a", "template": "leaf", "depends": "b"}, {"name": "b", "template": "leaf", "depends": "a"}]
    assert drawn([{"name": "main", "dag": {"tasks": circle}}, LEAF]) == []
    many = {"name": "main", "steps": [[{"name": f"s{i}", "template": "leaf"} for i in range(MAX_NODES + 5)]]}
    found = sketch_of({"spec": {"entrypoint": "main", "templates": [many, LEAF]}})
    assert (len(found.nodes), found.truncated) == (MAX_NODES, True)
    wide = [{"name": f"t{i}", "steps": [[{"name": "l", "template": f"t{i + 1}"}, {"name": "r", "template": f"t{i + 1}"}]]} for i in range(40)]
    assert len(sketch_of({"spec": {"entrypoint": "t0", "templates": wide}}).nodes) <= MAX_NODES
    empty = [{"name": f"t{i}", "steps": [[{"name": f"s{j}", "template": f"t{i + 1}"} for j in range(100)]]} for i in range(9)]
    assert drawn([*empty, {"name": "t9", "steps": []}], "t0") != []
    for odd in (None, [], {"spec": []}, {"spec": {"entrypoint": "x", "templates": [1, {"name": "x", "dag": {"tasks": [3]}}]}}):
        assert sketch_of(odd).nodes == ()


@pytest.mark.parametrize("path", sorted(ROOT.glob("kits/**/*.yaml")), ids=lambda p: p.stem)
def test_every_kit_has_a_picture(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        if isinstance(document, dict) and document.get("kind") == "Workflow" and document["spec"].get("templates"):
            found = sketch_of(document)
            ids = [n.id for n in found.nodes]
            assert ids
            assert all(set(n.parents) <= set(ids[:i]) for i, n in enumerate(found.nodes))
