"""Making the changes that an explanation offers: each by the service that people make it with, each authorized.

One call makes all changes of one option or none. Making the same change again does nothing more, but for sums of money:
those are given once for a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from fubini.common.errors import Conflict, Invalid
from fubini.common.figures import size
from fubini.common.principal import Principal
from fubini.common.saying import ours, say, together
from fubini.dispatch.appeals import Appealed, appeal_make
from fubini.dispatch.explain import MEMBER, RETRY, Rights, change_sentence, retry_sentence, who_decides
from fubini.dispatch.quotas import quota_raise
from fubini.dispatch.retries import run_retry
from fubini.ledger.accounting import books
from fubini.ledger.services import account_topup
from fubini.notices.tell import administrators
from fubini.projects.authorize import authorize, authorize_admin, role_in
from fubini.projects.services import project_pause
from fubini.runs.asking import Ask, tasks_ask
from fubini.runs.codec import spec_of
from fubini.runs.limits import RunLimits
from fubini.runs.models import Run, Task
from fubini.runs.services import run_update
from fubini.sites.authorize import authorize_site
from fubini.sites.cordons import pool_uncordon
from fubini.sites.models import Pool
from fubini.sites.selectors import pool_find
from fubini.sites.services import pause_set
from fubini_scheduler.trial import Change, ChangeKind

_AMOUNTS = {
    ChangeKind.CPU: "cpu_millis",
    ChangeKind.MEMORY: "memory_bytes",
    ChangeKind.DISK: "disk_bytes",
    ChangeKind.WALLTIME: "walltime_s",
}
OF_POOLS = (ChangeKind.PLACE, ChangeKind.RESUME_POOL, ChangeKind.UNCORDON)
QUOTA_LIMITS = {
    "cores": "cpu_millis",
    "accelerators": "accelerators",
    "runs": "runs",
    "storage": "storage_bytes",
    "money": "month_micros",
}
_RETRY_WHAT = ("memory_bytes", "walltime_s")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change as it is asked for: `kind` is one of `ChangeKind` or `retry`."""

    kind: str
    amount: int = 0
    word: str = ""
    pool_id: str = ""
    member: str = ""  # whose quota; "": the project's own

    @property
    def core(self) -> Change:
        """The same as the scheduler's own value."""
        kind = ChangeKind(self.kind)
        target = self.pool_id
        if kind is ChangeKind.QUOTA:
            target = MEMBER + self.member if self.member else ""
        return Change(kind, amount=self.amount, target=target, word=self.word)


@transaction.atomic
def changes_apply(
    *, task: Task, changes: Sequence[Wanted], like: bool, principal: Principal, key: str
) -> tuple[list[str], int]:
    """Make the changes: what was done, in sentences, and how many waiting steps now ask for something else.

    Args:
        like: changes of the step hold for all waiting steps of its run that ask for the same.
        key: of this deed; money is given once a key.

    Raises:
        NotFound, Forbidden: a change is not the asker's to make; then none is made.
        Conflict: the step does not wait, or its run has not ended, any more.
        Invalid: a change says too little.
    """
    done: list[str] = []
    asks: dict[str, object] = {}
    for change in changes:
        if change.kind == RETRY:
            done.append(_retry(task, change, principal))
            continue
        kind = ChangeKind(change.kind)
        pool = _pool(principal, change) if kind in OF_POOLS else None
        done.append(change_sentence(change.core, pool))
        if kind in _AMOUNTS:
            asks[_AMOUNTS[kind]] = _amount(change)
        elif kind is ChangeKind.DEVICES:
            asks["devices"] = (*asks.get("devices", ()), _devices(task, change))  # type: ignore[misc]
        elif kind in (ChangeKind.OBJECTIVE, ChangeKind.PRIORITY):
            asks[kind.value] = change.word
        elif kind is ChangeKind.PLACE and pool is not None:
            asks["place"] = (pool.site.name, pool.name)
        elif kind is ChangeKind.FORGIVE:
            asks["forgive"] = True
        else:
            _elsewhere(task, kind, change, pool, principal, key)
    count = 0
    if asks:
        authorize(principal, "run.update", task.run.project)
        count = tasks_ask(task=task, ask=Ask(**asks), actor=principal.actor, like=like)  # type: ignore[arg-type]
    return done, count


def changes_ask(*, task: Task, changes: Sequence[Wanted], principal: Principal) -> Appealed:
    """Ask those who may for the changes of one option; told are all who may make one that the asker may not.

    Raises:
        Invalid: the asker may make all of them.
        TooManyRequests: asked already.
    """
    rights = Rights(principal, task, role_in(principal, task.run.project))
    users: set[str] = set()
    asked: list[tuple[Wanted, Pool | None]] = []
    for change in changes:
        pool = _pool(principal, change) if change.kind in OF_POOLS else None
        site = pool.site if pool else None
        allowed = rights.retry() if change.kind == RETRY else rights.may(ChangeKind(change.kind), site, change.member)
        if not allowed:
            asked.append((change, pool))
            users |= who_decides(change.kind, project_id=task.project_id, site=site, member=change.member)
    if not asked:
        raise Invalid("You may make these changes yourself.", next_step="Make them.")
    first, pool = asked[0]
    shown = {
        "change": f"quota_{first.word}" if first.kind == ChangeKind.QUOTA else first.kind,
        "amount": _shown(first),
        "whose": first.member,
        "pool": f"{pool.site.name}/{pool.name}" if pool else "",
    }
    sentences = (
        retry_sentence(c.word, c.amount) if c.kind == RETRY else change_sentence(c.core, its) for c, its in asked
    )
    return appeal_make(
        task=task, actor=principal.actor, users=frozenset(users) or administrators(), change=shown,
        what=together(*sentences),
    )  # fmt: skip


def _shown(change: Wanted) -> str:
    """An amount as people read it; a count without its word."""
    if change.kind in (ChangeKind.BUDGET, ChangeKind.RUN_LIMIT) or change.word == "money":
        return books().money(change.amount)
    if change.word == "storage":
        return size(change.amount)
    if change.kind == ChangeKind.CPU or change.word == "cores":
        return f"{change.amount / 1000:g}"
    return str(change.amount) if change.amount else ""


def _elsewhere(task: Task, kind: ChangeKind, change: Wanted, pool: Pool | None, principal: Principal, key: str) -> None:
    """A change of the run, the project, a pool or everything."""
    project, actor = task.run.project, principal.actor
    if kind is ChangeKind.RUN_LIMIT:
        authorize(principal, "run.update", project)
        # The leader's place is not held here: a limit that was raised a little too little is raised again.
        for run_id, limit in RunLimits([task.run_id]).raised(task.run_id, _amount(change)).items():
            run_update(run=Run.objects.get(pk=run_id), actor=actor, max_cost_micros=limit)
    elif kind is ChangeKind.BUDGET:
        authorize_admin(principal)
        note = f"so that a step of {task.run.name} can start"[:200]
        account_topup(project_id=project.pk, amount_micros=_amount(change), actor=actor, key=key, note=note)
    elif kind is ChangeKind.RESUME_PROJECT:
        authorize(principal, "project.pause", project)
        project_pause(project=project, reason="", actor=actor)
    elif kind is ChangeKind.RESUME_POOL and pool is not None:
        authorize_site(principal, pool.site)
        pause_set(pool=pool, reason="", actor=actor)
    elif kind is ChangeKind.UNCORDON and pool is not None:
        authorize_site(principal, pool.site)
        pool_uncordon(pool=pool, actor=actor)
    elif kind is ChangeKind.RESUME_ALL:
        authorize_admin(principal)
        pause_set(reason="", actor=actor)
    elif kind is ChangeKind.QUOTA:
        if change.member:
            authorize(principal, "project.limits", project)
        else:
            authorize_admin(principal)
        of = QUOTA_LIMITS[change.word]
        quota_raise(project=project, member=change.member, limit=of, amount=_amount(change), actor=actor)
    else:
        raise Invalid(
            say(
                "{value} is not changed from here.",
                value=kind.value,
            ),
            next_step="Change the project's quotas on its own page.",
        )


def _retry(task: Task, change: Wanted, principal: Principal) -> str:
    authorize(principal, "run.signal", task.run.project)
    payload: dict[str, object] = {}
    if change.word:
        if change.word not in _RETRY_WHAT:
            raise Invalid(say("A retry does not change {word!r}.", word=change.word[:40]), allowed=list(_RETRY_WHAT))
        payload = {change.word: _amount(change)}
    if task.run.finished_at_ms is None:
        raise Conflict(
            say(
                "Run {name} is {state}.",
                name=task.run.name,
                state=ours(task.run.state),
            ),
            next_step="Wait until it has ended, then try again.",
        )
    run_retry(run=task.run, actor=principal.actor, payload=payload)
    return retry_sentence(change.word, change.amount)


def _amount(change: Wanted) -> int:
    if change.amount <= 0:
        raise Invalid(
            say(
                "{kind} needs an amount.",
                kind=change.kind,
            ),
            next_step="Give the amount of the option you were shown.",
        )
    return change.amount


def _devices(task: Task, change: Wanted) -> tuple[str, int]:
    """A kind of device that the step asks for, and how many it asks for instead."""
    known = [name for name, _ in spec_of(task.spec).resources.devices]
    if change.word not in known:
        raise Invalid(
            say("The step asks for no {device!r}.", device=change.word[:80]),
            allowed=known,
            next_step="Give the kind of device of the option you were shown.",
        )
    return change.word, _amount(change)


def _pool(principal: Principal, change: Wanted) -> Pool:
    return pool_find(principal, change.pool_id)
