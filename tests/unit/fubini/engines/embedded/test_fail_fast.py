"""Templates that fail fast: a pass that finds a failed child and nothing running ends the template before anything else."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.engines.embedded.frames import FAILED_FAST
from fubini.runs.engine import LeafOutcome, NodePhase
from tests.unit.fubini.engines.embedded.support import Platform, done, failed, leaf, workflow

GOES_ON = {"failed": True, "error": True}


def outcome(name: str) -> LeafOutcome:
    return failed() if "bad" in name else done()


def run(main: dict[str, Any], *templates: dict[str, Any], restart: bool) -> Platform:
    manifest = workflow([{"name": "main", "failFast": True, **main}, leaf("work"), *templates])
    return Platform(manifest, outcome, restart=restart).run()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_failed_leaf_ends_the_template_whatever_may_go_on(kind: str, restart: bool) -> None:
    bad = {"name": "bad", "template": "work", "continueOn": GOES_ON}
    main = {"steps": [[bad]]} if kind == "steps" else {"dag": {"tasks": [bad]}}
    platform = run(main, restart=restart)
    assert platform.state.phase is NodePhase.FAILED and platform.state.message == FAILED_FAST


@pytest.mark.parametrize("restart", [False, True])
def test_a_leaf_is_not_tried_again_in_a_template_that_fails_fast(restart: bool) -> None:
    again = leaf("again", retryStrategy={"limit": 3})
    platform = run({"steps": [[{"name": "bad", "template": "again"}]]}, again, restart=restart)
    assert platform.state.message == FAILED_FAST
    assert platform.phases()["wf[0].bad"] == "Running" and "wf[0].bad(1)" not in platform.phases()


@pytest.mark.parametrize("restart", [False, True])
def test_groups_after_a_failed_composite_count_as_done_where_nothing_of_them_starts(restart: bool) -> None:
    inner = {"name": "inner", "steps": [[{"name": "bad", "template": "work"}]]}
    first = {"name": "first", "template": "inner", "continueOn": GOES_ON}
    group = [{"name": "never", "template": "work"}, {"name": "off", "template": "work", "when": "false"}]
    platform = run({"steps": [[first], group]}, inner, restart=restart)
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert platform.messages()["wf[1]"] == FAILED_FAST and platform.phases()["wf[1]"] == "Succeeded"
    assert platform.phases()["wf[1].off"] == "Skipped" and "wf[1].never" not in platform.phases()
