"""Quotes: what a submit would cost and take, as ranges, per step template and pool, before anything is spent.

The steps come from a rehearsal of the manifest (the engine runs it with every step succeeding at once) and, where an
earlier run of the same pipeline or manifest exists, from how many steps that one really had. A loop or condition that
depends on a result has no upper bound: then `bounded` is False and the high end is that of what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Count

from fubini.common import clock
from fubini.common.ids import new_id
from fubini.common.saying import Said, ours, say, together
from fubini.dispatch.history import history_of
from fubini.dispatch.inputs import inputs_of
from fubini.dispatch.policy import policy_now
from fubini.dispatch.snapshot import RequestCache, World, request_of, world_of
from fubini.ledger.services import available_by_project
from fubini.manifests.findings import Report, finding_told
from fubini.manifests.import_rules import NO_RULES, ImportRules, rules_from
from fubini.pipelines.checking import manifest_report, report_require
from fubini.projects.models import Project
from fubini.runs.codec import to_json
from fubini.runs.engine import Rehearsal
from fubini.runs.importing import spec_mapped
from fubini.runs.models import Run, RunManifest, Task
from fubini.runs.registry import engine_of
from fubini.runs.reuse.plan import ReusePlan, reuse_plan
from fubini.runs.services import OBJECTIVES
from fubini.sites.models import Pool
from fubini_scheduler.model import Objective
from fubini_scheduler.quote import PoolQuote, Quote
from fubini_scheduler.quote import quote as core_quote


@dataclass(frozen=True, slots=True)
class PoolRange:
    """One pool's answer for all steps of a template."""

    pool: str
    site: str
    feasible: bool
    reason: str = ""
    money_low_micros: int = 0
    money_high_micros: int = 0
    time_low_s: int = 0
    time_high_s: int = 0
    wait_s: int = 0
    bytes_to_move: int = 0


@dataclass(frozen=True, slots=True)
class StepRange:
    """All steps of one template: how many, and what each pool would ask for them."""

    template: str
    count: int
    count_known: bool
    samples: int
    pools: list[PoolRange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChoiceRange:
    """What an objective would make of it: every step in the pool it takes, as far as one has room for it at all."""

    objective: str
    pools: list[str]  # site/pool, in the order of the steps
    money_low_micros: int
    money_high_micros: int
    time_low_s: int
    time_high_s: int


@dataclass(frozen=True, slots=True)
class SavedRange:
    """What running the steps that are taken over would cost and take now; what they had cost is in the plan."""

    money_low_micros: int
    money_high_micros: int
    time_low_s: int
    time_high_s: int


@dataclass(frozen=True, slots=True)
class QuoteView:
    """The whole answer; money in micros, times in seconds. `feasible` is False when some step fits no pool."""

    feasible: bool
    bounded: bool
    steps: int
    money_low_micros: int
    money_high_micros: int
    time_low_s: int
    time_high_s: int
    basis: str
    available_micros: int | None
    rows: list[StepRange] = field(default_factory=list)
    choices: list[ChoiceRange] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    reuse: ReusePlan | None = None
    saved: SavedRange | None = None


def quote(
    *,
    project: Project,
    text: str,
    parameters: Mapping[str, str] | None = None,
    objective: str = "",
    priority: str = "normal",
    library: Sequence[Mapping[str, Any]] = (),
    engine: str = "embedded",
    reuse: str = "",
    name: str = "",
) -> QuoteView:
    """What submitting `text` would cost and take; with `reuse`, of what would then still run.

    Raises:
        ManifestInvalid: it could not be submitted; the same findings as a submit.
    """
    given = {str(k): str(v) for k, v in (parameters or {}).items()}
    report = submit_report(project=project, text=text, parameters=given, library=library, engine=engine)
    return report_quote(
        report, project=project, text=text, parameters=given, objective=objective, priority=priority,
        library=library, engine=engine, reuse=reuse, name=name,
    )  # fmt: skip


def submit_report(
    *,
    project: Project,
    text: str,
    parameters: Mapping[str, str] | None,
    library: Sequence[Mapping[str, Any]] = (),
    engine: str = "embedded",
) -> Report:
    """The check a submit would make; without `parameters`, values may still come."""
    return manifest_report(
        text,
        library=library,
        parameters=parameters,
        engine=engine,
        import_rules=project.import_rules,
        max_items=project.max_items,
        project_id=project.pk,
    )


def report_quote(
    report: Report,
    *,
    project: Project,
    text: str,
    parameters: Mapping[str, str] | None = None,
    objective: str = "",
    priority: str = "normal",
    library: Sequence[Mapping[str, Any]] = (),
    engine: str = "embedded",
    reuse: str = "",
    name: str = "",
) -> QuoteView:
    """The quote of what was checked already (`submit_report`).

    Raises:
        ManifestInvalid: the report has errors.
    """
    shell = engine_of(engine)
    document = report_require(report)
    given = dict(parameters or {})
    run = Run(
        id=new_id(),
        project=project,
        name="quote",
        submitted_by="",
        parameters=given,
        objective=objective,
        priority=priority,
        created_at_ms=clock.now_ms(),
        job_number=0,
    )
    warnings = [finding_told(f) for f in report.findings if f.severity != "error"]
    rules = rules_from(project.import_rules)
    if reuse:
        plan, rehearsal, taken = reuse_plan(
            project=project, text=text, reuse=reuse, name=name, parameters=given, library=library, engine=engine
        )
        world = world_of(RequestCache())
        found = rehearsal_price(run, rehearsal, warnings=warnings, rules=rules, world=world)
        spared = rehearsal_price(run, taken, rules=rules, world=world)
        saved = SavedRange(spared.money_low_micros, spared.money_high_micros, spared.time_low_s, spared.time_high_s)
        return replace(found, reuse=plan, saved=saved)
    rehearsal = shell.rehearse(run, document, library)
    return rehearsal_price(run, rehearsal, earlier=earlier_counts(project, text), warnings=warnings, rules=rules)


def rehearsal_price(
    run: Run,
    rehearsal: Rehearsal,
    *,
    earlier: Mapping[str, int] | None = None,
    warnings: Sequence[dict[str, Any]] = (),
    rules: ImportRules = NO_RULES,
    world: World | None = None,
) -> QuoteView:
    """What the leaves of a rehearsal would cost and take in `run`, which need not be stored.

    Args:
        earlier: steps by template an earlier run really had; None when that says nothing about these leaves.
        rules: the import rules the leaves would be read by.
        world: how the places stand, where it was read already.
    """
    project, seen = run.project, bool(earlier)
    earlier = earlier or {}
    leaves = [(spec_mapped(spec, rules), low) for spec, low in rehearsal.leaves]
    world = world or world_of(RequestCache())
    times = history_of({(project.pk, spec.template) for spec, _ in leaves})
    wanted, counts = [], []
    for spec, low in leaves:
        task = Task(
            id=new_id(),
            run=run,
            project_id=project.pk,
            node_id="",
            template=spec.template,
            spec=to_json(spec),
            priority=run.priority,
            submitted_by="",
            queued_at_ms=world.now_ms,
        )
        count = max(low, earlier.get(spec.template, 0))
        known = times.get((project.pk, spec.template), {})
        wanted.append((request_of(task, run, known, inputs_of(project.pk, spec)), count))
        counts.append((spec.template, count, sum(r.samples for r in known.values())))
    answers = core_quote(wanted, world.snapshot, policy_now(), world.now_ms)
    names = {p.pk: (p.name, p.site.name) for p in Pool.objects.select_related("site")}
    bounded = not rehearsal.open_ended
    rows = [
        StepRange(template, count, bounded, samples, [_range(p, names) for p in answer.pools])
        for (template, count, samples), answer in zip(counts, answers, strict=True)
    ]
    feasible = [[p for p in row.pools if p.feasible] for row in rows]
    own = [dict(spec.annotations).get("objective") for spec, _ in leaves]
    available = available_by_project([project.pk]).get(project.pk, 0)
    return QuoteView(
        feasible=all(feasible),
        bounded=bounded,
        steps=sum(row.count for row in rows),
        money_low_micros=sum(min((p.money_low_micros for p in pools), default=0) for pools in feasible),
        money_high_micros=sum(max((p.money_high_micros for p in pools), default=0) for pools in feasible),
        time_low_s=sum(min((p.time_low_s for p in pools), default=0) for pools in feasible),
        time_high_s=sum(max((p.time_high_s for p in pools), default=0) for pools in feasible),
        basis=_basis(rows, bounded, seen),
        available_micros=available,
        rows=rows,
        choices=[_choice(objective, own, answers, names) for objective in OBJECTIVES],
        warnings=list(warnings),
    )


def _range(answer: PoolQuote, names: Mapping[str, tuple[str, str]]) -> PoolRange:
    pool, site = names[answer.pool_id]
    return PoolRange(
        pool=pool,
        site=site,
        feasible=answer.feasible,
        reason=Said(answer.reason.template, answer.reason.shown) if answer.reason else "",
        money_low_micros=answer.money_low_micros,
        money_high_micros=answer.money_high_micros,
        time_low_s=answer.time_low_s,
        time_high_s=answer.time_high_s,
        wait_s=answer.wait_s,
        bytes_to_move=answer.bytes_to_move,
    )


def _choice(
    objective: str, own: Sequence[str | None], answers: Sequence[Quote], names: Mapping[str, tuple[str, str]]
) -> ChoiceRange:
    """A step with an objective of its own keeps it, as it would in the run."""
    taken = [dict(answer.choices).get(Objective(mine or objective)) for mine, answer in zip(own, answers, strict=True)]
    found = [pool for pool in taken if pool is not None]
    return ChoiceRange(
        objective=objective,
        pools=list(dict.fromkeys("{1}/{0}".format(*names[pool.pool_id]) for pool in found)),
        money_low_micros=sum(pool.money_low_micros for pool in found),
        money_high_micros=sum(pool.money_high_micros for pool in found),
        time_low_s=sum(pool.time_low_s for pool in found),
        time_high_s=sum(pool.time_high_s for pool in found),
    )


def earlier_counts(project: Project, text: str) -> dict[str, int]:
    """Steps by template of the newest succeeded run of the same manifest in this project."""
    last = (
        RunManifest.objects.filter(run__project=project, run__state="succeeded", text=text)
        .order_by("-run__created_at_ms")
        .values_list("run_id", flat=True)
        .first()
    )
    if last is None:
        return {}
    return dict(Task.objects.filter(run_id=last).values_list("template").annotate(n=Count("pk")))


def _basis(rows: Sequence[StepRange], bounded: bool, seen: bool) -> str:
    known = [row for row in rows if row.samples]
    samples = sum(r.samples for r in known)
    parts: list[str] = [
        say(
            "run times from {samples} past steps of {known} of {templates} templates",
            samples=samples,
            known=len(known),
            templates=len(rows),
        )
    ]
    if len(known) < len(rows):
        parts.append(ours("walltimes for the others"))
    parts.append(
        ours("the number of steps from the last run of this manifest")
        if seen
        else ours("the number of steps from the manifest")
    )
    if not bounded:
        parts.append(ours("a loop or condition depends on results, so there is no upper bound: set a cost limit"))
    return together(*parts, between="; ")
