"""Two projects with one of everything each: what a stranger to one of them tries to reach from the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fubini.accounts.models import Token
from fubini.common import clock
from fubini.common.ids import new_id
from fubini.crons.models import Cron
from fubini.datasets.models import Artifact, Blob, Dataset, DatasetVersion, Upload
from fubini.links.models import ShareLink
from fubini.notices.models import Delivery, Webhook
from fubini.pipelines.models import ConfigMap, Pipeline, PipelinePicture, PipelineVersion
from fubini.projects.models import SavedFilter
from fubini.runs.models import JobCounter, Lock, LockClaim, MemoEntry, RunNode
from fubini.secrets.services import secret_set
from fubini.sites.models import JoinToken
from tests.support.rest import Api, House, machine_of, make_house
from tests.support.routes import Route
from tests.support.rows import make_attempt, make_place, make_run, make_task

DIGEST = "ab" * 32
MANIFEST = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: x-}\nspec:\n  entrypoint: a\n"
    "  templates:\n  - name: a\n    container: {image: 'busybox', command: ['true']}\n"
)

# Routes whose rows belong to no project: to the asking person, or to the installation.
NO_PROJECT = frozenset(
    {"users", "tokens", "audit", "pause", "me", "login", "logout", "status", "secrets", "notices", "flags", "admin"}
)
# Queries and bodies without which a request would be refused for its form, or could not name the project.
QUERIES = {"content": "path=a.txt", "blobs": "project={project}", "events": "project={project}&wait=0"}
PATH_QUERIES = {"projects/{ref}/runs/compare": "a={run}&b={run}"}
# Parameters whose name means something else at one address: address -> parameter -> name of the value.
OTHER_NAMES = {
    "projects/{ref}/filters/{id}": {"id": "filter"},
    "projects/{ref}/flags/{name}": {"name": "flag"},
    "projects/{ref}/links/{id}": {"id": "link"},
    **{
        f"projects/{{ref}}/webhooks/{{id}}{end}": {"id": "webhook"}
        for end in ("", "/secret", "/test", "/messages", "/messages/{message}/resend")
    },
}
BODIES: dict[str, dict[str, Any]] = {
    "POST tasks/{id}/files": {"wait_s": 0},
    "POST runs": {"project": "{project}", "manifest": MANIFEST},
    "POST datasets": {"project": "{project}", "name": "stolen"},
    "POST pipelines": {"project": "{project}", "manifest": MANIFEST, "name": "stolen"},
    "POST crons": {"project": "{project}", "manifest": MANIFEST},
    "PUT projects/{ref}/flags/{name}": {"on": False},
    "POST quotes": {"project": "{project}", "manifest": MANIFEST},
    "POST lint": {"project": "{project}", "manifest": MANIFEST},
    "POST projects/{ref}/launch/check": {"manifest": MANIFEST},
    "POST blobs/missing": {"project": "{project}", "digests": []},
    "POST blobs/grants": {"project": "{project}"},
}
LISTS = frozenset({"runs", "datasets", "pipelines", "crons", "pools", "events", "uploads"})


@dataclass
class Twin:
    """A project with one of everything, and the values that name its parts in addresses."""

    house: House
    machine: Api
    names: dict[str, dict[str, str]]  # first word of the address -> parameter -> value

    @property
    def clients(self) -> dict[str, Api]:
        return {**self.house.api, "machine": self.machine}


def make_twin() -> Twin:
    JobCounter.objects.update_or_create(pk=1, defaults={"last": 1_000_000})  # `make_run` counts by itself
    house = make_house(budget_micros=10_000_000)
    project = house.project
    machine = machine_of(project, "maintainer")
    place = make_place(f"site-{new_id()[-8:]}")
    place.pool.projects.add(project)
    join = JoinToken.objects.create(site=place.site, prefix=new_id()[-10:], digest="0" * 64, expires_at=clock.now())
    run = make_run(project)
    RunNode.objects.create(run=run, node_id="n1", name="n1", display_name="n1", type="Pod", phase="Running")
    task = make_task(run, "n1")
    attempt = make_attempt(task, place)
    entry = {"path": "a.txt", "size": 1, "mode": 0o644, "sha256": DIGEST}
    Blob.objects.create(project_id=project.pk, digest=DIGEST, size_bytes=1)
    Artifact.objects.create(
        key=f"{run.pk}/n1/0/out", project_id=project.pk, run_id=run.pk, node_id="n1", generation=0, name="out",
        attempt_id=attempt.pk, entries=[entry], size_bytes=1, created_at_ms=0,
    )  # fmt: skip
    dataset = Dataset.objects.create(project=project, name="data")
    DatasetVersion.objects.create(dataset=dataset, number=1, digest=DIGEST, entries=[entry], files=1, size_bytes=1)
    upload = Upload.objects.create(
        project_id=project.pk,
        digest=DIGEST,
        size_bytes=1,
        touched_at_ms=clock.now_ms(),
        created_by=f"user:{house.users['owner'].username}",
    )
    pipeline = Pipeline.objects.create(project=project, name="pipe")
    PipelinePicture.objects.create(pipeline=pipeline, content=b"<svg/>")
    Pipeline.objects.filter(pk=pipeline.pk).update(picture_type="image/svg+xml", picture_digest=DIGEST)
    PipelineVersion.objects.create(pipeline=pipeline, number=1, kind="Workflow", text=MANIFEST, digest=DIGEST)
    cron = Cron.objects.create(
        project=project, name="cron", text="", document={"spec": {"schedules": ["@daily"]}}, anchor_ms=0,
        considered_ms=0, created_at_ms=0, saved_by="test", suspended=True,
    )  # fmt: skip
    token = Token.objects.get(project_id=project.pk)
    secret_set(project=project, name="thing", values={"thing": b"a value"}, actor="test")
    ConfigMap.objects.create(project=project, name="thing", data={"a": "1"}, created_at_ms=0, changed_at_ms=0)
    lock = Lock.objects.create(project=project, kind="Database", semaphore=True, resource="thing", size=1)
    LockClaim.objects.create(claim=new_id(), lock=lock, run=run, node_id="n1", created_at_ms=0, asked_at_ms=0)
    MemoEntry.objects.create(
        project=project, cache="thing", key="k", run_id=run.pk, node_id="n1", created_at_ms=0, hit_at_ms=0
    )
    saved = SavedFilter.objects.create(
        project=project, owner=f"user:{house.users['owner'].username}", page="runs", name="mine", updated_at_ms=0
    )
    link = ShareLink.objects.create(
        project=project, code=f"c{new_id()[-11:]}", address="/runs", created_by="test", created_at_ms=0, expires_at_ms=2**52
    )
    hook = Webhook.objects.create(
        project=project,
        name="hook",
        url="https://example.org/",
        sealed="",
        created_by="test",
        created_at_ms=0,
        active=False,
    )
    message = Delivery.objects.create(
        webhook=hook, project=project, kind="test", payload={}, created_at_ms=0, due_at_ms=0, state="failed"
    )
    names = {
        "projects": {
            "ref": project.slug,
            "username": house.users["viewer"].username,
            "id": token.pk,
            **dict.fromkeys(("name", "key", "cache"), "thing"),
            "lock": lock.pk,
            "month": "2026-01",
            "run": run.pk,
            "filter": str(saved.pk),
            "flag": "reuse",
            "link": link.pk,
            "webhook": hook.pk,
            "message": message.pk,
        },
        "datasets": {"id": dataset.pk, "number": "1"},
        "uploads": {"id": upload.pk},
        "pipelines": {"id": pipeline.pk, "number": "1"},
        "crons": {"id": cron.pk},
        "blobs": {"digest": DIGEST},
        "runs": {"id": run.pk, "node": "n1"},
        "tasks": {"id": task.pk},
        "artifacts": {"run": run.pk, "node": "n1", "generation": "0", "name": "out", "path": "a.txt"},
        "sites": {"ref": place.site.name, "id": join.pk, "name": place.group.name},
        "links": {"code": link.code},
        "agents": {"id": place.agent.pk},
        "pools": {"id": place.pool.pk},
    }
    return Twin(house, machine, names)


@dataclass(frozen=True, slots=True)
class Call:
    """One request that names something of a project. `absent` names nothing that exists, in the same form."""

    method: str
    url: str
    body: dict[str, Any] | None
    absent: str
    absent_body: dict[str, Any] | None


def calls_on(twin: Twin, routes: list[Route]) -> list[Call]:
    """The requests of every route that can name something of this project, by slug and by id.

    Raises:
        LookupError: a route's first word is new: say in this file whose rows it shows.
    """
    found: list[Call] = []
    project = twin.house.project
    for route in routes:
        if not route.path.startswith("/api/v1/"):
            continue
        first = route.words[0]
        if first in NO_PROJECT or route.path == "/api/v1/ledger/check":
            continue
        if first not in {*twin.names, "events", "lint", "quotes"}:
            raise LookupError(f"{route.path}: tests/support/twins.py does not know whose rows this shows")
        named = "{" in route.path
        refs = [project.slug, project.pk] if first == "projects" or not named else [project.slug]
        for method in route.methods:
            key = f"{method} {'/'.join(route.words)}"
            if not named and key not in BODIES and not (method == "GET" and route.words[0] in LISTS):
                continue
            for ref in refs:
                found.append(_call(twin, route, method, ref, key, named))
    return found


def _call(twin: Twin, route: Route, method: str, ref: str, key: str, named: bool) -> Call:
    values = {**twin.names.get(route.words[0], {})}
    if route.words[0] == "projects":
        values["ref"] = ref
    values |= {name: values[other] for name, other in OTHER_NAMES.get("/".join(route.words), {}).items()}
    absent = {name: "f" * 32 if name in {"ref", "id", "run", "username", "lock", "code"} else v for name, v in values.items()}
    if "filter" in values and "/filters/" in route.path:
        absent["id"] = "999999"  # a number by its form
    if route.words[0] == "blobs":
        absent = values  # the digest is of the bytes; the project is what is not there
    default = "" if named else "project={project}"
    query = QUERIES.get(route.words[0], QUERIES["content"] if route.words[-1] == "content" else default)
    query = PATH_QUERIES.get("/".join(route.words), query).replace("{run}", values.get("run", ""))
    if not named and method != "GET":
        query = ""
    body = BODIES.get(key, {} if method in {"POST", "PATCH", "PUT"} else None)

    def url(parts: dict[str, str], which: str) -> str:
        path = route.path.format(**parts) if named else route.path
        return f"{path}?{query.format(project=which)}" if query else path

    def filled(which: str) -> dict[str, Any] | None:
        return {k: which if v == "{project}" else v for k, v in body.items()} if body is not None else None

    return Call(method, url(values, ref), filled(ref), url(absent, "f" * 32), filled("f" * 32))
