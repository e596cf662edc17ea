"""Quotes: what a submit would cost and take, as ranges, for each objective, pool and kind of step, before anything is spent.

The steps come from a rehearsal of the manifest (the engine runs it with every step succeeding at once) and, where an
earlier run of the same pipeline or manifest exists, from how many steps that one really had. What an objective comes to is
what the scheduler would do with them under it, from how the places stand now (`fubini_scheduler.course`); the figures of the
whole run are those of the objective asked for. A loop or condition that depends on a result has no upper bound: then
`bounded` is False and the high end is that of what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db.models import Count

from fubini.common import clock
from fubini.common.ids import new_id
from fubini.common.saying import Said, ours, say, together
from fubini.dispatch.history import history_of
from fubini.dispatch.inputs import inputs_of
from fubini.dispatch.lateness import Expected
from fubini.dispatch.snapshot import World, request_of, world_now
from fubini.ledger.accounting import books
from fubini.ledger.services import available_by_project
from fubini.manifests.findings import Report, finding_told
from fubini.manifests.import_rules import NO_RULES, ImportRules, rules_from
from fubini.pipelines.checking import manifest_report, report_require
from fubini.projects.models import Project
from fubini.runs.codec import to_json
from fubini.runs.engine import Rehearsal
from fubini.runs.importing import spec_mapped
from fubini.runs.models import Run, RunManifest, Task
from fubini.runs.quoted import DEFAULT, KeptQuote, quote_sign
from fubini.runs.registry import engine_of
from fubini.runs.reuse.plan import ReusePlan, reuse_plan
from fubini.runs.services import OBJECTIVES
from fubini_scheduler import course
from fubini_scheduler.course import Course, Steps, for_quotes, in_pool
from fubini_scheduler.model import Objective, PoolId, ProjectId
from fubini_scheduler.quote import PoolQuote, Quote
from fubini_scheduler.quote import quote as core_quote

POOLS_MAX: Final = 5  # pools whose figures for the whole run are worked out


@dataclass(frozen=True, slots=True)
class Submission:
    """What would be submitted, by whom (`actor`); as `run_submit` takes it."""

    project: Project
    text: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    objective: str = ""
    priority: str = "normal"
    library: Sequence[Mapping[str, Any]] = ()
    engine: str = "embedded"
    reuse: str = ""
    name: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class PoolRange:
    """One pool's answer for all steps of a template; `steps`: how many the objective asked for would place there.

    The low end is all of them as expected and started at once, the high end all their walltime after the wait.
    """

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
    steps: int = 0


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
    """What an objective would make of it: low as expected, high with every step at the end of its walltime.

    `left`: steps that would not start by themselves, and are not in the figures.
    """

    objective: str
    pools: list[str]  # site/pool, in the order of the steps
    money_low_micros: int
    money_high_micros: int
    time_low_s: int
    time_high_s: int
    left: int = 0


@dataclass(frozen=True, slots=True)
class WholeRange:
    """What it would come to with every step in this one pool, from low to high as an objective's."""

    pool: str
    site: str
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
    """The whole answer; money in micros, times in seconds. `feasible` is False when some step fits no pool.

    The ranges are those of `objective`, which is one of `choices`. `ends`: how long it takes is bounded, if only because an
    earlier run shows how many steps there are. `token` names the quote in a submit of the same.
    """

    feasible: bool
    bounded: bool
    steps: int
    objective: str
    money_low_micros: int
    money_high_micros: int
    time_low_s: int
    time_high_s: int
    basis: str
    available_micros: int | None
    ends: bool
    at_ms: int
    rows: list[StepRange] = field(default_factory=list)
    choices: list[ChoiceRange] = field(default_factory=list)
    pools: list[WholeRange] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    reuse: ReusePlan | None = None
    saved: SavedRange | None = None
    token: str = ""

    def kept(self, objective: str = "") -> KeptQuote:
        """What a run of this objective (of the quote's own, where none is named) keeps of it."""
        of = next((c for c in self.choices if c.objective == objective), self)
        return KeptQuote(
            money_low_micros=of.money_low_micros,
            money_high_micros=of.money_high_micros,
            steps=self.steps,
            feasible=self.feasible,
            bounded=self.bounded,
            time_low_s=of.time_low_s,
            time_high_s=of.time_high_s,
            objective=of.objective,
            ends=self.ends,
            at_ms=self.at_ms,
        )

    @property
    def expected(self) -> dict[str, Expected]:
        """By template how many steps, and their part of the time the whole run is expected to take."""
        times = [min((p.time_low_s for p in row.pools if p.feasible), default=0) * 1000 for row in self.rows]
        total = sum(times)
        found: dict[str, Expected] = {}
        for row, time_ms in zip(self.rows, times, strict=True):
            known = found.get(row.template, Expected(0, 0))
            part_ms = self.time_low_s * 1000 * time_ms // total if total else 0
            found[row.template] = Expected(known.count + row.count, known.time_ms + part_ms)
        return found


def quote(asked: Submission) -> QuoteView:
    """What submitting it would cost and take; with `reuse`, of what would then still run.

    Raises:
        ManifestInvalid: it could not be submitted; the same findings as a submit.
    """
    return report_quote(submit_report(asked), asked)


def submit_report(asked: Submission, *, values_later: bool = False) -> Report:
    """The check a submit would make; with `values_later`, whatever values it then gets."""
    return manifest_report(
        asked.text,
        library=asked.library,
        parameters=None if values_later else dict(asked.parameters),
        engine=asked.engine,
        import_rules=asked.project.import_rules,
        max_items=asked.project.max_items,
        project_id=asked.project.pk,
    )


def report_quote(report: Report, asked: Submission) -> QuoteView:
    """The quote of what was checked already (`submit_report`).

    Raises:
        ManifestInvalid: the report has errors.
    """
    document = report_require(report)
    project, given = asked.project, {str(k): str(v) for k, v in asked.parameters.items()}
    run = Run(
        id=new_id(),
        project=project,
        name="quote",
        submitted_by=asked.actor,
        parameters=given,
        objective=asked.objective,
        priority=asked.priority,
        created_at_ms=clock.now_ms(),
        job_number=0,
    )
    warnings = [finding_told(f) for f in report.findings if f.severity != "error"]
    rules = rules_from(project.import_rules)
    if asked.reuse:
        plan, rehearsal, taken = reuse_plan(
            project=project, text=asked.text, reuse=asked.reuse, name=asked.name, parameters=given,
            library=asked.library, engine=asked.engine,
        )  # fmt: skip
        world = world_now()
        found = rehearsal_price(run, rehearsal, warnings=warnings, rules=rules, world=world, others=True)
        spared = rehearsal_price(run, taken, rules=rules, world=world)
        saved = SavedRange(spared.money_low_micros, spared.money_high_micros, spared.time_low_s, spared.time_high_s)
        found = replace(found, reuse=plan, saved=saved)
    else:
        rehearsal = engine_of(asked.engine).rehearse(run, document, asked.library)
        earlier = earlier_counts(project, asked.text)
        found = rehearsal_price(run, rehearsal, earlier=earlier, warnings=warnings, rules=rules, others=True)
    token = quote_sign(
        {objective: found.kept(objective) for objective in OBJECTIVES},
        project_id=project.pk, text=asked.text, parameters=given, priority=asked.priority, reuse=asked.reuse,
    )  # fmt: skip
    return replace(found, token=token)


def rehearsal_price(
    run: Run,
    rehearsal: Rehearsal,
    *,
    earlier: Mapping[str, int] | None = None,
    warnings: Sequence[dict[str, Any]] = (),
    rules: ImportRules = NO_RULES,
    world: World | None = None,
    others: bool = False,
) -> QuoteView:
    """What the leaves of a rehearsal would cost and take in `run`, which need not be stored.

    Args:
        earlier: steps by template an earlier run really had; None when that says nothing about these leaves.
        rules: the import rules the leaves would be read by.
        world: how the places stand, where it was read already.
        others: also what the objectives not asked for and single pools come to, which is most of the work.
    """
    project, seen = run.project, bool(earlier)
    earlier = earlier or {}
    leaves = [(spec_mapped(spec, rules), low) for spec, low in rehearsal.leaves]
    world = world or world_now()
    policy = world.policy
    times = history_of({(project.pk, spec.template) for spec, _ in leaves})
    steps, samples = [], []
    for number, (spec, low) in enumerate(leaves):
        task = Task(
            id=new_id(),
            run=run,
            project_id=project.pk,
            node_id="",
            template=spec.template,
            spec=to_json(spec),
            priority=run.priority,
            submitted_by=run.submitted_by,
            queued_at_ms=world.now_ms,
        )
        known = times.get((project.pk, spec.template), {})
        at = {n: level[spec.template] for n, level in enumerate(rehearsal.levels) if spec.template in level}
        at = at or {number: low}
        last = max(at)
        at[last] += max(0, earlier.get(spec.template, 0) - sum(at.values()))
        steps.append(Steps(request_of(task, run, known, inputs_of(project.pk, spec)), at))
        samples.append(sum(r.samples for r in known.values()))
    counts = [sum(s.at.values()) for s in steps]
    answers = core_quote(
        [(s.request, count) for s, count in zip(steps, counts, strict=True)], world.snapshot, policy, world.now_ms
    )
    own = [dict(spec.annotations).get("objective") for spec, _ in leaves]
    base = for_quotes(world.snapshot, ProjectId(project.pk))
    objective = run.objective or DEFAULT
    courses = {
        name: course(
            [
                Steps(replace(s.request, objective=Objective(mine or name)), s.at)
                for s, mine in zip(steps, own, strict=True)
            ],
            base,
            policy,
            world.now_ms,
        )
        for name in (OBJECTIVES if others else [objective])
    }
    bounded = not rehearsal.open_ended
    rows = [
        StepRange(
            spec.template, count, bounded, known,
            [_range(p, world, taken.get(p.pool_id, 0)) for p in answer.pools],
        )
        for (spec, _), count, known, answer, taken in zip(
            leaves, counts, samples, answers, courses[objective].taken, strict=True
        )
    ]  # fmt: skip
    choices = [_choice(name, found, world) for name, found in courses.items()]
    chosen = next(c for c in choices if c.objective == objective)
    feasible = all(any(p.feasible for p in row.pools) for row in rows)
    return QuoteView(
        feasible=feasible,
        bounded=bounded,
        steps=sum(counts),
        objective=objective,
        money_low_micros=chosen.money_low_micros,
        money_high_micros=chosen.money_high_micros,
        time_low_s=chosen.time_low_s,
        time_high_s=chosen.time_high_s,
        basis=_basis(rows, bounded, seen, world),
        available_micros=available_by_project([project.pk]).get(project.pk, 0),
        ends=feasible and bool(rows) and (bounded or seen),
        at_ms=world.now_ms,
        rows=rows,
        choices=choices,
        pools=[
            _whole(pool_id, course(in_pool(steps, pool_id), base, policy, world.now_ms), world)
            for pool_id in (_for_all(answers) if others else [])
        ],
        warnings=list(warnings),
    )


def _range(answer: PoolQuote, world: World, steps: int) -> PoolRange:
    pool = world.pools[answer.pool_id]
    return PoolRange(
        pool=pool.name,
        site=pool.site.name,
        feasible=answer.feasible,
        reason=Said(answer.reason.template, answer.reason.shown(books().currency)) if answer.reason else "",
        money_low_micros=answer.money_low_micros,
        money_high_micros=answer.money_high_micros,
        time_low_s=answer.time_low_s,
        time_high_s=answer.time_high_s,
        wait_s=answer.wait_s,
        bytes_to_move=answer.bytes_to_move,
        steps=steps,
    )


def _choice(objective: str, found: Course, world: World) -> ChoiceRange:
    taken = dict.fromkeys(pool_id for some in found.taken for pool_id in some)
    return ChoiceRange(
        objective=objective,
        pools=[f"{world.pools[p].site.name}/{world.pools[p].name}" for p in taken],
        money_low_micros=found.money_low_micros,
        money_high_micros=found.money_high_micros,
        time_low_s=found.time_low_s,
        time_high_s=found.time_high_s,
        left=found.left,
    )


def _whole(pool_id: PoolId, found: Course, world: World) -> WholeRange:
    pool = world.pools[pool_id]
    return WholeRange(
        pool.name, pool.site.name, found.money_low_micros, found.money_high_micros, found.time_low_s, found.time_high_s
    )


def _for_all(answers: Sequence[Quote]) -> list[PoolId]:
    """The pools that can run every step, the cheapest first, `POOLS_MAX` at most."""
    money: dict[PoolId, int] = {}
    able: dict[PoolId, int] = {}
    for answer in answers:
        for pool in answer.pools:
            if pool.feasible:
                able[pool.pool_id] = able.get(pool.pool_id, 0) + 1
                money[pool.pool_id] = money.get(pool.pool_id, 0) + pool.money_low_micros
    whole = [pool_id for pool_id, count in able.items() if count == len(answers)]
    return sorted(whole, key=lambda pool_id: (money[pool_id], pool_id))[:POOLS_MAX]


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


def _basis(rows: Sequence[StepRange], bounded: bool, seen: bool, world: World) -> str:
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
    parts.append(
        say(
            "each objective as the scheduler would place the steps from how the places stand now ({waiting} waiting, {running} running)",
            waiting=len(world.snapshot.tasks),
            running=len(world.snapshot.allocations),
        )
    )
    parts.append(ours("from what is expected to all walltimes used up"))
    if not bounded:
        parts.append(ours("a loop or condition depends on results, so there is no upper bound: set a cost limit"))
    return together(*parts, between="; ")
