"""What lists are asked for, and which fields come back."""

from __future__ import annotations

import pytest

from fubini.common.errors import Invalid
from fubini.compat.argo.selection import Fields, Requirement, label_requirements, wanted_of


def test_label_selectors_are_read_as_kubernetes_reads_them() -> None:
    text = "a=1, b==2,c!=3,d in (x, y),e notin (z),f,!g,workflows.argoproj.io/phase in (Running)"
    assert label_requirements(text) == (
        Requirement("a", ("1",)), Requirement("b", ("2",)), Requirement("c", ("3",), False),
        Requirement("d", ("x", "y")), Requirement("e", ("z",), False), Requirement("f", None),
        Requirement("g", None, False), Requirement("workflows.argoproj.io/phase", ("Running",)),
    )  # fmt: skip
    assert label_requirements("") == ()


@pytest.mark.parametrize(
    "text", ["=1", "a in x", "a in (b", "a=1,,b", "a==b=c", "a b", "(" * 2000, ",".join(["a"] * 60)]
)
def test_a_label_selector_that_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        label_requirements(text)


def test_names_times_and_pages_come_from_list_options() -> None:
    wanted = wanted_of(
        {"listOptions.fieldSelector": "metadata.name=x,metadata.namespace=demo,ext.showRemainingItemCount=true",
         "nameFilter": "Prefix", "listOptions.limit": "7", "listOptions.continue": "14",
         "createdAfter": "2026-01-02T03:04:05Z"}
    )  # fmt: skip
    assert (wanted.name, wanted.name_match, wanted.namespace, wanted.count_rest) == ("x", "Prefix", "demo", True)
    assert (wanted.limit, wanted.offset) == (7, 14)
    assert wanted.created_after is not None and wanted.created_after.isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    "query",
    [{"listOptions.limit": "-1"}, {"listOptions.continue": "x"}, {"createdAfter": "yesterday"}, {"nameFilter": "Like"},
     {"listOptions.fieldSelector": "spec.nodes=3"}],
)  # fmt: skip
def test_options_that_cannot_be_read_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        wanted_of(query)


def test_fields_keep_or_drop_paths_and_stand_for_every_item_of_a_list() -> None:
    value = {"metadata": {"name": "a"}, "items": [{"spec": 1, "status": {"phase": "x", "nodes": {}}}]}
    assert Fields("items.status.phase").clean(value) == {"items": [{"status": {"phase": "x"}}]}
    assert Fields("-items.status.nodes,metadata").clean(value) == {"items": [{"spec": 1, "status": {"phase": "x"}}]}
    assert Fields("").clean(value) is value
    assert Fields("result.object.metadata", prefix="result.object.").clean({"metadata": 1, "spec": 2}) == {
        "metadata": 1
    }


def test_nodes_nobody_wants_need_not_be_read() -> None:
    assert Fields("-status.nodes").leaves_out("status.nodes")
    assert Fields("metadata,status.phase").leaves_out("status.nodes")
    assert not Fields("status").leaves_out("status.nodes")
    assert not Fields("").leaves_out("status.nodes")
