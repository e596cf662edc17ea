"""Logs as the Argo door streams them: nothing lost at the end, nothing twice, whole lines."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.common import clock
from fubini.compat.argo.streams import _lines, _Log, _matcher
from fubini.runs.codec import to_json
from fubini.runs.engine import ContainerKind, ContainerSpec, TaskSpec
from fubini.runs.logs import LATE_MS, log_append
from fubini.runs.models import Attempt, Run, Task
from fubini.runs.selectors import containers_of
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt() -> Attempt:
    run = make_run(make_project(), name="talk")
    return make_attempt(make_task(run, "talk-7"), make_place())


def log_of(attempt: Attempt, **more: Any) -> _Log:
    values: dict[str, Any] = {
        "pod": "",
        "container": "main",
        "follow": True,
        "tail": None,
        "limit": None,
        "match": _matcher(""),
        "nothing": False,
    }
    return _Log(run_id=attempt.run_id, **(values | more))


def look(log: _Log) -> tuple[bool, list[str]]:
    complete, found = _lines(log)
    return complete, [message["result"]["content"] for message in found]


def end(attempt: Attempt, *, ago_ms: int = 0) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(state="succeeded", ended_at_ms=clock.now_ms() - ago_ms)
    Task.objects.filter(pk=attempt.task_id).update(state="succeeded")
    Run.objects.filter(pk=attempt.run_id).update(state="succeeded")


def test_lines_come_whole_and_once(attempt: Attempt) -> None:
    log = log_of(attempt)
    log_append(attempt, 0, b"one\ntw")
    assert look(log) == (False, ["one"])
    log_append(attempt, 6, b"o\n\nthree")
    assert look(log) == (False, ["two", ""])
    assert look(log) == (False, [])


def test_a_follower_waits_for_lines_that_come_after_the_attempt_s_end(attempt: Attempt) -> None:
    log = log_of(attempt)
    log_append(attempt, 0, b"early\n")
    end(attempt)
    assert look(log) == (False, ["early"])
    log_append(attempt, 6, b"late", eof=True)
    assert look(log) == (True, ["late"])


def test_a_log_nobody_ends_is_over_some_seconds_after_its_attempt(attempt: Attempt) -> None:
    log = log_of(attempt)
    log_append(attempt, 0, b"cut off")
    end(attempt, ago_ms=LATE_MS + 1)
    assert look(log) == (True, ["cut off"])


def test_tail_grep_and_pod_choose_lines(attempt: Attempt) -> None:
    log_append(attempt, 0, b"a1\nb2\na3\nb4\n", eof=True)
    assert look(log_of(attempt, match=_matcher("^a")))[1] == ["a1", "a3"]
    assert look(log_of(attempt, follow=False, tail=2))[1] == ["a3", "b4"]
    assert look(log_of(attempt, pod="talk-7"))[1] == ["a1", "b2", "a3", "b4"]
    assert look(log_of(attempt, pod="other"))[1] == []


def test_each_container_of_a_step_has_its_log_and_one_it_has_not_has_none(attempt: Attempt) -> None:
    parts = tuple(ContainerSpec(name, ContainerKind.MAIN, "busybox", ("true",)) for name in ("first", "second"))
    Task.objects.filter(pk=attempt.task_id).update(
        spec=to_json(TaskSpec("talk", "busybox", ("true",), containers=parts))
    )
    names = containers_of(Task.objects.get(pk=attempt.task_id))
    log_append(attempt, 0, b"of the one that stands for the step\n", eof=True)
    log_append(attempt, 0, b"of the other\n", container=names[1], eof=True)
    end(attempt)
    for name in ("main", names[0]):
        assert look(log_of(attempt, container=name)) == (True, ["of the one that stands for the step"])
    assert look(log_of(attempt, container=names[1])) == (True, ["of the other"])
    assert look(log_of(attempt, container="wait")) == (True, [])
