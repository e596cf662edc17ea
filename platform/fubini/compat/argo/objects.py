"""The routes of stored objects: workflow templates, cluster workflow templates, schedules."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.compat.argo import bodies, reads, shapes
from fubini.compat.argo.codes import AlreadyExists
from fubini.compat.argo.selection import Requirement, Wanted, wanted_of
from fubini.compat.argo.views import ArgoView, checked
from fubini.crons.models import Cron, CronTick
from fubini.crons.selectors import crons_of
from fubini.crons.services import cron_delete, cron_save, cron_suspend
from fubini.pipelines.services import pipeline_delete, pipeline_save
from fubini.projects.authorize import authorize, project_get, projects_visible
from fubini.projects.models import Project

ACTIVE_MAX: Final = 100  # runs that go on, shown with one schedule


class TemplateBase(ArgoView):
    """What the addresses of templates share; `kind` comes from the route."""

    kind: str = "WorkflowTemplate"

    def manifest(self, project: Project) -> dict[str, Any]:
        return bodies.manifest_in(self.body(), "template", self.kind, namespaces=(project.slug, project.pk))

    def projects(self, namespace: str, action: str) -> list[Project]:
        if self.kind == "WorkflowTemplate":
            return [project_get(self.principal, namespace, action)]
        named = self.request.headers.get("X-Fubini-Project") or self.query.get("namespace") or ""
        return reads.cluster_projects(self.principal, named, action)

    def one_project(self, namespace: str, action: str) -> Project:
        """The project a template is written to.

        Raises:
            Invalid: a cluster template, and several projects can be seen.
        """
        projects = self.projects(namespace, action)
        if len(projects) != 1:
            raise Invalid(
                say(
                    "A ClusterWorkflowTemplate belongs to a project here, and you can see {projects_count}.",
                    projects_count=len(projects),
                ),
                allowed=[p.slug for p in projects[:20]],
                next_step="Name it by the header X-Fubini-Project (argo -H 'X-Fubini-Project: NAME').",
            )
        authorize(self.principal, action, projects[0])
        return projects[0]


class TemplatesView(TemplateBase):
    """``workflow-templates/{namespace}`` and ``cluster-workflow-templates``."""

    def get(self, request: Request, namespace: str = "") -> Response:
        wanted = wanted_of(self.query)
        if self.kind == "WorkflowTemplate" and not namespace:
            projects = reads.cluster_projects(self.principal, "", "pipeline.read")
        else:
            projects = self.projects(namespace, "pipeline.read")
        items = [
            shapes.template_of(version, document) for version, document in reads.templates_listed(projects, self.kind)
        ]
        return Response(_listed(f"{self.kind}List", items, wanted, self.query.get("namePattern") or ""))

    def post(self, request: Request, namespace: str = "") -> Response:
        project = self.one_project(namespace, "pipeline.write")
        manifest = self.manifest(project)
        name = str(manifest["metadata"].get("name") or "")
        if any(d["metadata"].get("name") == name for _, d in reads.templates_listed([project], self.kind)):
            plural = "workflowtemplates" if self.kind == "WorkflowTemplate" else "clusterworkflowtemplates"
            raise AlreadyExists(
                say(
                    '{plural}.argoproj.io "{name}" already exists',
                    plural=plural,
                    name=name[:120],
                ),
                next_step="Update it instead.",
            )
        pipeline_save(project=project, text=bodies.text_of(manifest), actor=self.principal.actor)
        return Response(shapes.template_of(*reads.template_named(project, self.kind, name)))


class TemplateLintView(TemplateBase):
    """``.../lint``."""

    def post(self, request: Request, namespace: str = "") -> Response:
        project = self.one_project(namespace, "lint.read")
        return Response(checked(project, self.manifest(project), stored=True))


class TemplateView(TemplateBase):
    """``.../{name}``."""

    def get(self, request: Request, namespace: str = "", name: str = "") -> Response:
        return Response(shapes.template_of(*self._find(namespace, name, "pipeline.read")))

    def put(self, request: Request, namespace: str = "", name: str = "") -> Response:
        name = name or bodies.name_in(self.body(), "template")
        version, _ = self._find(namespace, name, "pipeline.write")
        project = version.pipeline.project
        authorize(self.principal, "pipeline.write", project)
        manifest = self.manifest(project)
        if manifest["metadata"].get("name") != name:
            raise Invalid(
                say(
                    "The manifest's name is not {name!r}.",
                    name=name[:80],
                ),
                next_step="A template keeps its name.",
            )
        pipeline_save(
            project=project, text=bodies.text_of(manifest), actor=self.principal.actor, pipeline=version.pipeline
        )
        return Response(shapes.template_of(*reads.template_named(project, self.kind, name)))

    def delete(self, request: Request, namespace: str = "", name: str = "") -> Response:
        version, _ = self._find(namespace, name, "pipeline.delete")
        authorize(self.principal, "pipeline.delete", version.pipeline.project)
        pipeline_delete(pipeline=version.pipeline, actor=self.principal.actor)
        return Response({})

    def _find(self, namespace: str, name: str, action: str) -> Any:
        projects = self.projects(namespace, action)
        for project in projects[:-1]:
            if any(d["metadata"].get("name") == name for _, d in reads.templates_listed([project], self.kind)):
                return reads.template_named(project, self.kind, name)
        return reads.template_named(projects[-1] if projects else Project(), self.kind, name)


class CronsView(ArgoView):
    """``cron-workflows/{namespace}``."""

    def get(self, request: Request, namespace: str = "") -> Response:
        wanted = wanted_of(self.query)
        if namespace:
            projects = [project_get(self.principal, namespace, "cron.read")]
        else:
            projects = list(projects_visible(self.principal))
            for project in projects:
                authorize(self.principal, "cron.read", project)
        rows = list(crons_of([p.pk for p in projects]).order_by("name", "id"))
        ticks = CronTick.objects.filter(cron__in=[row.pk for row in rows], state="active").select_related("run")
        active: dict[str, list[CronTick]] = defaultdict(list)
        for tick in ticks.order_by("at_ms"):
            active[tick.cron_id].append(tick)
        items = [shapes.cron_of(row, active[row.pk][:ACTIVE_MAX], clock.now_ms()) for row in rows]
        return Response(_listed("CronWorkflowList", items, wanted, self.query.get("namePattern") or ""))

    def post(self, request: Request, namespace: str) -> Response:
        project = project_get(self.principal, namespace, "cron.write")
        body = self.body()
        manifest = bodies.manifest_in(body, "cronWorkflow", "CronWorkflow", namespaces=(project.slug, project.pk))
        if bodies.is_dry_run(body):
            return Response(checked(project, manifest))
        row = cron_save(project=project, text=bodies.text_of(manifest), actor=self.principal.actor, fresh=True)
        return Response(cron_shown(row))


class CronLintView(ArgoView):
    """``cron-workflows/{namespace}/lint``."""

    def post(self, request: Request, namespace: str) -> Response:
        project = project_get(self.principal, namespace, "lint.read")
        manifest = bodies.manifest_in(
            self.body(), "cronWorkflow", "CronWorkflow", namespaces=(project.slug, project.pk)
        )
        return Response(checked(project, manifest))


class CronView(ArgoView):
    """``cron-workflows/{namespace}/{name}``."""

    def get(self, request: Request, namespace: str, name: str = "") -> Response:
        return Response(cron_shown(reads.cron_named(self.principal, namespace, name)))

    def put(self, request: Request, namespace: str, name: str = "") -> Response:
        name = name or bodies.name_in(self.body(), "cronWorkflow")
        row = reads.cron_named(self.principal, namespace, name, "cron.write")
        project = row.project
        manifest = bodies.manifest_in(
            self.body(), "cronWorkflow", "CronWorkflow", namespaces=(project.slug, project.pk)
        )
        return Response(
            cron_shown(cron_save(project=project, text=bodies.text_of(manifest), actor=self.principal.actor, cron=row))
        )

    def delete(self, request: Request, namespace: str, name: str = "") -> Response:
        cron_delete(cron=reads.cron_named(self.principal, namespace, name, "cron.delete"), actor=self.principal.actor)
        return Response({})


class CronActionView(ArgoView):
    """``cron-workflows/{namespace}/{name}/suspend`` and ``resume``."""

    suspended: bool = False

    def put(self, request: Request, namespace: str, name: str) -> Response:
        row = reads.cron_named(self.principal, namespace, name, "cron.write")
        return Response(cron_shown(cron_suspend(cron=row, actor=self.principal.actor, suspended=self.suspended)))


def cron_shown(row: Cron) -> dict[str, Any]:
    """A schedule with the runs of it that go on."""
    active = CronTick.objects.filter(cron=row, state="active").select_related("run").order_by("at_ms")[:ACTIVE_MAX]
    return shapes.cron_of(row, active, clock.now_ms())


def _listed(kind: str, items: list[dict[str, Any]], wanted: Wanted, pattern: str) -> dict[str, Any]:
    """A list of stored objects; these are few, so that they are selected here."""
    kept = [
        item
        for item in items
        if all(_holds(requirement, item["metadata"].get("labels") or {}) for requirement in wanted.labels)
        and (not wanted.name or item["metadata"].get("name") == wanted.name)
        and pattern in str(item["metadata"].get("name"))
    ]
    page = kept[wanted.offset : wanted.offset + wanted.limit]
    metadata: dict[str, Any] = {"resourceVersion": "0"}
    if wanted.offset + len(page) < len(kept):
        metadata["continue"] = str(wanted.offset + len(page))
    return {"apiVersion": shapes.API_VERSION, "kind": kind, "metadata": metadata, "items": page}


def _holds(wanted: Requirement, labels: Any) -> bool:
    found = wanted.key in labels and (wanted.values is None or str(labels[wanted.key]) in wanted.values)
    return found is wanted.positive
