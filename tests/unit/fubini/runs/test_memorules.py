"""What a memoization cache answers."""

from __future__ import annotations

import json
from typing import Any

from fubini.runs.memorules import Entry, look_up

NOW = 1_790_000_000_000
HOUR = 3_600_000


def config_map(label: str | None = "Cache", **data: str) -> dict[str, Any]:
    labels = {} if label is None else {"workflows.argoproj.io/configmap-type": label}
    return {"kind": "ConfigMap", "metadata": {"name": "c", "labels": labels}, "data": data}


def ask(entry: Entry | None, found: dict[str, Any] | None = None, max_age_ms: int | None = HOUR) -> Any:
    return look_up(entry, found, key="k", max_age_ms=max_age_ms, now_ms=NOW)


def test_an_entry_is_found_while_it_is_young_enough() -> None:
    entry = Entry({"result": "1"}, NOW - HOUR)
    assert ask(entry) == ({"result": "1"}, "")
    assert ask(entry, max_age_ms=HOUR - 1) == (None, "")
    assert ask(entry, max_age_ms=None) == ({"result": "1"}, "")
    assert ask(None) == (None, "")


def test_ages_count_from_the_whole_second_as_argo_keeps_them() -> None:
    assert ask(Entry({}, NOW - 1000 + 999), max_age_ms=999) == (None, "")


def test_an_entry_without_outputs_is_a_hit_too() -> None:
    assert ask(Entry({}, NOW)) == ({}, "")


def test_a_config_map_of_the_name_needs_argos_label() -> None:
    text = "workflows.argoproj.io/configmap-type"
    assert ask(Entry({}, NOW), config_map(None)) == (
        None, f"memoization configmap doesn't have {text} label, refusing to use it",
    )  # fmt: skip
    assert ask(Entry({}, NOW), config_map("Parameter")) == (
        None, f"memoization configmap doesn't have label {text} = Cache, refusing to use it",
    )  # fmt: skip


def test_entries_written_in_a_config_map_are_found() -> None:
    written = {"nodeID": "n", "outputs": {"result": "7"}, "creationTimestamp": "2026-09-21T14:13:19Z"}
    assert ask(None, config_map(k=json.dumps(written)), None) == ({"result": "7"}, "")
    assert ask(Entry({"result": "own"}, NOW), config_map(k=json.dumps(written)))[0] == {"result": "own"}
    assert ask(None, config_map(k=json.dumps(written | {"nodeID": ""})), None) == (None, "")


def test_what_is_no_entry_is_said_to_be_malformed() -> None:
    for text in ("{", "[]", '{"nodeID": "n", "outputs": 3}', '{"nodeID": "n", "creationTimestamp": "soon"}'):
        found, error = ask(None, config_map(k=text), None)
        assert found is None and error.startswith("malformed cache entry: could not unmarshal JSON; unable to parse: ")
