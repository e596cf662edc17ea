"""Reads on runs: scoped lists with filters, aggregates in the database, final outputs, costs by step and place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db.models import Count, Max, Min, OuterRef, Prefetch, Q, QuerySet, Subquery

from fubini.common import clock
from fubini.common.pairs import pairs_of
from fubini.datasets.entries import Entry, manifest_of
from fubini.datasets.models import Artifact
from fubini.events.models import Event, EventQuerySet
from fubini.ledger.selectors import HoldView, holds_of_runs
from fubini.runs.codec import spec_of
from fubini.runs.documents import WHY, WITH_DOCUMENTS
from fubini.runs.engine import principal_of
from fubini.runs.models import Attempt, Run, RunLabel, RunManifest, RunNode, RunPlace, RunRetention, RunSignal, Task

ProjectIds = Collection[str] | QuerySet[Any]
LABELS_MAX: Final = 10
OPENED: Final = 4  # so few final artifacts are shown with their files
LISTED: Final = 60  # of the files of each
# What a list shows: the engine's own state and the quote may be large and are never listed.
_LISTED: Final = ("engine_state", "quote", "outputs", "parameters", "reuse")


def runs_of(
    project_ids: ProjectIds,
    *,
    states: Sequence[str] = (),
    phases: Sequence[str] = (),
    labels: Sequence[str] = (),
    search: str = "",
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    submitted_by: str = "",
    pipeline_id: str = "",
    parent: str = "",
) -> QuerySet[Run]:
    """Runs of these projects that were not deleted.

    Args:
        labels: each ``key=value`` or ``key``; all must hold.
        search: part of a name, or a job number.
    """
    rows = Run.objects.filter(project_id__in=project_ids, deleted_at_ms=None)
    if states:
        rows = rows.filter(state__in=states)
    if phases:
        rows = rows.filter(phase__in=phases)
    for label in labels[:LABELS_MAX]:
        key, given, value = label.partition("=")
        wanted = RunLabel.objects.filter(run=OuterRef("pk"), key=key)
        rows = rows.filter(pk__in=Subquery((wanted.filter(value=value) if given else wanted).values("run")))
    if search:
        match = Q(name__icontains=search)
        if _is_number(search):
            match |= Q(job_number=int(search))
        rows = rows.filter(match)
    if created_after is not None:
        rows = rows.filter(created_at_ms__gt=clock.to_ms(created_after))
    if created_before is not None:
        rows = rows.filter(created_at_ms__lt=clock.to_ms(created_before))
    if submitted_by:
        rows = rows.filter(submitted_by=submitted_by)
    if parent:
        rows = rows.filter(parent=parent)
    if pipeline_id:
        rows = rows.filter(pipeline_version__pipeline_id=pipeline_id)
    return rows


def runs_listed(rows: QuerySet[Run]) -> QuerySet[Run]:
    """For lists: with project, pipeline and labels at hand, without what is large."""
    return labels_with(rows).select_related("project", "pipeline_version__pipeline").defer(*_LISTED)


def labels_with(rows: QuerySet[Run]) -> QuerySet[Run]:
    """The same runs with their labels read in the same query, for `labels_of`."""
    return rows.annotate(labels_read=pairs_of(RunLabel.objects.all(), "run", "key", "value"))


def labels_of(run: Run) -> dict[str, str]:
    """A run's labels."""
    if "labels_read" in vars(run):
        return dict(vars(run)["labels_read"] or {})
    return {label.key: label.value for label in run.labels.all()}


def run_get(project_ids: ProjectIds, ref: str, *, detailed: bool = False) -> Run | None:
    """One run by id, or by its job number; `detailed`: with what only its own page shows, in the same query."""
    rows = Run.objects.filter(project_id__in=project_ids, deleted_at_ms=None)
    by = Q(pk=ref)
    if _is_number(ref):
        by |= Q(job_number=int(ref))
    rows = rows.filter(by).select_related("project", "pipeline_version__pipeline")
    if detailed:
        rows = labels_with(rows).annotate(
            warnings_read=Subquery(RunManifest.objects.filter(run=OuterRef("pk")).values("warnings")),
            retention_read=pairs_of(RunRetention.objects.all(), "run", "kind", "at_ms"),
        )
    return rows.first()


def runs_named(project_ids: ProjectIds, refs: Sequence[str]) -> dict[str, Run]:
    """Runs by id or job number, by the name they were asked for with, their labels at hand; one query."""
    numbers = {ref: int(ref) for ref in refs if _is_number(ref)}
    by = Q(pk__in=[ref for ref in refs if len(ref) <= 32]) | Q(job_number__in=numbers.values())
    rows = labels_with(Run.objects.filter(by, project_id__in=project_ids, deleted_at_ms=None))
    found = list(rows.select_related("project", "pipeline_version__pipeline"))
    by_id, by_number = {run.pk: run for run in found}, {run.job_number: run for run in found}
    named = {ref: by_id.get(ref) or by_number.get(numbers.get(ref, -1)) for ref in refs}
    return {ref: run for ref, run in named.items() if run is not None}


def _is_number(ref: str) -> bool:
    return ref.isascii() and ref.isdigit() and len(ref) < 18


def warnings_of(run: Run) -> list[dict[str, Any]]:
    """What the check of the manifest found at submit and let pass."""
    if "warnings_read" in vars(run):
        return list(vars(run)["warnings_read"] or ())
    kept = RunManifest.objects.filter(run=run).values_list("warnings", flat=True).first()
    return list(kept or ())


def signals_of(run: Run) -> QuerySet[RunSignal]:
    """What people asked of a run."""
    return RunSignal.objects.filter(run=run)


def retention_times(run: Run) -> dict[str, int]:
    """What of an ended run goes when: run or logs -> milliseconds since the epoch."""
    if run.finished_at_ms is None:
        return {}
    if "retention_read" in vars(run):
        return dict(vars(run)["retention_read"] or {})
    return dict(RunRetention.objects.filter(run=run).values_list("kind", "at_ms"))


def generations_of(run: Run) -> list[RunSignal]:
    """The retries of a run, oldest first, up to the one it is in or is about to enter."""
    return list(RunSignal.objects.filter(run=run, kind="retry", generation__isnull=False).order_by("generation", "id"))


def generation_quote(run: Run) -> Any:
    """What the retry that led to the run's generation was quoted at, as its row has it; None: not, or it is no retry."""
    rows = RunSignal.objects.filter(run=run, kind="retry", generation=run.generation).order_by("-id")
    return rows.values_list("quote", flat=True).first()


# --- nodes ---


def nodes_of(
    run: Run,
    *,
    phases: Sequence[str] = (),
    types: Sequence[str] = (),
    template: str = "",
    search: str = "",
    boundary: str | None = None,
) -> QuerySet[RunNode]:
    """A run's nodes in the order they were made."""
    rows = RunNode.objects.filter(run=run).exclude(phase="")
    if phases:
        rows = rows.filter(phase__in=phases)
    if types:
        rows = rows.filter(type__in=types)
    if template:
        rows = rows.filter(template_name=template)
    if search:
        rows = rows.filter(display_name__icontains=search)
    if boundary is not None:
        rows = rows.filter(boundary_id=boundary)
    return rows


@dataclass(frozen=True, slots=True)
class NodeCount:
    """How many nodes of one template, type and phase; when the first started and the last ended."""

    template: str
    type: str
    phase: str
    count: int
    started_at_ms: int | None
    finished_at_ms: int | None


def nodes_summary(run: Run) -> list[NodeCount]:
    """Counts by template, type and phase, in one query."""
    rows = (
        RunNode.objects.filter(run=run)
        .exclude(phase="")
        .order_by("template_name", "type", "phase")
        .values_list("template_name", "type", "phase")
        .annotate(n=Count("pk"), first=Min("started_at_ms"), last=Max("finished_at_ms"))
    )
    return [NodeCount(*row) for row in rows]


# --- tasks and attempts ---


def attempts_joined(rows: QuerySet[Attempt]) -> QuerySet[Attempt]:
    """Attempts with the names of where they ran, and what they share with others."""
    return rows.select_related("site", "agent", "pool", "node_group", *WITH_DOCUMENTS)


def tasks_of(
    run: Run, *, states: Sequence[str] = (), template: str = "", node_id: str = "", waiting_for: str = ""
) -> QuerySet[Task]:
    """A run's tasks with their attempts at hand."""
    rows = Task.objects.filter(run=run)
    if states:
        rows = rows.filter(state__in=states)
    if template:
        rows = rows.filter(template=template)
    if node_id:
        rows = rows.filter(node_id=node_id)
    if waiting_for:
        rows = rows.filter(waiting_for__icontains=f'"{waiting_for}"')
    return _with_attempts(rows)


def task_get(project_ids: ProjectIds, task_id: str) -> Task | None:
    """One task with its run and attempts."""
    rows = Task.objects.filter(pk=task_id, project_id__in=project_ids, run__deleted_at_ms=None)
    return _with_attempts(rows).select_related("run", "run__project").first()


def _with_attempts(rows: QuerySet[Task]) -> QuerySet[Task]:
    attempts = attempts_joined(Attempt.objects.order_by("number"))
    rows = rows.select_related(WHY)
    return rows.prefetch_related(Prefetch("attempts", queryset=attempts, to_attr="attempt_rows"))


def children_of(run: Run, node_ids: Iterable[str]) -> dict[tuple[str, int], str]:
    """(node id, generation) -> the run that step made or reads."""
    rows = Task.objects.filter(run=run, node_id__in=list(node_ids), kind="child").exclude(child_run="")
    return {(t.node_id, t.generation): t.child_run for t in rows.only("node_id", "generation", "child_run")}


def reused_of(run: Run, node_ids: Iterable[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """(node id, generation) -> where its result comes from, for those taken over from another run."""
    if not run.steps_reused:
        return {}
    rows = Task.objects.filter(run=run, node_id__in=list(node_ids), reuse__has_key="from")
    return {(t.node_id, t.generation): (t.reuse or {})["from"] for t in rows.only("node_id", "generation", "reuse")}


def node_names(run_id: str, node_ids: Iterable[str]) -> dict[str, str]:
    """Node id -> display name."""
    return dict(
        RunNode.objects.filter(run_id=run_id, node_id__in=list(node_ids)).values_list("node_id", "display_name")
    )


def declared_paths(run_id: str, node_ids: Collection[str]) -> dict[tuple[str, int, str], str]:
    """(node, generation, artifact) -> the path at which these leaves' manifests declare their outputs."""
    if not node_ids:
        return {}
    rows = Task.objects.filter(run_id=run_id, node_id__in=list(node_ids)).values_list("node_id", "generation", "spec")
    return {
        (node, generation, str(declared.get("name", ""))): str(declared.get("path") or "")
        for node, generation, spec in rows
        for declared in (spec or {}).get("artifacts_out") or []
    }


def attempts_of(run: Run, *, states: Sequence[str] = (), site: str = "", cause: str = "") -> QuerySet[Attempt]:
    """A run's attempts."""
    rows = Attempt.objects.filter(run_id=run.pk)
    if states:
        rows = rows.filter(state__in=states)
    if site:
        rows = rows.filter(site__name=site)
    if cause:
        rows = rows.filter(cause=cause)
    return attempts_joined(rows).select_related("task", "site", "agent", "pool", "node_group")


def events_of(run: Run, *, topics: Sequence[str] = ()) -> EventQuerySet:
    """What happened in a run, oldest first by id."""
    rows = Event.objects.of_runs([run.pk])
    return rows.of_topics(topics) if topics else rows


# --- outputs ---


@dataclass(frozen=True, slots=True)
class FinalArtifact:
    """One artifact a run ends with; `source` says why it counts as final."""

    name: str
    key: str
    node_id: str
    display_name: str
    source: str
    size_bytes: int
    files: int
    listing: tuple[Entry, ...] = ()  # its first files, where there are at most `OPENED` artifacts


@dataclass(slots=True)
class FinalOutputs:
    """What a run leaves: parameters by name, artifacts; `truncated` when there are more artifacts than were asked for."""

    parameters: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[FinalArtifact] = field(default_factory=list)
    truncated: bool = False


def outputs_of(run: Run, *, limit: int) -> FinalOutputs:
    """A run's final outputs: the global ones, the entry point's own, else the artifacts no step of the run has read.

    The last rule serves pipelines that declare no outputs at their top: what nobody read is what they were run for.
    At most `limit` artifacts, oldest first where nothing is declared.
    """
    found = FinalOutputs()
    keys: dict[str, tuple[str, str]] = {}  # key -> (name, source)
    root = RunNode.objects.filter(run=run, boundary_id="", name=run.name).order_by("id").first()
    for outputs, source in ((run.outputs, "global"), (root.outputs if root else None, "entrypoint")):
        if not isinstance(outputs, Mapping):
            continue
        for parameter in outputs.get("parameters") or []:
            if parameter.get("name") not in [p["name"] for p in found.parameters]:
                found.parameters.append(
                    {"name": parameter.get("name"), "value": parameter.get("value"), "source": source}
                )
        for artifact in outputs.get("artifacts") or []:
            if artifact.get("key"):
                keys.setdefault(artifact["key"], (artifact.get("globalName") or artifact.get("name", ""), source))
    if not keys:
        keys = {key: (name, "unread") for key, name in _unread(run, limit + 1)}
    found.truncated = len(keys) > limit
    keys = dict(islice(keys.items(), limit))
    rows = {a.pk: a for a in Artifact.objects.filter(pk__in=keys, project_id=run.project_id)}
    names = node_names(run.pk, {a.node_id for a in rows.values()})
    opened = LISTED if len(rows) <= OPENED else 0
    for key, (name, source) in keys.items():
        row = rows.get(key)
        if row is not None:
            found.artifacts.append(
                FinalArtifact(
                    name=name,
                    key=key,
                    node_id=row.node_id,
                    display_name=names.get(row.node_id, row.node_id),
                    source=source,
                    size_bytes=row.size_bytes,
                    files=len(row.entries),
                    listing=manifest_of(row.entries[:opened]).entries,
                )
            )
    return found


def _unread(run: Run, most: int) -> list[tuple[str, str]]:
    """(key, name) of artifacts that no task of the run has as an input; of a node that ran again, the newest only.

    A run that left nothing reads no task; of the others only the inputs leave the database, never what is run.
    """
    newest: dict[tuple[str, str], str] = {}
    listed = Artifact.objects.filter(run_id=run.pk).order_by("created_at_ms", "key")
    for key, node_id, name in listed.values_list("key", "node_id", "name").iterator(chunk_size=2000):
        newest[node_id, name] = key
    if not newest:
        return []
    inputs = Task.objects.filter(run=run, spec__artifacts_in__0__isnull=False)
    read: set[str] = set()
    for artifacts in inputs.values_list("spec__artifacts_in", flat=True).iterator(chunk_size=500):
        read.update(a["key"] for a in artifacts if a.get("key"))
    left = ((key, name) for (_, name), key in newest.items() if key not in read)
    return list(islice(left, most))


# --- money ---


@dataclass(slots=True)
class CostRow:
    """Attempts of one template at one site. `charged` is the project's, `absorbed_attempts` cost it nothing."""

    template: str
    site: str
    pool: str
    attempts: int = 0
    failed: int = 0
    wall_ms: int = 0
    cpu_ms: int = 0
    charged_micros: int = 0
    held_micros: int = 0
    absorbed_attempts: int = 0
    simulated: bool = False


def costs_of(run: Run) -> list[CostRow]:
    """What a run cost by step template and place; two queries."""
    return costs_of_runs([run.pk])[run.pk]


def costs_of_runs(run_ids: Sequence[str]) -> dict[str, list[CostRow]]:
    """The same of several runs, by run; two queries for all."""
    holds = holds_of_runs(run_ids)
    rows: dict[str, dict[tuple[str, str, str], CostRow]] = {run_id: {} for run_id in run_ids}
    found = Attempt.objects.filter(run_id__in=run_ids).values_list(
        "run_id",
        "pk",
        "task__template",
        "site__name",
        "pool__name",
        "state",
        "started_at_ms",
        "finished_at_ms",
        "cpu_ms",
        "node_group__simulated",
    )
    for run_id, pk, template, site, pool, state, started, finished, cpu_ms, simulated in found.iterator(
        chunk_size=2000
    ):
        row = rows[run_id].setdefault((template, site, pool), CostRow(template, site, pool))
        hold = holds.get(pk)
        row.attempts += 1
        row.failed += state not in ("succeeded", "leased", "staging", "submitted", "running", "finishing")
        row.wall_ms += max(0, finished - started) if started and finished else 0
        row.cpu_ms += cpu_ms or 0
        row.simulated = row.simulated or bool(simulated)
        if hold is not None:
            row.charged_micros += hold.settled_micros
            row.held_micros += hold.amount_micros if hold.state == "placed" else 0
            row.absorbed_attempts += hold.payer == "site"
    return {run_id: [own[key] for key in sorted(own)] for run_id, own in rows.items()}


def costs_by_attempt(attempts: Iterable[Attempt], holds: Mapping[str, HoldView]) -> None:
    """Put each attempt's hold beside it as `hold_view`."""
    for attempt in attempts:
        attempt.hold_view = holds.get(attempt.pk)  # type: ignore[attr-defined]


def disks_done(disk_ids: Sequence[str]) -> list[str]:
    """Of the disks an agent keeps (``<run id>.<name>``), those nobody needs: their run is gone, or has given them up.

    A run that has ended and may be retried keeps its disks as long as it is itself kept.
    """
    by_run: dict[str, list[str]] = {}
    for disk_id in disk_ids:
        by_run.setdefault(disk_id.partition(".")[0], []).append(disk_id)
    kept = set(Run.objects.filter(pk__in=by_run, deleted_at_ms=None).values_list("pk", flat=True))
    kept -= set(RunPlace.objects.filter(run_id__in=kept, disks_done=True).values_list("run_id", flat=True))
    return [disk_id for run_id, found in by_run.items() if run_id not in kept for disk_id in found]


def containers_of(task: Task) -> list[str]:
    """The containers of a step that has several, the one that stands for it first; none for a step of one."""
    spec = spec_of(task.spec)
    names = [c.name for c in spec.containers]
    return sorted(names, key=lambda name: name != principal_of(spec))
