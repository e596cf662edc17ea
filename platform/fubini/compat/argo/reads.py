"""Finding what a request names, scoped to who asks, and reading it with no more nodes than an answer may carry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from fubini.common import clock
from fubini.common.errors import NotFound
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.compat.argo.selection import Requirement, Wanted
from fubini.compat.argo.shapes import COMPLETED_LABEL, CREATOR_LABEL, PHASE_LABEL, workflow_of
from fubini.crons.models import Cron
from fubini.crons.selectors import crons_of
from fubini.pipelines.models import PipelineVersion
from fubini.pipelines.selectors import library_rows
from fubini.projects.authorize import authorize, project_get, project_ids_visible, projects_visible
from fubini.projects.models import Project
from fubini.runs.models import Run, RunLabel, RunManifest, RunNode
from fubini.runs.selectors import nodes_of
from fubini.runs.transitions import RUN_ENDED

NODES_MAX: Final = 10_000  # of one workflow; a larger tree is left out, as Argo leaves out an offloaded one
LIST_NODES_MAX: Final = 2_000  # of all workflows of a list together
LATEST: Final = "@latest"
_ID: Final = re.compile(r"[0-9a-f]{32}")


def run_named(principal: Principal, namespace: str, name: str, action: str = "run.read", *, uid: str = "") -> Run:
    """The newest run of that name in a project; ``@latest`` is the newest of all.

    Raises:
        NotFound: no such run or project, or not visible.
        Forbidden: the role or scope does not suffice.
    """
    project = project_get(principal, namespace, action)
    rows = Run.objects.filter(project=project, deleted_at_ms=None).select_related("project").prefetch_related("labels")
    if uid:
        rows = rows.filter(pk=uid.replace("-", ""))
    elif name != LATEST:
        rows = rows.filter(name=name)
    run = rows.order_by("-created_at_ms", "-id").first() if "\x00" not in name + uid else None
    if run is None:
        raise NotFound(
            say(
                'workflows.argoproj.io "{name}" not found',
                name=name[:120],
            ),
            next_step="List them: argo list.",
        )
    return run


def run_by_uid(principal: Principal, uid: str, action: str = "run.read") -> Run:
    """A run by its id, with dashes or without, in whichever project that can be seen."""
    uid = uid.replace("-", "")
    rows = Run.objects.filter(project_id__in=project_ids_visible(principal), deleted_at_ms=None)
    run = (
        rows.filter(pk=uid).select_related("project").prefetch_related("labels").first() if _ID.fullmatch(uid) else None
    )
    if run is None:
        raise NotFound(say('there is no workflow with uid "{uid}"', uid=uid[:60]))
    authorize(principal, action, run.project)
    return run


def runs_selected(principal: Principal, namespace: str, wanted: Wanted) -> QuerySet[Run]:
    """Runs a list asks for, newest first; an empty namespace is every project that can be seen."""
    namespace = namespace or wanted.namespace
    if namespace:
        rows = Run.objects.filter(project=project_get(principal, namespace, "run.read"))
    else:
        rows = Run.objects.filter(project_id__in=project_ids_visible(principal))
        if "read" not in principal.scopes:
            raise NotFound("There is no such project, or you cannot see it.")
    rows = rows.filter(deleted_at_ms=None)
    if wanted.name:
        lookup = {"Prefix": "name__startswith", "Contains": "name__contains"}.get(wanted.name_match, "name")
        match = Q(**{lookup: wanted.name})
        rows = rows.filter(~match if wanted.name_match == "NotEquals" else match)
    if wanted.created_after is not None:
        rows = rows.filter(created_at_ms__gt=clock.to_ms(wanted.created_after))
    if wanted.finished_before is not None:
        rows = rows.filter(finished_at_ms__lt=clock.to_ms(wanted.finished_before))
    for requirement in wanted.labels:
        rows = rows.filter(_labelled(requirement))
    return rows.order_by("-created_at_ms", "-id")


def _labelled(wanted: Requirement) -> Q:
    """A label requirement on rows: Argo's own labels are columns of ours."""
    values = wanted.values
    if wanted.key == PHASE_LABEL:
        found = Q(phase__in=values) if values is not None else Q()
    elif wanted.key == COMPLETED_LABEL:
        states = {"true": sorted(RUN_ENDED), "false": ["pending", "running"]}
        found = Q(state__in=[s for v in values for s in states.get(v, [])]) if values is not None else Q()
    elif wanted.key == CREATOR_LABEL:
        actors = [f"{kind}:{value}" for value in values or () for kind in ("user", "token")]
        found = Q(submitted_by__in=actors) if values is not None else Q()
    else:
        rows = RunLabel.objects.filter(run=OuterRef("pk"), key=wanted.key)
        found = Q(Exists(rows.filter(value__in=values) if values is not None else rows))
    return found if wanted.positive else ~found


def workflow_read(run: Run, *, with_nodes: bool = True) -> dict[str, Any]:
    """One run as Argo's object."""
    kept = RunManifest.objects.filter(run=run).values_list("document", flat=True).first() or {}
    nodes = _nodes(run) if with_nodes else []
    return workflow_of(run, kept, _labels(run), nodes)


def workflows_read(runs: Sequence[Run], *, with_nodes: bool) -> list[dict[str, Any]]:
    """Several, in their order; trees only as long as all of them together stay small."""
    ids = [run.pk for run in runs]
    documents = dict(RunManifest.objects.filter(run_id__in=ids).values_list("run_id", "document"))
    trees: dict[str, list[RunNode] | None] = {pk: [] for pk in ids}
    if with_nodes:
        counts = dict(
            RunNode.objects.filter(run_id__in=ids)
            .exclude(phase="")
            .order_by()
            .values_list("run_id")
            .annotate(n=Count("pk"))
        )
        room = LIST_NODES_MAX
        for pk in ids:
            room -= counts.get(pk, 0)
            if room < 0:
                trees[pk] = None
        small = [pk for pk, tree in trees.items() if tree is not None]
        for row in RunNode.objects.filter(run_id__in=small).exclude(phase="").order_by("id"):
            tree = trees[row.run_id]
            assert tree is not None
            tree.append(row)
    return [workflow_of(run, documents.get(run.pk) or {}, _labels(run), trees[run.pk]) for run in runs]


def _nodes(run: Run) -> list[RunNode] | None:
    rows = list(nodes_of(run).order_by("id")[: NODES_MAX + 1])
    return rows if len(rows) <= NODES_MAX else None


def _labels(run: Run) -> dict[str, str]:
    return {label.key: label.value for label in run.labels.all()}


# --- templates and schedules ---


def template_named(project: Project, kind: str, name: str) -> tuple[PipelineVersion, dict[str, Any]]:
    """The newest version of the project's template of that kind and name.

    Raises:
        NotFound: it has none.
    """
    for pipeline_id, document in library_rows(project.pk):
        if document.get("kind") == kind and (document.get("metadata") or {}).get("name") == name:
            rows = PipelineVersion.objects.select_related("pipeline__project")
            return rows.filter(pipeline_id=pipeline_id).order_by("-number")[0], document
    plural = "workflowtemplates" if kind == "WorkflowTemplate" else "clusterworkflowtemplates"
    raise NotFound(say('{plural}.argoproj.io "{name}" not found', plural=plural, name=name[:120]))


def templates_listed(projects: Sequence[Project], kind: str) -> list[tuple[PipelineVersion, dict[str, Any]]]:
    """All templates of a kind in these projects."""
    found: list[tuple[PipelineVersion, dict[str, Any]]] = []
    for project in projects:
        documents = {pk: d for pk, d in library_rows(project.pk) if d.get("kind") == kind}
        newest: dict[str, PipelineVersion] = {}
        rows = (
            PipelineVersion.objects.filter(pipeline_id__in=documents).select_related("pipeline__project").defer("text")
        )
        for version in rows.order_by("number"):
            newest[version.pipeline_id] = version
        found += [(newest[pk], document) for pk, document in documents.items() if pk in newest]
    return found


def cluster_projects(principal: Principal, named: str, action: str) -> list[Project]:
    """Where cluster templates are looked for: the project named, else all that can be seen.

    Argo's have no namespace, ours belong to a project: the header `X-Fubini-Project` or the query `namespace` names it.
    """
    if named:
        return [project_get(principal, named, action)]
    projects = list(projects_visible(principal).filter(archived_at=None).order_by("slug")[:200])
    for project in projects:
        authorize(principal, "project.read", project)
    return projects


def cron_named(principal: Principal, namespace: str, name: str, action: str = "cron.read") -> Cron:
    """A project's schedule by name.

    Raises:
        NotFound: no such schedule or project, or not visible.
    """
    project = project_get(principal, namespace, action)
    row = crons_of([project.pk]).filter(name=name).first() if "\x00" not in name else None
    if row is None:
        raise NotFound(say('cronworkflows.argoproj.io "{name}" not found', name=name[:120]))
    return row
