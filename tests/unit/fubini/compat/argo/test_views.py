"""The Argo door over rows: shapes, errors, and that nothing of another project is there."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from fubini.compat.argo import views
from fubini.compat.argo.shapes import uid_of
from fubini.compat.argo.urls import WORDS, urlpatterns
from fubini.crons.models import Cron
from fubini.datasets.models import Artifact, Blob
from fubini.pipelines.models import Pipeline
from fubini.projects.models import Membership
from fubini.runs.models import JobCounter, Run, RunNode, RunSignal
from tests.support.rest import Api, House, make_house
from tests.support.rows import make_run

pytestmark = pytest.mark.django_db
SPEC: dict[str, Any] = {
    "entrypoint": "main",
    "arguments": {"parameters": [{"name": "who", "value": "world"}]},
    "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}],
}
WORKFLOW: dict[str, Any] = {
    "metadata": {"generateName": "hello-", "creationTimestamp": None},
    "spec": SPEC,
    "status": {},
}
DIGEST = "ab" * 32


@pytest.fixture
def house() -> House:
    JobCounter.objects.update_or_create(pk=1, defaults={"last": 1_000_000})  # `make_run` counts by itself
    return make_house(budget_micros=1_000_000)


def error_of(reply: Any, status: int, code: int) -> str:
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.content
    assert set(reply.json()) == {"code", "message", "error"}
    message: str = reply.json()["message"]
    assert message == reply.json()["error"]
    return message


def create(house: House, workflow: dict[str, Any] | None = None, who: str = "member") -> Any:
    return house.api[who].post(f"workflows/{house.project.slug}", {"workflow": workflow or WORKFLOW})


def named(name: str) -> dict[str, Any]:
    return {**WORKFLOW, "metadata": {"name": name, "labels": {"team": "a"}}}


def test_a_workflow_is_created_read_back_and_listed(house: House) -> None:
    made = create(house).json()
    assert made["kind"] == "Workflow" and made["metadata"]["name"].startswith("hello-")
    assert made["metadata"]["namespace"] == house.project.slug
    assert made["spec"] == SPEC
    run = Run.objects.get()
    assert made["metadata"]["uid"] == uid_of(run.pk) and run.submitted_by == f"user:{house.users['member'].username}"
    viewer = house.api["viewer"]
    base = f"workflows/{house.project.slug}"
    assert viewer.get(f"{base}/{run.name}").json()["metadata"]["uid"] == uid_of(run.pk)
    assert viewer.get(f"{base}/@latest").json()["metadata"]["uid"] == uid_of(run.pk)
    assert [w["metadata"]["name"] for w in viewer.get(base).json()["items"]] == [run.name]
    assert [w["metadata"]["name"] for w in viewer.get("workflows/").json()["items"]] == [run.name]


def test_a_name_is_taken_once_and_free_again_after_a_delete(house: House) -> None:
    assert create(house, named("one")).status_code == 200
    assert 'workflows.argoproj.io "one" already exists' in error_of(create(house, named("one")), 409, 6)
    error_of(house.api["member"].delete(f"workflows/{house.project.slug}/one"), 403, 7)
    assert house.api["maintainer"].delete(f"workflows/{house.project.slug}/one").json() == {}
    error_of(house.api["viewer"].get(f"workflows/{house.project.slug}/one"), 404, 5)
    assert RunSignal.objects.get().kind == "terminate"  # it had not ended
    assert create(house, named("one")).status_code == 200


def test_every_finding_of_a_manifest_is_in_the_one_message_clients_show(house: House) -> None:
    bad = {**WORKFLOW, "spec": {**SPEC, "entrypoint": "mian", "paralelism": 3}}
    for path in ("", "/lint"):
        reply = house.api["member"].post(f"workflows/{house.project.slug}{path}", {"workflow": bad})
        message = error_of(reply, 400, 3)
        assert "spec.entrypoint" in message and "nearest: main" in message and "spec.paralelism" in message
    assert not Run.objects.exists()


def test_a_dry_run_and_a_lint_make_no_run(house: House) -> None:
    member = house.api["member"]
    base = f"workflows/{house.project.slug}"
    for body in ({"createOptions": {"dryRun": ["All"]}}, {"serverDryRun": True}):
        assert member.post(base, {"workflow": WORKFLOW, **body}).json()["spec"] == SPEC
    assert member.post(f"{base}/lint", {"workflow": WORKFLOW}).json()["kind"] == "Workflow"
    assert not Run.objects.exists()


def test_what_is_no_workflow_or_for_another_namespace_is_refused(house: House) -> None:
    base = f"workflows/{house.project.slug}"
    error_of(house.api["member"].post(base, {}), 400, 3)
    error_of(house.api["member"].post(base, {"workflow": {**WORKFLOW, "kind": "Job"}}), 400, 3)
    error_of(create(house, {**WORKFLOW, "metadata": {"name": "x", "namespace": "elsewhere"}}), 400, 3)
    error_of(house.api["member"].call("POST", base, raw=b"{not json"), 400, 3)
    error_of(house.api["member"].call("POST", base, raw=b"[" * 100 + b"]" * 100), 400, 3)
    error_of(create(house, who="viewer"), 403, 7)
    error_of(Api().post(base, {"workflow": WORKFLOW}), 401, 16)


def test_a_body_needs_no_content_type_as_the_argo_command_sends_none(house: House) -> None:
    raw = json.dumps({"workflow": WORKFLOW}).encode()
    reply = house.api["member"].call("POST", f"workflows/{house.project.slug}", raw=raw, **{"Content-Type": ""})
    assert reply.status_code == 200, reply.content


def make_tree(house: House, **more: Any) -> Run:
    run = make_run(
        house.project, name="tree", state="failed", phase="Failed", started_at_ms=0, finished_at_ms=5000, **more
    )
    rows = [
        ("tree", "Steps", [], {}),
        ("tree-1", "StepGroup", ["tree"], {}),
        ("tree-2", "Pod", ["tree-1"], {"outputs": {"artifacts": [{"name": "out", "key": f"{run.pk}/tree-2/0/out"}]}}),
        ("tree-3", "Pod", ["tree-1"], {"phase": "Failed", "message": "no"}),
    ]
    for node_id, kind, parents, extra in rows:
        values = {"phase": "Succeeded", "extra": {"template_scope": "local/tree"}, **extra}
        RunNode.objects.create(
            run=run, node_id=node_id, name=node_id, display_name=node_id, type=kind, parents=parents, **values
        )
    entry = {"path": "", "size": 1, "mode": 0o644, "sha256": DIGEST}
    Blob.objects.create(project_id=house.project.pk, digest=DIGEST, size_bytes=1)
    Artifact.objects.create(
        key=f"{run.pk}/tree-2/0/out", project_id=house.project.pk, run_id=run.pk, node_id="tree-2", generation=0,
        name="out", attempt_id="a", entries=[entry], size_bytes=1, created_at_ms=0,
    )  # fmt: skip
    return run


def test_the_tree_is_argo_s_nodes_by_id_with_children_and_artifacts_with_keys(house: House) -> None:
    run = make_tree(house)
    status = house.api["viewer"].get(f"workflows/{house.project.slug}/tree").json()["status"]
    assert (status["phase"], status["finishedAt"]) == ("Failed", "1970-01-01T00:00:05Z")
    assert {"type": "Completed", "status": "True"} in status["conditions"]
    assert list(status["nodes"]) == ["tree", "tree-1", "tree-2", "tree-3"]
    assert status["nodes"]["tree-1"]["children"] == ["tree-2", "tree-3"]
    assert "children" not in status["nodes"]["tree-2"]
    assert status["nodes"]["tree-2"]["outputs"]["artifacts"] == [
        {"name": "out", "s3": {"key": f"{run.pk}/tree-2/0/out"}}
    ]
    assert status["nodes"]["tree-3"]["message"] == "no"


def test_a_tree_too_large_for_one_answer_is_left_out_as_argo_leaves_out_an_offloaded_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(house)
    monkeypatch.setattr("fubini.compat.argo.reads.NODES_MAX", 3)
    monkeypatch.setattr("fubini.compat.argo.reads.LIST_NODES_MAX", 3)
    base = f"workflows/{house.project.slug}"
    for status in (
        house.api["viewer"].get(f"{base}/tree").json()["status"],
        house.api["viewer"].get(base).json()["items"][0]["status"],
    ):
        assert "nodes" not in status and status["offloadNodeStatusVersion"].startswith("fnv:")


def test_lists_are_selected_by_labels_phase_and_name_and_come_in_pages(house: House) -> None:
    create(house, named("one"))
    create(house, {**WORKFLOW, "metadata": {"name": "two", "labels": {"team": "b"}}})
    make_tree(house)
    base = f"workflows/{house.project.slug}?"

    def names(query: str) -> list[str]:
        return sorted(w["metadata"]["name"] for w in house.api["viewer"].get(base + query).json()["items"])

    label = "listOptions.labelSelector="
    assert names(label + "team=a") == ["one"]
    assert names(label + "team in (a,b)") == ["one", "two"]
    assert names(label + "!team") == ["tree"]
    assert names(label + "workflows.argoproj.io/phase in (Failed,Error)") == ["tree"]
    assert names(label + "workflows.argoproj.io/completed!=true") == ["one", "two"]
    assert names(label + f"workflows.argoproj.io/creator={house.users['member'].username}") == ["one", "two"]
    assert names("listOptions.fieldSelector=metadata.name=t&nameFilter=Prefix") == ["tree", "two"]
    first = house.api["viewer"].get(base + "listOptions.limit=2&fields=metadata,items.metadata.name").json()
    assert [len(first["items"]), first["metadata"]["continue"]] == [2, "2"]
    rest = house.api["viewer"].get(base + "listOptions.limit=2&listOptions.continue=2").json()
    assert len(rest["items"]) == 1 and "continue" not in rest["metadata"]


def test_templates_are_pipelines_of_the_project(house: House) -> None:
    template = {"metadata": {"name": "tools", "labels": {"a": "b"}}, "spec": SPEC}
    base = f"workflow-templates/{house.project.slug}"
    member = house.api["member"]
    assert member.post(base, {"template": template}).json()["metadata"]["resourceVersion"] == "1"
    assert Pipeline.objects.get().name == "tools"
    error_of(member.post(base, {"template": template}), 409, 6)
    template["spec"] = {**SPEC, "parallelism": 3}
    assert member.put(f"{base}/", {"template": template}).json()["metadata"]["resourceVersion"] == "2"
    assert member.get(f"{base}/tools").json()["spec"]["parallelism"] == 3
    assert [t["metadata"]["name"] for t in member.get(f"{base}?listOptions.labelSelector=a=b").json()["items"]] == [
        "tools"
    ]
    error_of(member.post(f"{base}/lint", {"template": {**template, "spec": {**SPEC, "entrypoint": "x"}}}), 400, 3)
    made = member.post(
        f"workflows/{house.project.slug}/submit",
        {
            "resourceKind": "WorkflowTemplate",
            "resourceName": "tools",
            "submitOptions": {"parameters": ["who=moon"], "labels": "x=y"},
        },
    ).json()
    assert made["metadata"]["labels"]["x"] == "y" and made["spec"]["workflowTemplateRef"] == {"name": "tools"}
    assert Run.objects.get().parameters == {"who": "moon"}
    error_of(member.delete(f"{base}/tools"), 403, 7)
    assert house.api["maintainer"].delete(f"{base}/tools").json() == {}
    error_of(member.get(f"{base}/tools"), 404, 5)


def test_a_cluster_template_belongs_to_the_one_project_that_can_be_seen_or_to_the_one_named(house: House) -> None:
    template = {"metadata": {"name": "shared"}, "spec": SPEC}
    assert house.api["member"].post("cluster-workflow-templates", {"template": template}).status_code == 200
    assert house.api["viewer"].get("cluster-workflow-templates/shared").json()["kind"] == "ClusterWorkflowTemplate"
    other = make_house()
    Membership.objects.create(project=other.project, user=house.users["member"], role="member")
    more = {"template": {"metadata": {"name": "more"}, "spec": SPEC}}
    assert "X-Fubini-Project" in error_of(house.api["member"].post("cluster-workflow-templates", more), 400, 3)
    chosen = house.api["member"].post("cluster-workflow-templates", more, X_Fubini_Project=other.project.slug)
    assert chosen.status_code == 200
    assert {t["metadata"]["name"] for t in house.api["member"].get("cluster-workflow-templates").json()["items"]} == {
        "shared",
        "more",
    }


def test_a_list_of_schedules_takes_as_many_queries_for_many_as_for_one(house: House) -> None:
    member = house.api["member"]
    counts = []
    for name in ("a", "b", "c"):
        cron = {"metadata": {"name": name}, "spec": {"schedules": ["0 3 * * *"], "workflowSpec": SPEC}}
        member.post(f"cron-workflows/{house.project.slug}", {"cronWorkflow": cron})
        with CaptureQueriesContext(connection) as queries:
            assert name in [
                c["metadata"]["name"] for c in member.get(f"cron-workflows/{house.project.slug}").json()["items"]
            ]
        counts.append(len(queries))
    assert counts[0] == counts[2]


def test_cron_workflows_are_the_project_s_schedules(house: House) -> None:
    cron = {"metadata": {"name": "nightly"}, "spec": {"schedules": ["0 3 * * *"], "workflowSpec": SPEC}}
    base = f"cron-workflows/{house.project.slug}"
    member = house.api["member"]
    assert member.post(base, {"cronWorkflow": cron}).json()["status"]["phase"] == "Active"
    error_of(member.post(base, {"cronWorkflow": cron}), 409, 6)
    assert member.put(f"{base}/nightly/suspend", {}).json()["spec"]["suspend"] is True
    assert member.put(f"{base}/nightly/resume", {}).json()["spec"]["suspend"] is False
    cron["spec"]["schedules"] = ["0 4 * * *"]
    assert member.put(f"{base}/", {"cronWorkflow": cron}).json()["spec"]["schedules"] == ["0 4 * * *"]
    assert [c["metadata"]["name"] for c in member.get(base).json()["items"]] == ["nightly"]
    cron["spec"]["schedules"] = ["0 44 * * *"]
    assert "spec.schedules[0]" in error_of(member.post(f"{base}/lint", {"cronWorkflow": cron}), 400, 3)
    assert house.api["maintainer"].delete(f"{base}/nightly").json() == {}
    assert not Cron.objects.exists()


def test_ended_runs_are_the_archive(house: House) -> None:
    run = make_tree(house)
    create(house, named("going"))
    viewer = house.api["viewer"]
    found = viewer.get(f"archived-workflows?namespace={house.project.slug}").json()["items"]
    assert [w["metadata"]["uid"] for w in found] == [uid_of(run.pk)]
    for uid in (run.pk, uid_of(run.pk)):
        assert viewer.get(f"archived-workflows/{uid}").json()["status"]["phase"] == "Failed"
    going = Run.objects.get(name="going")
    error_of(viewer.get(f"archived-workflows/{going.pk}"), 404, 5)
    assert house.api["maintainer"].delete(f"archived-workflows/{run.pk}").json() == {}
    error_of(viewer.get(f"archived-workflows/{run.pk}"), 404, 5)


def test_an_artifact_s_file_is_a_redirect_to_its_signed_address(house: House) -> None:
    run = make_tree(house)
    viewer = house.api["viewer"]
    slug = house.project.slug
    for path in (
        f"/artifacts/{slug}/tree/tree-2/out", f"/artifacts-by-uid/{run.pk}/tree-2/out",
        f"/artifact-files/{slug}/workflows/tree/tree-2/outputs/out",
        f"/artifact-files/{slug}/archived-workflows/{run.pk}/tree-2/outputs/out",
    ):  # fmt: skip
        reply = viewer.get(path)
        assert reply.status_code == 302 and DIGEST in reply["Location"], (path, reply.content)
    error_of(viewer.get(f"/artifacts/{slug}/tree/tree-3/out"), 404, 5)
    error_of(viewer.get(f"/input-artifacts/{slug}/tree/tree-2/out"), 404, 5)


def test_info_version_and_user_are_told(house: House) -> None:
    viewer = house.api["viewer"]
    assert viewer.get("version").json()["version"].startswith("v4.")
    assert "modals" in viewer.get("info").json()
    assert viewer.get("userinfo").json()["name"] == house.users["viewer"].username
    assert "does not serve" in error_of(viewer.get(f"sync/{house.project.slug}/key"), 501, 12)


def test_a_set_is_what_the_engine_hears_and_one_that_cannot_be_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "HEARD_WITHIN_S", 0.0)
    run = make_run(house.project, name="held")
    member = house.api["member"]
    base = f"workflows/{house.project.slug}/held/set"
    for body in ({"phase": "Succeeded"}, {"phase": "Odd", "nodeFieldSelector": "id=x"},
                 {"nodeFieldSelector": "id=x", "outputParameters": "[]"}):  # fmt: skip
        error_of(member.put(base, body), 400, 3)
    for body in ({"phase": "Error", "message": "no"}, {"outputParameters": '{"a": "1"}'}):
        assert member.put(base, {"nodeFieldSelector": "id=x", **body}).status_code == 200
    assert list(RunSignal.objects.filter(run=run).order_by("id").values_list("kind", "payload")) == [
        ("set", {"selector": "id=x", "phase": "Error", "message": "no"}),
        ("set", {"selector": "id=x", "outputs": {"a": "1"}}),
    ]


# --- strangers ---

_VALUES = {"namespace": "{slug}", "name": "tree", "uid": "{run}", "node": "tree-2", "artifact": "out", "pod": "tree-2",
           "by": "workflows", "which": "outputs", "path": "x"}  # fmt: skip


def _addresses(*, streams: bool = False) -> list[str]:
    found = [str(p.pattern) for p in urlpatterns if not str(p.pattern).startswith("^")]
    found = [text for text in found if (text.endswith("/log") or "workflow-events" in text) is streams]
    return [re.sub(r"<(?:\w+:)?(\w+)>", lambda m: _VALUES[m[1]], text) for text in found]


def test_nobody_gets_in_without_a_token_and_a_stranger_finds_nothing(house: House) -> None:
    run = make_tree(house)
    stranger = make_house().api["owner"]
    open_to_all = {"api/v1/info", "api/v1/version", "api/v1/userinfo"}
    seen = 0
    for address in _addresses():
        url = "/" + address.format(slug=house.project.slug, run=run.pk)
        for method in ("GET", "POST", "PUT", "DELETE"):
            body = (
                {"workflow": WORKFLOW, "template": WORKFLOW, "cronWorkflow": WORKFLOW}
                if method in ("POST", "PUT")
                else None
            )
            anonymous = Api().call(method, url, body)
            assert anonymous.status_code in (401, 501), (method, url, anonymous.status_code)
            reply = stranger.call(method, url, body)
            if address in open_to_all or (house.project.slug not in url and str(run.pk) not in url):
                continue  # lists of what the stranger itself can see
            seen += 1
            assert reply.status_code in (404, 501), (method, url, reply.status_code, reply.content[:200])
            assert b"tree-1" not in reply.content
    assert seen > 100


@pytest.mark.django_db(transaction=True)
def test_streams_are_closed_to_strangers_too(house: House) -> None:
    make_tree(house)
    stranger = make_house().api["owner"]
    addresses = ["/" + a.format(slug=house.project.slug, run="x") for a in _addresses(streams=True)]
    assert len(addresses) == 5
    for url in addresses:
        error_of(Api().get(url), 401, 16)
        if house.project.slug in url:
            error_of(stranger.get(url), 404, 5)
    error_of(house.api["viewer"].get(f"workflow-events/{house.project.slug}?listOptions.limit=x"), 400, 3)


@pytest.mark.django_db(transaction=True)
def test_a_watch_shows_what_there_is_and_then_what_changes_as_lines_or_as_events(house: House) -> None:
    run = make_tree(house)
    token = house.api["member"].token
    url = f"/api/v1/workflow-events/{house.project.slug}?listOptions.timeoutSeconds=4&fields=result.object.metadata.name,result.type"

    async def read(accept: str, change: bool) -> list[dict[str, Any]]:
        reply = await AsyncClient().get(url, headers={"Authorization": f"Bearer {token}", "Accept": accept})
        found: list[dict[str, Any]] = []
        async for chunk in reply.streaming_content:  # type: ignore[attr-defined]
            for line in chunk.decode().splitlines():
                if accept == "text/event-stream" and line.strip(":"):
                    assert line.startswith("data: ")
                if line.removeprefix("data: ").startswith("{"):
                    found.append(json.loads(line.removeprefix("data: "))["result"])
            if change and len(found) == 1:
                await asyncio.to_thread(lambda: house.api["maintainer"].delete(f"workflows/{house.project.slug}/tree"))
                change = False
        return found

    shown = asyncio.run(read("text/event-stream", True))
    assert [(e["type"], e["object"]) for e in shown] == [
        ("ADDED", {"metadata": {"name": run.name}}), ("DELETED", {"metadata": {"name": run.name}}),
    ]  # fmt: skip
    assert asyncio.run(read("application/json", False)) == []


def test_no_route_of_our_own_begins_with_a_word_of_argo_s() -> None:
    def walk(patterns: Any, prefix: str) -> list[tuple[str, str]]:
        found = []
        for entry in patterns:
            path = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                found += walk(entry.url_patterns, path)
            elif isinstance(entry, URLPattern):
                found.append((path, getattr(entry.callback, "__module__", "")))
        return found

    ours = [(p, m) for p, m in walk(get_resolver().url_patterns, "") if p.startswith("api/v1/")]
    first = {p.removeprefix("api/v1/").split("/")[0] for p, m in ours if not m.startswith("fubini.compat")}
    assert first & set(WORDS) == set() and "runs" in first
