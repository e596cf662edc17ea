"""Several querysets in one statement give what each gives alone."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import FloatField, Value
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.common.together import together
from fubini.projects.models import Project, Quota
from fubini.runs.models import Attempt, SharedDocument, Task
from fubini.sites.models import Agent, Pool
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task, make_user

pytestmark = pytest.mark.django_db


def test_rows_read_together_are_those_that_each_queryset_gives_alone() -> None:
    project, place = make_project(), make_place("odd")
    Agent.objects.update(last_sync_at=clock.now(), hardware={"a": [1, None, "1", "é"], "b": True}, draining=True)
    Project.objects.filter(pk=project.pk).update(title='50 % of "this"\n\\ and that', share=2**31 - 1)
    Quota.objects.create(project=project, runs=2), Quota.objects.create(project=project, user=make_user(), runs=3)
    run = make_run(project)
    attempts = [make_attempt(make_task(run, f"n{n}"), place) for n in range(3)]
    document = SharedDocument.objects.create(digest="d" * 64, content={"nodes": 2**60, "why": "a text"})
    Attempt.objects.filter(pk=attempts[1].pk).update(placement_document=document)
    parts = {
        "agents": Agent.objects.order_by("pk"),
        "projects": Project.objects.filter(title__contains="%"),
        "quotas": Quota.objects.select_related("user").order_by("-pk"),
        "attempts": Attempt.objects.select_related("placement_document").only("task_id", "placement_document__content").order_by("pk"),
        "newest": Task.objects.order_by("-pk").values_list("pk", "version")[:2],
        "names": Pool.objects.values_list("name", flat=True),
        "none": Task.objects.filter(pk__in=[]),
        "empty": Task.objects.filter(node_id="nowhere").values_list("pk"),
    }  # fmt: skip
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = together(parts)
        said = [(a.task_id, a.placement) for a in found["attempts"]]
        people = [q.user.username if q.user else "" for q in found["quotas"]]
    assert len(queries) == 1
    assert said == [(a.task_id, {"nodes": 2**60, "why": "a text"} if n == 1 else {}) for n, a in enumerate(attempts)]
    assert people == [q.user.username if q.user else "" for q in parts["quotas"]]
    assert found["newest"] == list(parts["newest"]) and len(found["newest"]) == 2
    for name in ("agents", "projects", "quotas"):
        assert [vars(row) | {"_state": 0} for row in found[name]] == [
            vars(row) | {"_state": 0} for row in parts[name].all()
        ]
        assert found[name]
    assert found["names"] == ["odd"] and found["none"] == found["empty"] == []


def test_what_can_have_no_rows_is_not_asked_for() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert together({"none": Task.objects.none(), "neither": Task.objects.filter(pk__in=[])}) == {
            "none": [],
            "neither": [],
        }
    assert len(queries) == 0


def test_a_fraction_is_refused_because_json_would_round_it() -> None:
    with pytest.raises(TypeError, match="FloatField"):
        together({"half": Pool.objects.annotate(half=Value(0.5, output_field=FloatField())).values_list("half")})
