"""What would start a waiting step, and when it starts by itself; what made a failed one fail, and what to change.

For a step that waits: a forecast of its start from the queue as it is now, with how far such forecasts were off before,
and the smallest changes that would start it now, each seen to do so by the scheduler itself. For one that failed: its
cause with the evidence, and what its measurements advise. Who asks learns which changes are theirs to make. Reads only;
`applying` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fubini.accounts.models import User
from fubini.common import clock
from fubini.common.figures import size
from fubini.common.principal import Principal
from fubini.common.saying import ours, say, together
from fubini.common.together import together as read_together
from fubini.dispatch.appeals import asked_ms
from fubini.dispatch.models import StartScore
from fubini.dispatch.predictions import ENOUGH, error_bar, start_forecast
from fubini.dispatch.retries import advice_of
from fubini.dispatch.snapshot import World, world_now
from fubini.dispatch.why import attempts_at_hand
from fubini.ledger.accounting import books
from fubini.notices.tell import who_may as role_holders
from fubini.projects.authorize import ACTIONS, ROLES, allows, role_in
from fubini.projects.models import Role
from fubini.projects.selectors import role_rows
from fubini.runs.asking import alike_among, alike_rows
from fubini.runs.logs import log_tail
from fubini.runs.models import Attempt, Run, Task
from fubini.runs.transitions import RUN_ENDED
from fubini.sites.authorize import may_run_site
from fubini.sites.models import Pool, Site
from fubini_scheduler import model as core
from fubini_scheduler.quota import LIMITS
from fubini_scheduler.trial import Change, ChangeKind, Option, smallest

WORK: Final = 4_000  # plans times queued tasks of one answer
LOG_LINES: Final = 20
PEOPLE: Final = 5  # named of those who may
RETRY: Final = "retry"
MEMBER: Final = "user:"  # before a username, where a quota's member is told as tasks' `submitted_by`


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change. `amount` is what the kind says; `before` what it is now. `allowed`: the asker may make it."""

    kind: str
    amount: int | None
    word: str
    pool_id: str
    pool: str
    site: str
    before: int | None  # what is asked for, or the limit, now
    sentence: str
    allowed: bool
    who: str  # who may, where the asker may not
    people: list[str] = field(default_factory=list)  # those of them that the asker can see, by username
    member: str = ""  # whose quota; "": the project's own


@dataclass(frozen=True, slots=True)
class OptionView:
    """Changes that together start the step, and where it would then be."""

    changes: list[ChangeView]
    sentence: str
    pool: str
    site: str
    price_micros: int | None
    hold_micros: int | None
    allowed: bool


@dataclass(frozen=True, slots=True)
class ExpectedStart:
    """When it starts by itself. Times are server times in ms; None: not known, and `basis` says why."""

    at_ms: int | None
    low_ms: int | None
    high_ms: int | None
    pool: str
    site: str
    basis: str
    checked: int  # earlier predictions of that length the error bar stands on
    samples: int  # past steps of its template that run times come from
    queued: int
    running: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why it failed: `cause` is user, oom, walltime, node, site, data, image, lost, preempted or platform."""

    cause: str
    sentence: str
    whose: str  # step | site: who pays
    exit_code: int | None
    log: list[str]
    peak_memory_bytes: int | None
    memory_bytes: int
    walltime_s: int
    ran_ms: int | None
    attempts: int


@dataclass(frozen=True, slots=True)
class TaskStart:
    """The whole answer. `like`: waiting steps of the run that ask for the same, itself among them. `asked_ms`: when the
    asker last asked those who may for a change of this run."""

    task_id: str
    state: str
    starts_now: bool
    expected: ExpectedStart | None
    options: list[OptionView] = field(default_factory=list)
    complete: bool = True
    like: int = 1
    failure: Failure | None = None
    asked_ms: int | None = None


def task_start(task: Task, principal: Principal, world: World | None = None) -> TaskStart:
    """Explain one task, for who asks.

    Args:
        world: of `start_world`, where the asker needed it, too.
    """
    if task.state == "queued" and task.kind == "exec":
        return _waiting(task, principal, world or start_world(task))
    if task.state == "failed":
        return _failed(task, principal)
    return TaskStart(task.pk, task.state, starts_now=False, expected=None)


def start_world(task: Task) -> World | None:
    """The world a waiting task's start is simulated in; None where its start needs none."""
    paused = task.not_before_ms is not None and task.not_before_ms > clock.now_ms()
    return None if paused or task.state != "queued" or task.kind != "exec" else world_now(also=task.pk)


def _waiting(task: Task, principal: Principal, world: World | None) -> TaskStart:
    if world is None:
        again = ExpectedStart(
            task.not_before_ms,
            None,
            None,
            "",
            "",
            ours("It is tried again after a pause, no sooner."),
            0,
            0,
            0,
            0,
            whole=True,
        )
        return TaskStart(task.pk, task.state, starts_now=False, expected=again)
    if all(t.id != task.pk for t in world.snapshot.tasks):
        return TaskStart(task.pk, task.state, starts_now=False, expected=None)
    read = read_together({"scores": StartScore.objects.all(), "alike": alike_rows(task), "role": role_rows(principal, task.project_id)})
    task_id, policy = core.TaskId(task.pk), world.policy
    plans = max(6, min(60, WORK // max(1, len(world.snapshot.tasks))))
    found = smallest(world.snapshot, policy, world.now_ms, task_id, max_plans=plans)
    rights = Rights(principal, task, next(iter(read["role"]), None))
    options = [_option(o, world, rights, task_id) for o in found.options]
    return TaskStart(
        task.pk,
        task.state,
        starts_now=found.starts_now,
        expected=_expected(world, task_id, read["scores"]),
        options=options,
        complete=found.complete,
        like=len(alike_among(read["alike"], task)),
        asked_ms=None if all(o.allowed for o in options) else asked_ms(task.run_id, principal.actor),
    )


def _expected(world: World, task_id: core.TaskId, scores: Sequence[StartScore]) -> ExpectedStart:
    snapshot = world.snapshot
    found = start_forecast(snapshot, world.policy, world.now_ms, task_id, work=WORK)
    request = next(t for t in snapshot.tasks if t.id == task_id)
    samples = len(request.expected_by_group_ms)
    counts = (len(snapshot.tasks), len(snapshot.allocations))
    if found.start_ms is None:
        return ExpectedStart(
            None, None, None, "", "", ours("Nothing that ends by itself would let it start: something must change first."),
            0, samples, *counts, whole=found.whole,
        )  # fmt: skip
    wait_ms = max(0, found.start_ms - world.now_ms)
    bar = error_bar(wait_ms, scores)
    pool = world.pools.get(found.pool_id or "")
    low = None if bar.low_ms is None else world.now_ms + bar.low_ms
    high = None if bar.high_ms is None else world.now_ms + bar.high_ms
    basis = [
        say(
            "simulated from the queue as it is now ({waiting} waiting, {running} running)"
            if found.whole
            else "estimated from the queue as it is now ({waiting} waiting, {running} running), too long to simulate to its end",
            waiting=counts[0],
            running=counts[1],
        ),
        ours("run times from earlier steps")
        if samples
        else ours("no earlier step of its kind ran, so run times come from walltimes"),
        say(
            "of the last {checked} predictions of this length eight in ten started within the range"
            if bar.checked >= ENOUGH
            else "only {checked} predictions of this length were checked so far, too few for a range",
            checked=bar.checked,
        ),
    ]
    return ExpectedStart(
        found.start_ms, low, high, pool.name if pool else "", pool.site.name if pool else "", together(*basis, between="; "),
        bar.checked, samples, *counts, whole=found.whole,
    )  # fmt: skip


# --- who may make which change --------------------------------------------------------------------------------------

_OF_RUN: Final = frozenset(
    {
        ChangeKind.OBJECTIVE, ChangeKind.PRIORITY, ChangeKind.FORGIVE, ChangeKind.WALLTIME, ChangeKind.CPU,
        ChangeKind.MEMORY, ChangeKind.DISK, ChangeKind.DEVICES, ChangeKind.PLACE, ChangeKind.RUN_LIMIT,
    }
)  # fmt: skip


class Rights:
    """What the asker may change about one task, its project and its pools; and who may where the asker may not."""

    def __init__(self, principal: Principal, task: Task, role: str | None) -> None:
        self._principal = principal
        self._role = role
        self._project_id = task.project_id
        self._seen: dict[tuple[str, str], list[str]] = {}

    def people(self, kind: str, site: Site | None, member: str) -> list[str]:
        """Usernames of those who may, of the project and the site: administrators are not everybody's to see."""
        key = (kind, site.pk if site is not None else member)
        if key not in self._seen:
            ids = who_decides(kind, project_id=self._project_id, site=site, member=member)
            rows = User.objects.filter(pk__in=ids).order_by("username")
            self._seen[key] = list(rows.values_list("username", flat=True)[:PEOPLE])
        return self._seen[key]

    def may(self, kind: ChangeKind, site: Site | None, member: str = "") -> bool:
        if "write" not in self._principal.scopes:
            return False
        if kind in _OF_RUN:
            return self._does("run.update")
        if kind is ChangeKind.RESUME_PROJECT:
            return self._does("project.pause")
        if kind in (ChangeKind.RESUME_POOL, ChangeKind.UNCORDON):
            return site is not None and may_run_site(self._principal, site)
        if kind is ChangeKind.QUOTA and member:
            return self._does("project.limits")
        return self._principal.administers and kind in (ChangeKind.BUDGET, ChangeKind.RESUME_ALL, ChangeKind.QUOTA)

    def retry(self) -> bool:
        return "write" in self._principal.scopes and self._does("run.signal")

    def _does(self, action: str) -> bool:
        return allows(self._role, action)


_WHO: Final = {
    Role.VIEWER: "a viewer of the project",
    Role.MEMBER: "a member of the project",
    Role.MAINTAINER: "a maintainer of the project",
    Role.OWNER: "an owner of the project",
}


def who_may(kind: str, member: str = "") -> str:
    """Who may make a change of this kind, in words."""
    if kind in _OF_RUN or kind == RETRY:
        return _WHO[ACTIONS["run.update"].role]
    if kind == ChangeKind.RESUME_PROJECT:
        return _WHO[ACTIONS["project.pause"].role]
    if kind in (ChangeKind.RESUME_POOL, ChangeKind.UNCORDON):
        return "an owner of the site or an administrator"
    if kind == ChangeKind.QUOTA and member:
        return _WHO[ACTIONS["project.limits"].role]
    return "an administrator"


def who_decides(kind: str, *, project_id: str, site: Site | None = None, member: str = "") -> frozenset[str]:
    """Ids of the people of a project or a site who may make a change of this kind; none where only administrators may."""
    if kind in _OF_RUN or kind == RETRY:
        return _with_role(project_id, "run.update")
    if kind == ChangeKind.RESUME_PROJECT:
        return _with_role(project_id, "project.pause")
    if kind in (ChangeKind.RESUME_POOL, ChangeKind.UNCORDON) and site is not None:
        return frozenset(site.owners.filter(is_active=True).values_list("pk", flat=True))
    if kind == ChangeKind.QUOTA and member:
        return _with_role(project_id, "project.limits")
    return frozenset()


def _with_role(project_id: str, action: str) -> frozenset[str]:
    return role_holders(project_id, *(role for role in ROLES if allows(role.value, action)))


def _option(option: Option, world: World, rights: Rights, task_id: core.TaskId) -> OptionView:
    request = next(t for t in world.snapshot.tasks if t.id == task_id)
    changes = [_change(change, world, rights, request) for change in option.changes]
    placement = option.placement
    pool = world.pools[placement.pool_id]
    price = books().money(placement.price_micros) if placement.price_micros else "free"
    then = say("It would then start in {pool} at {site} ({price}).", pool=pool.name, site=pool.site.name, price=price)
    return OptionView(
        changes,
        together(*(c.sentence for c in changes), then),
        pool.name,
        pool.site.name,
        placement.price_micros,
        placement.hold_micros,
        allowed=all(c.allowed for c in changes),
    )


def _change(change: Change, world: World, rights: Rights, request: core.TaskRequest) -> ChangeView:
    before = {
        ChangeKind.CPU: request.cpu_millis,
        ChangeKind.MEMORY: request.memory_bytes,
        ChangeKind.DISK: request.disk_bytes,
        ChangeKind.WALLTIME: request.walltime_s,
        ChangeKind.DEVICES: dict(request.devices).get(change.word),
    }
    pool: Pool | None = world.pools.get(change.target)
    site = pool.site if pool else None
    quota = change.kind is ChangeKind.QUOTA
    member = change.target.removeprefix(MEMBER) if quota else ""
    if quota:
        of = (request.project_id, change.target)
        limits = next(q for q in world.snapshot.quotas if (q.project_id, q.member) == of)
        before[ChangeKind.QUOTA] = getattr(limits, LIMITS[change.word])
    allowed = rights.may(change.kind, site, member)
    return ChangeView(
        kind=change.kind.value,
        amount=change.amount or None,
        word=ours(change.word),
        pool_id="" if quota else change.target,
        pool=pool.name if pool else "",
        site=pool.site.name if pool else "",
        before=before.get(change.kind),
        sentence=change_sentence(change, pool, before.get(change.kind)),
        allowed=allowed,
        who="" if allowed else who_may(change.kind, member),
        people=[] if allowed else rights.people(change.kind, site, member),
        member=member,
    )


def change_sentence(change: Change, pool: Pool | None = None, before: int | None = None) -> str:
    """The change as a request. `before` is what is asked for, or the limit, now; None: not said."""
    kinds = ChangeKind
    place = say("{pool} at {site}", pool=pool.name, site=pool.site.name) if pool else change.target
    now = _now(None if before is None else _figure(change, before))
    return {
        kinds.OBJECTIVE: say("Let it be {word} instead.", word=ours(change.word)),
        kinds.PRIORITY: say("Raise its priority to {word}.", word=ours(change.word)),
        kinds.FORGIVE: ours("Try again where infrastructure failed it before."),
        kinds.WALLTIME: say("Ask for a walltime of {time}{now}.", time=_time(change.amount), now=now),
        kinds.CPU: say("Ask for {cores:g} cores{now}.", cores=change.amount / 1000, now=now),
        kinds.MEMORY: say("Ask for {size} of memory{now}.", size=size(change.amount), now=now),
        kinds.DISK: say("Ask for {size} of disk{now}.", size=size(change.amount), now=now),
        kinds.DEVICES: say(
            "Ask for {count} x {device} a node{now}.", count=change.amount, device=change.word, now=now
        ),
        kinds.PLACE: say("Run it in {place}, whatever its selector says.", place=place),
        kinds.RUN_LIMIT: say("Raise the run's cost limit by {amount}.", amount=books().money(change.amount)),
        kinds.BUDGET: say("Raise the project's budget by {amount}.", amount=books().money(change.amount)),
        kinds.RESUME_POOL: say("Resume the pool {place}.", place=place),
        kinds.UNCORDON: say("Let the nodes of {place} take new steps again.", place=place),
        kinds.QUOTA_RUNNING: say("Let the project run {count} steps at once.", count=change.amount),
        kinds.QUOTA_CPU: say("Let the project use {cores:g} cores at once.", cores=change.amount / 1000),
        kinds.QUOTA: say(
            "Raise the quota of {whose} to {limit}{now}.",
            whose=change.target.removeprefix(MEMBER) or ours("the project"),
            limit=_limit(change),
            now=now,
        ),
        kinds.RESUME_PROJECT: ours("Resume the project."),
        kinds.RESUME_ALL: ours("Resume new work everywhere."),
    }[change.kind]


def retry_sentence(word: str, amount: int, before: int | None = None) -> str:
    """A retry as a request; `word` says what it changes (memory_bytes, walltime_s), "" nothing."""
    if word == "memory_bytes":
        now = _now(None if before is None else size(before))
        return say("Run the failed steps again with {size} of memory{now}.", size=size(amount), now=now)
    if word == "walltime_s":
        now = _now(None if before is None else _time(before))
        return say("Run the failed steps again with a walltime of {time}{now}.", time=_time(amount), now=now)
    return ours("Run the failed steps again as they are.")


def _now(figure: str | None) -> str:
    return "" if figure is None else say(" (now {figure})", figure=figure)


def _figure(change: Change, amount: int) -> str:
    """An amount of the change's kind, without the name of what it is of."""
    if change.kind is ChangeKind.WALLTIME:
        return _time(amount)
    if change.kind in (ChangeKind.MEMORY, ChangeKind.DISK) or change.word == "storage":
        return size(amount)
    if change.kind is ChangeKind.CPU or change.word == "cores":
        return f"{amount / 1000:g}"
    return books().money(amount) if change.word == "money" else str(amount)


def _limit(change: Change) -> str:
    """A quota's new limit; "" of another change."""
    return {
        "cores": say("{cores:g} cores at once", cores=change.amount / 1000),
        "accelerators": say("{count} accelerators at once", count=change.amount),
        "runs": say("{count} runs at once", count=change.amount),
        "storage": say("{size} stored", size=size(change.amount)),
        "money": say("{money} a month", money=books().money(change.amount)),
    }.get(change.word, "")


def _time(seconds: int) -> str:
    """In its two largest units, by the signs that both languages use."""
    for unit, length, below in (("d", 86_400, "h"), ("h", 3_600, "min"), ("min", 60, "s")):
        if seconds >= length:
            rest = seconds % length // {"h": 3_600, "min": 60, "s": 1}[below]
            return f"{seconds // length} {unit} {rest} {below}" if rest else f"{seconds // length} {unit}"
    return f"{seconds} s"


# --- failed steps ---------------------------------------------------------------------------------------------------

_CAUSES: Final = {
    "user": "the command itself failed",
    "oom": "it was killed because it used more memory than it asked for",
    "walltime": "it ran out of its walltime",
    "node": "the machine it ran on failed",
    "site": "the site it ran at failed",
    "data": "its data could not be brought or kept",
    "image": "its image could not be used",
    "lost": "its agent was silent for too long",
    "preempted": "it was given back to make room",
    "platform": "the platform gave up on it",
    "input": "an input it reads does not exist",
}


def _failed(task: Task, principal: Principal) -> TaskStart:
    tries = attempts_at_hand(task)[::-1]
    run = task.run
    failure = _failure(task, tries)
    options: list[OptionView] = []
    if tries and run.state in RUN_ENDED:
        options = _advised(run, task, Rights(principal, task, role_in(principal, run.project)))
    return TaskStart(task.pk, task.state, starts_now=False, expected=None, options=options, failure=failure)


def _failure(task: Task, tries: Sequence[Attempt]) -> Failure:
    outcome = task.outcome or {}
    if not tries:
        said = str(outcome.get("error", ""))[:500]
        return Failure("input", together(_CAUSES["input"], said, between=": "), "step", None, [], None, 0, 0, None, 0)
    last = tries[0]
    cause = last.cause or (last.state if last.state in ("lost", "preempted") else "user")
    ran = last.finished_at_ms - last.started_at_ms if last.finished_at_ms and last.started_at_ms else None
    parts: list[str] = [
        say(
            "Attempt {number} in {pool} at {site}: {cause}",
            number=last.number,
            pool=last.pool.name,
            site=last.site.name,
            cause=ours(_CAUSES.get(cause, cause)),
        )
    ]
    if last.exit_code is not None:
        parts.append(say("exit code {code}", code=last.exit_code))
    if cause == "oom" and last.peak_memory_bytes:
        parts.append(
            say("its peak was {peak} of {asked}", peak=size(last.peak_memory_bytes), asked=size(last.memory_bytes))
        )
    if cause == "walltime":
        parts.append(f"{last.walltime_s} s")
    if last.message:
        parts.append(last.message[:300])
    return Failure(
        cause,
        together(*parts, between="; "),
        "step" if cause in ("user", "oom", "walltime") else "site",
        last.exit_code,
        log_tail(task.run_id, last.pk, lines=LOG_LINES),
        last.peak_memory_bytes,
        last.memory_bytes,
        last.walltime_s,
        ran,
        len(tries),
    )


def _advised(run: Run, task: Task, rights: Rights) -> list[OptionView]:
    """A retry of the failed steps, with what their measurements advise for this template."""
    allowed = rights.retry()
    found: list[OptionView] = []
    for advice in advice_of(run):
        if advice.template != task.template:
            continue
        said = retry_sentence(advice.what, advice.proposed or 0, advice.asked)
        change = ChangeView(
            RETRY, advice.proposed, advice.what, "", "", "", advice.asked, said, allowed,
            "" if allowed else who_may(RETRY),
        )  # fmt: skip
        found.append(OptionView([change], together(said, advice.evidence), "", "", None, None, allowed=allowed))
    return found
