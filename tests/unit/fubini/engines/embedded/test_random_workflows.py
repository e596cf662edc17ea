"""Properties over random workflows of the whole language: the log alone makes the state, a restart anywhere changes
nothing, independent leaves may end in any order, and whatever happens every node ends and nothing is left open."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fubini.engines import embedded
from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from tests.conformance.driver import tree_of
from tests.fuzz.workflows import failures
from tests.support.random_workflows import LIBRARY, Workload
from tests.support.random_world import opened, play

NUMBERS = st.integers(0, 10_000_000)
MANY = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(NUMBERS)
def test_every_random_workflow_passes_the_check_of_manifests(number: int) -> None:
    manifest = Workload(number).manifest
    report = check_manifest(json.dumps(manifest), supported=SUPPORTED, library=list(LIBRARY))
    assert [(f.path, f.message) for f in report.invalid] == []


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(1335, id="an exit handler owed after a retry"),
        pytest.param(1502, id="a task held back by a limit and made ready twice"),
        pytest.param(2033, id="items of a loop that ended while the run was suspended"),
        pytest.param(2475, id="the same inside a composite that asked a cache"),
        pytest.param(209360, id="after a retry a later step group ended while an earlier one was at hand"),
        pytest.param(208001, id="the same with an exit handler"),
        pytest.param(203099, id="after a retry a composite found its result in the cache"),
        pytest.param(204866, id="the same with a lock of the run around it"),
        pytest.param(704944, id="a handler that was open when the run ended, beside a task that hangs nowhere"),
    ],
)
def test_a_workflow_that_once_never_ended_ends(number: int) -> None:
    play(number)
    play(number, restart=True)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(201343, id="a handler that starts only after a retry has dependents that begun before"),
        pytest.param(201707, id="a loop whose handlers have ended is terminated"),
        pytest.param(205534, id="a loop is over while an item's handler waits for room"),
        pytest.param(203657, id="the same after a person let the items go on"),
        pytest.param(301384, id="the handler of an item before the one that runs waits for room"),
        pytest.param(205175, id="a composite with hooks that ends again after a retry"),
        pytest.param(205321, id="a handler ends while its item runs again"),
        pytest.param(305761, id="a composite with a lock waits for room after a retry and is not let through twice"),
        pytest.param(306816, id="an attempt errs after the deadline has ended what is tried"),
        pytest.param(307405, id="a task ends in the pass of a termination, and no handler starts"),
        pytest.param(309933, id="a loop is over while a handler of its items still runs"),
        pytest.param(603110, id="a task could not be read, and no pass came to it for its handler"),
        pytest.param(604415, id="the same where it is a target"),
        pytest.param(803981, id="the same after a retry of the handler it once had"),
    ],
)
def test_a_workflow_that_once_was_another_after_a_restart_is_the_same(number: int) -> None:
    assert "restart" not in failures(number)


@pytest.mark.parametrize("number", [800908, 802626])
def test_a_retry_says_which_frames_came_or_went(number: int) -> None:
    assert failures(number) == {}


@MANY
@given(NUMBERS)
def test_replaying_the_log_gives_the_same_state_and_the_same_steps(number: int) -> None:
    world = play(number)
    again = embedded.State.new(world.manifest, world.context)
    steps = [embedded.advance(again, event) for event in world.log]
    assert steps == world.steps
    assert embedded.dump(again) == embedded.dump(world.state)


@MANY
@given(NUMBERS)
def test_a_restart_at_every_event_gives_the_same_tree(number: int) -> None:
    want, restarted = play(number), play(number, restart=True)
    assert tree_of(restarted.state) == tree_of(want.state)
    assert opened(restarted) == opened(want)


@MANY
@given(NUMBERS)
def test_a_restart_between_a_question_and_its_answer_gives_the_same_tree(number: int) -> None:
    want, restarted = play(number), play(number, restart_midway=True)
    assert tree_of(restarted.state) == tree_of(want.state)
    assert opened(restarted) == opened(want)


@MANY
@given(NUMBERS, st.integers(1, 1_000_000))
def test_independent_leaves_may_end_in_any_order(number: int, order: int) -> None:
    assert tree_of(play(number, calm=True, order=order).state) == tree_of(play(number, calm=True).state)


@MANY
@given(NUMBERS)
def test_what_the_steps_said_last_is_the_whole_tree(number: int) -> None:
    world = play(number)
    run, nodes = embedded.dump(world.state)
    said = {id_: record for id_, record in world.records.items() if record.phase is not None}
    assert {node.id: node for node in nodes} == said
    assert run == world.run_record
