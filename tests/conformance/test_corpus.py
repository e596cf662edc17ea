"""The recordings of the real controller: how many are run, and how many trees are equal."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import pathlib
from typing import Any

import pytest

from tests.conformance.driver import Driver, context_for, parse
from tests.conformance.run import refusal, result_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("FUBINI_SHARED") or ROOT.parent / "shared") / "conformance" / "argo"

pytestmark = pytest.mark.skipif(
    not (CORPUS / "cases").is_dir(),
    reason=f"the recordings are not at {CORPUS}: put them there or set FUBINI_SHARED to the folder that holds them",
)


@functools.cache
def cases() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(file.read_text()) for file in sorted((CORPUS / "cases").glob("*.json")))


@functools.cache
def verdicts() -> dict[str, tuple[str, str]]:
    """Each case's area and verdict, by the recordings' own judge."""
    spec = importlib.util.spec_from_file_location("argo_compare", CORPUS / "compare.py")
    assert spec is not None and spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    out: dict[str, tuple[str, str]] = {}
    for case in cases():
        out[case["name"]] = (case["area"], compare.judge(case, json.loads(json.dumps(result_of(case))))[0])
    return out


def test_nothing_is_wrongly_accepted_or_refused() -> None:
    wrong = [name for name, (_, verdict) in verdicts().items() if verdict.startswith("wrong") or verdict == "broken"]
    assert wrong == []


def test_most_cases_are_run_and_the_rest_name_the_field() -> None:
    outside = [verdict for area, verdict in verdicts().values() if area != "examples"]
    inside = [verdict for area, verdict in verdicts().values() if area == "examples"]
    assert 1 - outside.count("unsupported") / len(outside) >= 0.92
    assert 1 - inside.count("unsupported") / len(inside) >= 0.80


def test_the_trees_are_equal() -> None:
    tried = {name: verdict for name, (_, verdict) in verdicts().items() if verdict != "unsupported"}
    differing = [name for name, verdict in tried.items() if verdict == "differs"]
    exact = sum(verdict == "exact" for verdict in tried.values())
    assert differing == []
    assert exact / len(tried) >= 0.97


def test_a_restart_after_every_event_gives_the_recorded_tree_too() -> None:
    from fubini.engines import embedded

    checked = 0
    for case in cases()[::7]:
        if refusal(case) is not None:
            continue
        manifest, context = parse(case["manifest"]), context_for(case)
        latest: dict[str, Any] = {}
        run: list[Any] = [None]
        open_: list[Any] = []

        def restart(
            event: Any,
            step: Any,
            latest: Any = latest,
            run: Any = run,
            since: Any = open_,
            m: Any = manifest,
            c: Any = context,
        ) -> Any:
            since[:] = [] if step.settled else [*since, event]
            for record in step.nodes:
                latest[record.id] = record
            run[0] = step.run or run[0]
            return embedded.load(m, c, run[0], list(latest.values()), since)

        assert Driver(case, between=restart).run().tree == Driver(case).run().tree, case["name"]
        checked += 1
    assert checked >= 60
