"""Finding finished steps that are the same, and taking their results over.

Always within one project. One query finds the newest finished step for every key of a batch; what it left must still be
there and its environment must still be what the image means somewhere, else the step runs and says why. A step that takes
a result over succeeds at once and costs nothing; its artifacts get keys of their own that name the same bytes.

A step is reused only in its first generation: who retries a step wants it to run.
"""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import F, Max

from fubini.common.saying import kept, ours, say
from fubini.datasets.models import Artifact
from fubini.datasets.selectors import blobs_known, claims_known, content_digests
from fubini.datasets.services import ArtifactDraft, artifacts_record, blobs_renew
from fubini.ledger.selectors import holds_of
from fubini.runs.codec import outcome_of, to_json
from fubini.runs.engine import LeafOutcome, TaskSpec
from fubini.runs.models import Attempt, Run, RunNode, Task
from fubini.runs.origin.links import taken_note
from fubini.runs.reuse.keys import NoKey, Parts, key_of, parts_of, secrets_named
from fubini.runs.transitions import tasks_move
from fubini.secrets.selectors import secret_versions
from fubini.sites.models import Agent

IN_MAX = 900  # values in one IN (...)
BYTES_GONE: Final = ours("the bytes it left were cleared")


@dataclass(frozen=True, slots=True)
class Keyed:
    """A step's parts and key; without them `why` says why it can have none."""

    key: str = ""
    parts: Parts = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A finished step whose result another may take over.

    `usable` is empty, or says why it cannot be used now. `cost_micros` and `wall_ms` are what it really took.
    """

    task: Task
    outcome: LeafOutcome
    artifacts: Mapping[str, Artifact]
    origin: Mapping[str, Any]
    unusable: str = ""

    @property
    def cost_micros(self) -> int:
        return int(self.origin.get("cost_micros", 0))

    @property
    def wall_ms(self) -> int:
        return int(self.origin.get("wall_ms", 0))


def keyed_of(project_id: str, specs: Sequence[TaskSpec]) -> list[Keyed]:
    """The keys of steps about to open, in order; few queries for all, and none where they read no data."""
    wanted = [(a.key, a.sub_path) for s in specs for a in s.artifacts_in if a.key]
    claims = {v.claim: v.sub_path for s in specs for v in s.volumes if v.claim}
    contents = content_digests(project_id, wanted) if wanted else {}
    disks: dict[str, str] = {}
    if claims:
        known = claims_known(project_id, claims)
        digests = content_digests(project_id, [(key, "") for key in known.values()])
        disks = {claim: digests[key, ""] for claim, key in known.items() if (key, "") in digests}
    named = {name for s in specs for name in secrets_named(s)}
    secrets = secret_versions(project_id, named) if named else {}
    found = []
    for spec in specs:
        try:
            parts = parts_of(spec, contents, disks, secrets)
        except NoKey as reason:
            found.append(Keyed(why=reason.why))
        else:
            found.append(Keyed(key_of(parts), parts))
    return found


def sources_of(project_id: str, keys: Sequence[str], *, run_id: str = "", but_run: str = "") -> dict[str, Source]:
    """Key -> the newest finished step with it, of one run or of any in the project.

    Args:
        run_id: only of this run.
        but_run: not of this one.
    """
    newest: list[str] = []
    for at in range(0, len(keys), IN_MAX):
        rows = Task.objects.filter(
            project_id=project_id, reuse_key__in=keys[at : at + IN_MAX], state="succeeded", run__deleted_at_ms=None
        )
        rows = rows.filter(run_id=run_id) if run_id else rows
        rows = rows.exclude(run_id=but_run) if but_run else rows
        newest += [pk for _, pk in rows.order_by().values_list("reuse_key").annotate(newest=Max("id"))]
    tasks: list[Task] = []
    for at in range(0, len(newest), IN_MAX):
        tasks += Task.objects.filter(pk__in=newest[at : at + IN_MAX]).select_related("run")
    return {s.task.reuse_key: s for s in sources_from(project_id, tasks)}


def sources_from(project_id: str, tasks: Sequence[Task]) -> list[Source]:
    """Finished tasks with what they left, and whether it can still be used."""
    outcomes = {t.pk: outcome_of(t.outcome or {"kind": "platform"}) for t in tasks}
    artifacts: dict[str, Artifact] = {}
    keys = [key for o in outcomes.values() for key in o.artifacts.values()]
    for at in range(0, len(keys), IN_MAX):
        artifacts |= {a.pk: a for a in Artifact.objects.filter(project_id=project_id, pk__in=keys[at : at + IN_MAX])}
    blobs = blobs_known(project_id, {e["sha256"] for a in artifacts.values() for e in a.entries})
    origins = _origins(tasks)
    images = Environments()
    found = []
    for task in tasks:
        outcome = outcomes[task.pk]
        left = {name: artifacts[key] for name, key in outcome.artifacts.items() if key in artifacts}
        why: str = ""
        if task.outcome is None:
            why = ours("its result was not kept")
        elif len(left) != len(outcome.artifacts) or any(
            blobs.get(e["sha256"]) != e["size"] for a in left.values() for e in a.entries
        ):
            why = BYTES_GONE
        else:
            why = images.changed(str(task.spec.get("image", "")), str(origins[task.pk].get("fingerprint", "")))
        found.append(Source(task, outcome, left, origins[task.pk], why))
    return found


def _origins(tasks: Sequence[Task]) -> dict[str, dict[str, Any]]:
    """Where a result first came from: its task, run, node and attempt, what it cost and the environment it ran in."""
    found: dict[str, dict[str, Any]] = {}
    ran = []
    for task in tasks:
        if task.reuse and task.reuse.get("from"):
            found[task.pk] = dict(task.reuse["from"])
        else:
            ran.append(task)
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for at in range(0, len(ran), IN_MAX):
        rows_of = Attempt.objects.filter(task__in=ran[at : at + IN_MAX]).select_related("environment_document")
        for attempt in rows_of.order_by("number"):
            attempts[attempt.task_id].append(attempt)
    holds = holds_of([a.pk for rows in attempts.values() for a in rows])
    names = _node_names(ran)
    for task in ran:
        rows = attempts[task.pk]
        good = next((a for a in reversed(rows) if a.state == "succeeded"), None)
        found[task.pk] = {
            "task": task.pk,
            "run": task.run_id,
            "job_number": task.run.job_number,
            "run_name": task.run.name,
            "node": task.node_id,
            "node_name": names.get((task.run_id, task.node_id), ""),
            "attempt": good.pk if good else "",
            "fingerprint": str(good.environment.get("environment_fingerprint", "")) if good else "",
            "cost_micros": sum(
                holds[a.pk].settled_micros for a in rows if a.pk in holds and holds[a.pk].payer != "site"
            ),
            "wall_ms": max(0, good.finished_at_ms - good.started_at_ms)
            if good and good.finished_at_ms and good.started_at_ms
            else 0,
        }
    return found


def _node_names(tasks: Sequence[Task]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for at in range(0, len(tasks), IN_MAX):
        some = tasks[at : at + IN_MAX]
        rows = RunNode.objects.filter(run_id__in={t.run_id for t in some}, node_id__in={t.node_id for t in some})
        found |= {(r, n): name for r, n, name in rows.values_list("run_id", "node_id", "display_name")}
    return found


class Environments:
    """What image names mean at the sites now, as fingerprints; read once."""

    def __init__(self) -> None:
        self._offers: list[tuple[str, str]] | None = None
        self._known: dict[str, frozenset[str]] = {}

    def changed(self, image: str, fingerprint: str) -> str:
        """Why a result from an environment does not stand for the image now; "" when it does.

        Where no site says what the image means, nothing contradicts the result.
        """
        now = self._now(image)
        if not now or fingerprint in now:
            return ""
        if not fingerprint:
            return say("it is not known in which environment {image} was then", image=image)
        return say("the environment of {image} has changed since", image=image)

    def _now(self, image: str) -> frozenset[str]:
        if self._offers is None:
            rows = Agent.objects.filter(revoked_at=None).values_list("environments", flat=True)
            self._offers = [(e["image"], e["fingerprint"]) for row in rows for e in row if e.get("fingerprint")]
        if image not in self._known:
            self._known[image] = frozenset(
                fingerprint for pattern, fingerprint in self._offers if fnmatch.fnmatchcase(image, pattern)
            )
        return self._known[image]


# --- taking over ---


def tasks_reuse(run: Run, tasks: Sequence[Task], *, at_ms: int) -> None:
    """End the just opened tasks whose result is there already; the others say why where that is not plain.

    The caller holds the run's row and a transaction, and saves the run's counters.
    """
    reuse = run.reuse or {}
    wanted = [t for t in tasks if t.reuse_key and t.generation == 0]
    if not wanted:
        return
    sources = sources_of(
        run.project_id, list({t.reuse_key for t in wanted}), run_id=reuse.get("run", ""), but_run=run.pk
    )
    taken: list[Task] = []
    refused: list[Task] = []
    drafts: list[ArtifactDraft] = []
    owners: list[Task] = []
    for task in wanted:
        source = sources.get(task.reuse_key)
        if source is None:
            continue
        if source.unusable:
            task.reuse = {"why": kept(source.unusable)}
            refused.append(task)
            continue
        keys = {name: f"{run.pk}/{task.node_id}/{task.generation}/{name}" for name in source.artifacts}
        task.outcome = to_json(replace(source.outcome, artifacts=keys, started_ms=at_ms, finished_ms=at_ms))
        task.reuse = {"from": dict(source.origin)}
        taken.append(task)
        for name, artifact in source.artifacts.items():
            owners.append(task)
            drafts.append(
                ArtifactDraft(
                    project_id=run.project_id,
                    run_id=run.pk,
                    node_id=task.node_id,
                    generation=task.generation,
                    name=name,
                    attempt_id=artifact.attempt_id,
                    entries=artifact.entries,
                    key=keys[name],
                )
            )
    # Renewed first: a collection of unnamed bytes under way must not take what is named anew here.
    blobs_renew(project_id=run.project_id, digests={e["sha256"] for d in drafts for e in d.entries})
    for owner, recorded in zip(owners, artifacts_record(drafts, at_ms=at_ms) if drafts else (), strict=True):
        if recorded.error and owner in taken:
            taken.remove(owner)
            owner.outcome, owner.reuse = None, {"why": kept(BYTES_GONE)}
            refused.append(owner)
    tasks_move(
        taken,
        "succeeded",
        at_ms=at_ms,
        fields=["outcome", "reuse"],
        data=lambda t: {"reused_from": t.reuse["from"]["task"], "reused_run": t.reuse["from"]["run"]},
    )
    taken_note(run, taken)
    if refused:
        Task.objects.bulk_update(refused, ["reuse"])
    Run.objects.filter(pk=run.pk).update(
        steps_done=F("steps_done") + len(taken),
        steps_reused=F("steps_reused") + len(taken),
        saved_micros=F("saved_micros") + sum(sources[t.reuse_key].cost_micros for t in taken),
    )
