"""What a submit would reuse: what is taken over, what runs and why, what is decided later, and the money saved.

The manifest is rehearsed; where a finished step answers, the rehearsal goes on with its real results, so steps behind it
are decided too. Steps that depend on results of what will run cannot be decided without running: they are said to be
decided when their inputs are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.ids import new_id
from fubini.common.saying import heard, kept, ours, say
from fubini.flags.registry import REUSE
from fubini.flags.services import flag_require
from fubini.manifests.import_rules import rules_from
from fubini.pipelines.checking import manifest_report, report_require
from fubini.projects.models import Project
from fubini.runs.codec import spec_of
from fubini.runs.engine import UNKNOWN_KEY, UNKNOWN_VALUE, LeafOutcome, Rehearsal, TaskSpec
from fubini.runs.importing import spec_mapped
from fubini.runs.models import Run, Task
from fubini.runs.pins import claims_of, pinned, spec_pin
from fubini.runs.registry import engine_of
from fubini.runs.reuse.explain import Explainer
from fubini.runs.reuse.lookup import Keyed, Source, keyed_of, sources_of

ANY: Final = "any"
EXAMPLES: Final = 3  # steps of a template and verdict that are named, each with its own reason
ROWS_MAX: Final = 200
LATER: Final = ours("decided when its inputs are known")


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    why: str
    job_number: int | None = None  # of the run a result comes from
    node_name: str = ""
    run: str = ""  # that run's id


@dataclass(slots=True)
class ReuseRow:
    """Steps of one template that fare alike; `verdict` is reused, runs or later."""

    template: str
    verdict: str
    count: int = 0
    saved_micros: int = 0
    saved_ms: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class ReusePlan:
    """The whole listing. `saved_micros` is what the reused steps cost when they ran; `open_ended`: results decide more."""

    mode: str
    run_id: str
    reused: int = 0
    runs: int = 0
    later: int = 0
    saved_micros: int = 0
    saved_ms: int = 0
    open_ended: bool = False
    rows: list[ReuseRow] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As it is kept with a run; each why as a sentence that can still be told in another language."""
        found = asdict(self)
        for row, told in zip(found["rows"], self.rows, strict=True):
            row["examples"] = [{**asdict(example), "why": kept(example.why)} for example in told.examples]
        return found


def reuse_target(project: Project, ref: str) -> tuple[str, str]:
    """(mode, run id) of what a submit names: ``any``, or a run of the same project by id or job number.

    Raises:
        Invalid: there is no such run in the project.
    """
    if ref == ANY:
        return ANY, ""
    rows = Run.objects.filter(project=project, deleted_at_ms=None)
    number = int(ref) if ref.isascii() and ref.isdigit() and len(ref) < 18 else -1
    found = rows.filter(pk=ref).first() or rows.filter(job_number=number).first()
    if found is None:
        raise Invalid(
            say("The project has no run {ref!r} to reuse from.", ref=ref[:80]),
            errors=[{"pointer": "/reuse", "code": "not_found", "found": ref[:80], "allowed": [ANY, "a run's id"]}],
            next_step="Name a run of the same project, or `any`.",
        )
    return "run", found.pk


def reuse_plan(
    *,
    project: Project,
    text: str,
    reuse: str,
    name: str = "",
    parameters: Mapping[str, str] | None = None,
    library: Sequence[Mapping[str, Any]] = (),
    engine: str = "embedded",
) -> tuple[ReusePlan, Rehearsal, Rehearsal]:
    """What submitting `text` with `reuse` would take over and run: the listing, what would run, and what would not.

    Raises:
        ManifestInvalid: it could not be submitted.
        Invalid: there is no such run.
        FlagOff: the project does not reuse results.
    """
    flag_require(REUSE, project.pk)
    mode, run_id = reuse_target(project, reuse)
    given = {str(k): str(v) for k, v in (parameters or {}).items()}
    report = manifest_report(
        text,
        library=library,
        parameters=given,
        engine=engine,
        import_rules=project.import_rules,
        max_items=project.max_items,
        project_id=project.pk,
    )
    document = report_require(report)
    run = Run(
        id=new_id(),
        project=project,
        name=name or (document.get("metadata") or {}).get("name") or "rehearsal",
        parameters=given,
        created_at_ms=clock.now_ms(),
        job_number=0,
        datasets=pinned(project.pk, claims_of(document, library)),
    )
    walk = _Walk(run, ReusePlan(mode, run_id))
    rehearsal = engine_of(engine).rehearse(run, document, library, walk.answer)
    walk.plan.open_ended = rehearsal.open_ended
    return walk.plan, rehearsal, Rehearsal(tuple(walk.taken.values()), open_ended=False)


def reuse_listing(run: Run) -> ReusePlan:
    """What a run with reuse really took over and ran so far, in the plan's form."""
    reuse = run.reuse or {}
    plan = ReusePlan(reuse.get("mode", ""), reuse.get("run", ""))
    board = _Board(plan, Explainer(run.project_id, run_id=plan.run_id, but_run=run.pk), run.name)
    names = dict(run.nodes.exclude(phase="").values_list("node_id", "name"))
    for task in Task.objects.filter(run=run).only("node_id", "template", "reuse", "spec").iterator(chunk_size=500):
        name = names.get(task.node_id)
        if name is None:
            continue
        came = (task.reuse or {}).get("from")
        if came:
            board.reused(task.template, name, came)
        else:
            board.runs(task.template, name, None, heard((task.reuse or {}).get("why", "")), task)
    board.explain()
    return plan


class _Board:
    """Rows by template and verdict, with their first examples."""

    def __init__(self, plan: ReusePlan, explainer: Explainer, run_name: str) -> None:
        self.plan = plan
        self.explainer = explainer
        self.run_name = run_name
        self._rows: dict[tuple[str, str], ReuseRow] = {}
        self._open: list[tuple[ReuseRow, str, Keyed | None, Task | None]] = []

    def _row(self, template: str, verdict: str) -> ReuseRow:
        row = self._rows.get((template, verdict))
        if row is None:
            row = self._rows[template, verdict] = ReuseRow(template, verdict)
            if len(self.plan.rows) < ROWS_MAX:
                self.plan.rows.append(row)
        row.count += 1
        return row

    def reused(self, template: str, name: str, origin: Mapping[str, Any]) -> None:
        row = self._row(template, "reused")
        cost, wall = int(origin.get("cost_micros", 0)), int(origin.get("wall_ms", 0))
        row.saved_micros += cost
        row.saved_ms += wall
        self.plan.reused += 1
        self.plan.saved_micros += cost
        self.plan.saved_ms += wall
        if len(row.examples) < EXAMPLES:
            why = say("the same step finished in {run}", run=str(origin.get("run_name", "")))
            row.examples.append(
                Example(
                    self._short(name),
                    why,
                    origin.get("job_number"),
                    str(origin.get("node_name", "")),
                    str(origin.get("run", "")),
                )
            )

    def runs(self, template: str, name: str, keyed: Keyed | None, why: str, task: Task | None = None) -> None:
        row = self._row(template, "runs")
        self.plan.runs += 1
        if why and len(row.examples) < EXAMPLES:
            row.examples.append(Example(self._short(name), why))
        elif sum(1 for r, *_ in self._open if r is row) + len(row.examples) < EXAMPLES:
            self._open.append((row, name, keyed, task))

    def later(self, template: str, name: str) -> None:
        row = self._row(template, "later")
        self.plan.later += 1
        if len(row.examples) < EXAMPLES:
            row.examples.append(Example(self._short(name), LATER))

    def explain(self) -> None:
        """Give the steps that run for no plain reason theirs; a few queries for all of them."""
        if not self._open:
            return
        specs = [spec_of(t.spec) for _, _, keyed, t in self._open if keyed is None and t is not None]
        made = iter(keyed_of(self.explainer.project_id, specs))
        asked = [(self._tail(name), keyed or next(made)) for _, name, keyed, _ in self._open]
        for (row, name, _, _), why in zip(self._open, self.explainer.why(asked), strict=True):
            row.examples.append(Example(self._short(name), why))
        self._open.clear()

    def _tail(self, name: str) -> str:
        return name.removeprefix(self.run_name)

    def _short(self, name: str) -> str:
        return self._tail(name).lstrip(".") or name


class _Walk:
    """Answers a rehearsal from finished steps and keeps the listing."""

    def __init__(self, run: Run, plan: ReusePlan) -> None:
        self.run = run
        self.plan = plan
        self.rules = rules_from(run.project.import_rules)
        self.board = _Board(plan, Explainer(run.project_id, run_id=plan.run_id), run.name)
        self.taken: dict[str, tuple[TaskSpec, int]] = {}  # by template, as a rehearsal tells its leaves

    def answer(self, leaves: Sequence[tuple[str, TaskSpec]]) -> list[LeafOutcome | None]:
        """See `runs.engine.Foresight`."""
        project_id = self.run.project_id
        known = [n for n, (_, spec) in enumerate(leaves) if not depends_on_unknown(spec)]
        specs = [spec_pin(project_id, self.run.datasets, spec_mapped(leaves[n][1], self.rules)) for n in known]
        keyed = dict(zip(known, keyed_of(project_id, specs), strict=True))
        sources = sources_of(project_id, list({k.key for k in keyed.values() if k.key}), run_id=self.plan.run_id)
        found: list[LeafOutcome | None] = [None] * len(leaves)
        for n, (name, spec) in enumerate(leaves):
            if n not in keyed:
                self.board.later(spec.template, name)
                continue
            source: Source | None = sources.get(keyed[n].key)
            if source is not None and not source.unusable:
                found[n] = source.outcome
                self.board.reused(spec.template, name, source.origin)
                first, count = self.taken.get(spec.template, (spec, 0))
                self.taken[spec.template] = (first, count + 1)
            else:
                self.board.runs(spec.template, name, keyed[n], source.unusable if source else keyed[n].why)
        self.board.explain()
        return found


def depends_on_unknown(spec: TaskSpec) -> bool:
    """Does a rehearsed step read what no finished step has answered?"""
    if any(a.key is not None and a.key.startswith(UNKNOWN_KEY) for a in spec.artifacts_in):
        return True
    texts = [
        spec.image,
        spec.source or "",
        spec.working_dir,
        *spec.argv,
        *(value for _, value in spec.env),
        *(a.raw or "" for a in spec.artifacts_in),
        *(a.sub_path for a in spec.artifacts_in),
        *(v.claim for v in spec.volumes),
        *(text for c in spec.containers for text in (c.image, c.source or "", *c.argv, *(v for _, v in c.env))),
    ]
    return any(UNKNOWN_VALUE in text for text in texts)
