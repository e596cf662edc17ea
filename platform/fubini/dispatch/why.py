"""Why a task is where it is: one sentence, the evidence per pool, and what would unblock it.

Reads what the last plan stored with the task and puts names to ids; nothing is computed anew. What the project's import
rules changed in the step's words is said, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fubini.common import clock
from fubini.common.figures import size
from fubini.common.saying import Said, ours, say, together
from fubini.datasets.models import Fetch
from fubini.ledger.accounting import books
from fubini.runs.inhouse import KINDS as INHOUSE
from fubini.runs.models import Attempt, Task
from fubini.runs.remote import fetches_waited_for
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini.sites.models import Pause, Pool
from fubini.sites.selectors import paused_all
from fubini_scheduler.reasons import THE_PROJECT, Figure, ReasonCode, template_of

NEXT_STEPS = {
    "budget": "Top up the project's budget, or cancel other runs that hold money.",
    "run_budget": "Raise the run's limit: fubini run update RUN --max-cost AMOUNT.",
    "quota": "It starts when others of the project end, or when the quota is raised: fubini project quota shows both.",
    "fetch": "Nothing to do: it starts when the data is here; what cannot be fetched ends it with the reason.",
    "paused": "An administrator resumes it: fubini unpause.",
    "project_paused": "A maintainer resumes the project: fubini unpause --project NAME.",
    "pool_paused": "Wait until the pool is resumed, or let the step run elsewhere.",
    "nodes_cordoned": "Wait until its nodes take steps again, or let the step run elsewhere.",
    "pool_slots": "It starts when a slot is free.",
    "nodes_busy": "It starts when running steps end.",
    "daemons_busy": "It starts when a run that has a daemon there ends.",
    "machine_busy": "It starts when running steps end.",
    "waits_for_pool": "Nothing to do: waiting here is better than starting elsewhere.",
    "local_first": "Nothing to do: overflow opens if local pools stay full.",
    "agent_away": "Check the site's agent: fubini agent list.",
    "image_unknown": "Use one of the site's images, or add this one to its site file.",
    "selector": "Change the step's nodeSelector or nodeAffinity, or use a site that has what it asks for.",
    "walltime": "Ask for a shorter fubini.dev/walltime, or use a pool that allows more.",
    "cpu_too_large": "Ask for fewer cores.",
    "no_room_beside": "Let the daemon ask for less (resources.requests.cpu: 100m), or use a pool with larger nodes.",
    "memory_too_large": "Ask for less memory.",
    "devices": "Ask for devices a pool has.",
    "container_groups": "Use a pool all of whose agents can give a step its own root, or update its agents.",
    "run_disks": "Use a pool all of whose agents can give a step its own root, or update its agents.",
    "shared_disk": "Use a pool of a site that has it; its owner declares it in the site file (`shared_disks`).",
    "run_elsewhere": "Nothing to do while that place is up: its run's disk and daemons are there.",
    "lock": "It goes on when the lock is free: fubini lock list. Ending a holder frees it: fubini run cancel RUN.",
    "private_root": "Use a site whose kernel allows user namespaces.",
}


@dataclass(frozen=True, slots=True)
class Why:
    """The answer for one task. `reasons` are per pool: {code, pool, sentence, figures...}."""

    task_id: str
    node_id: str
    template: str
    state: str
    sentence: str
    code: str = ""
    since_ms: int | None = None
    next_step: str = ""
    waiting_for: list[str] = field(default_factory=list)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    placement: dict[str, Any] | None = None
    mapped: list[dict[str, str]] = field(default_factory=list)


class Around:
    """What the answers of these tasks need beside them: read when the first asks for it, once however many ask.

    Args:
        pools: all pools by id with their sites and agents at hand, where they were read already.
    """

    def __init__(self, tasks: Sequence[Task], pools: Mapping[str, Pool] | None = None) -> None:
        self._tasks = tasks
        self._known = pools

    @cached_property
    def pools(self) -> Mapping[str, Pool]:
        """All pools, by id."""
        return self._known or {p.pk: p for p in Pool.objects.select_related("site")}

    @cached_property
    def refusals(self) -> dict[str, str]:
        """Why agents that are there take nothing new, by pool, of those that say so."""
        reports: Iterable[tuple[str, dict[str, Any]]]
        if self._known:
            there = ((p.pk, a) for p in self._known.values() for a in reversed(p.agents.all()))
            reports = ((pool_id, agent.last_report) for pool_id, agent in there if agent.revoked_at is None)
        else:
            rows = Pool.agents.through.objects.filter(agent__revoked_at=None).order_by("-pk")
            reports = rows.values_list("pool_id", "agent__last_report")
        return {pool_id: str(report["reason"]) for pool_id, report in reports if report.get("reason")}

    @cached_property
    def pause(self) -> Pause | None:
        """The installation's, where it is on."""
        return paused_all()

    @cached_property
    def fetches(self) -> dict[str, list[Fetch]]:
        """What blocked tasks wait for from outside, by task."""
        return fetches_waited_for(task for task in self._tasks if task.state == "blocked")


def task_why(task: Task, around: Around | None = None) -> Why:
    """Explain one task in any state."""
    answer = _explained(task, around or Around([task]))
    mapped = [{"what": what, "theirs": theirs, "ours": ours} for what, theirs, ours in task.spec.get("mapped", ())]
    return replace(answer, mapped=mapped) if mapped else answer


def _explained(task: Task, around: Around) -> Why:
    if task.kind in INHOUSE and task.state in ("queued", "running"):
        return _plain(task, ours("The platform does this step itself; it is placed on no site."))
    if task.state in ("queued", "blocked"):
        return _waiting(task, around)
    attempt = next(reversed(attempts_at_hand(task)), None)
    if attempt is None and task.kind in INHOUSE:
        error = str((task.outcome or {}).get("error") or "")[:500]
        done = say("The platform did this step itself; it is {state}.", state=ours(task.state))
        return _plain(task, together(done, error))
    if attempt is None:
        return _plain(task, say("The step is {state} and was never started.", state=ours(task.state)))
    where = say("{pool} at {site}", pool=attempt.pool.name, site=attempt.site.name)
    placement = {
        "site": attempt.site.name,
        "pool": attempt.pool.name,
        "attempt_id": attempt.pk,
        "number": attempt.number,
        "state": attempt.state,
        **placement_named(attempt.placement, around.pools),
    }
    if attempt.state in ATTEMPT_LIVE:
        silent = ""
        if attempt.unknown_since_ms:
            seconds = (clock.now_ms() - attempt.unknown_since_ms) // 1000
            silent = say("Its agent has not answered for {seconds} s.", seconds=seconds)
        return _plain(
            task,
            say(
                "Attempt {number} is {state} on {where}.{silent}",
                number=attempt.number,
                state=ours(attempt.state),
                where=where,
                silent=silent,
            ),
            placement,
        )
    if task.state == "succeeded":
        return _plain(
            task,
            say(
                "Attempt {number} succeeded on {where}.",
                number=attempt.number,
                where=where,
            ),
            placement,
        )
    what = say("Attempt {number} on {where}: {state}.", number=attempt.number, where=where, state=ours(attempt.state))
    code = say("Exit code {code}.", code=attempt.exit_code) if attempt.exit_code else ""
    cause = say("Cause: {cause}.", cause=ours(attempt.cause)) if attempt.cause else ""
    return _plain(task, together(what, code, cause, attempt.message[:400]), placement)


def attempts_at_hand(task: Task) -> list[Attempt]:
    """A task's attempts, the first one first: as they were read with it (`runs.selectors.task_get`), else one query."""
    if "attempt_rows" in vars(task):
        return list(vars(task)["attempt_rows"])
    tries = Attempt.objects.filter(task=task).select_related("site", "pool", "placement_document")
    return list(tries.order_by("number"))


def _plain(task: Task, sentence: str, placement: dict[str, Any] | None = None) -> Why:
    return Why(task.pk, task.node_id, task.template, task.state, sentence, placement=placement)


def _waiting(task: Task, around: Around) -> Why:
    if task.state == "blocked" and (coming := around.fetches.get(task.pk)):
        return _fetching(task, coming)
    reasons = []
    for item in task.why:
        pool = around.pools.get(item["pool_id"]) if item.get("pool_id") else None
        if pool is not None and item["code"] == "agent_away" and (refusal := around.refusals.get(pool.pk)):
            item = {**item, "sentence": say("its agent takes no new work: {refusal}", refusal=refusal)}
        place = {"pool": pool.name if pool else None, "site": pool.site.name if pool else None}
        reasons.append({**item, "sentence": reason_said(item), **place})
    if not reasons:
        pause = around.pause
        text = (
            say("New work is paused: {reason}", reason=pause.reason)
            if pause
            else ours("It became ready a moment ago and has not been planned yet.")
        )
        return Why(task.pk, task.node_id, task.template, task.state, text, "paused" if pause else "", task.queued_at_ms)
    first = reasons[0]
    return Why(
        task.pk,
        task.node_id,
        task.template,
        task.state,
        _sentence(first),
        first["code"],
        task.why_since_ms or task.queued_at_ms,
        NEXT_STEPS.get(first["code"], ""),
        list(task.waiting_for),
        reasons,
    )


def _fetching(task: Task, coming: list[Fetch]) -> Why:
    first = coming[0]
    where = str(first.source.get("bucket") or first.source.get("url", "")).partition("?")[0].rpartition("@")[2]
    text = together(
        say(
            "It waits for the artifact {name!r}, which the platform fetches from {where}.",
            name=first.name,
            where=where[:120],
        ),
        say("This is try {tries}.", tries=first.tries) if first.state == "moving" else "",
        say("The last try: {error}.", error=first.error) if first.error else "",
        say("{count} more are on their way.", count=len(coming) - 1) if len(coming) > 1 else "",
    )
    return Why(
        task.pk,
        task.node_id,
        task.template,
        task.state,
        text,
        "fetch",
        first.planned_at_ms,
        NEXT_STEPS["fetch"],
        list(task.waiting_for),
        [
            {"code": "fetch", "pool": None, "site": None, "sentence": f"{f.name}: {f.state}", "tries": f.tries}
            for f in coming[:20]
        ],
    )


def _sentence(reason: dict[str, Any]) -> str:
    said = reason_said(reason)
    return say("{pool}: {what}", pool=reason["pool"], what=said) if reason.get("pool") else said


def reason_said(reason: Mapping[str, Any]) -> str:
    """A stored reason as a sentence, made anew from its code and figures, so that it can be told in any language.

    One with words of its own (an agent's, say), or of an older version's, keeps them.
    """
    stored = str(reason.get("sentence") or "")
    try:
        template = template_of(ReasonCode(reason["code"]), reason)
        core, currency = template.format_map({k: _fact(k, v, "") for k, v in reason.items()}), books().currency
        made = Said(template, {k: _fact(k, v, currency) for k, v in reason.items()})
    except (ValueError, KeyError):  # a code or a figure that this version does not know
        return stored or str(reason.get("code", ""))
    return reason["sentence"] if stored not in ("", core) else made


def _fact(name: str, value: Any, currency: str) -> Any:
    """A figure as its sentence shows it; some texts among them are the scheduler's own words."""
    if name in ("busy", "raised_by") or value == THE_PROJECT:
        return ours(str(value))
    return Figure.of(value, currency) if isinstance(value, int) else value


def placement_named(placement: dict[str, Any], pools: Mapping[str, Pool]) -> dict[str, Any]:
    """A stored placement with names for ids and a sentence that says what decided."""
    considered = [
        {
            **c,
            "pool": pools[c["pool_id"]].name if c["pool_id"] in pools else c["pool_id"],
            "site": pools[c["pool_id"]].site.name if c["pool_id"] in pools else "",
        }
        for c in placement.get("considered", [])
    ]
    return {**placement, "considered": considered, "sentence": _decided(placement.get("why", ""), considered)}


_DECIDED = {
    "only_feasible": "no other pool can run it",
    "data_local": "its data decided: without the bytes to move another place would have won",
    "local_first": "local first: a more distant place opens only when local ones stay full",
    "burst": "overflow: the more local places would start it too late",
    "cheapest": "it is the cheapest place",
    "fastest": "it ends soonest there",
    "balanced": "time and price together are best there",
}


def _decided(code: str, considered: list[dict[str, Any]]) -> str:
    """Why there, with the bytes and seconds of each place where any had to move."""
    text = _DECIDED.get(code, code)
    if not any(c["bytes_to_move"] for c in considered):
        return text
    moves = ", ".join(
        f"{c['pool']} {size(c['bytes_to_move'])} / {c.get('transfer_ms', 0) / 1000:.1f} s" for c in considered
    )
    return say("{decided}; to move: {moves}", decided=ours(text), moves=moves)
