"""Quotas of projects and members: set, shown with their use, and given to the scheduler.

The plan counts within its cycle; applying it reads use again under the locks of the quotas' rows (`quota_table`), so two
dispatchers, or a quota cut meanwhile, never pass a limit. Runs at once: the oldest live runs of a project (or member) have
the places, those of other runs' steps count with the run at the top.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.common.together import together
from fubini.datasets.selectors import project_bytes
from fubini.ledger.accounting import books, month_days
from fubini.ledger.selectors import placed_amount_of, spent_by
from fubini.projects.models import Membership, Project, Quota
from fubini.runs.models import Attempt, Run
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini_scheduler import model as core
from fubini_scheduler.quota import QuotaTable

LIMITS: Final = ("cpu_millis", "accelerators", "runs", "storage_bytes", "month_micros")


@dataclass(frozen=True, slots=True)
class QuotaView:
    """A quota and what is used of it now; `member` None: the project's own."""

    member: str | None
    cpu_millis: int | None
    accelerators: int | None
    runs: int | None
    storage_bytes: int | None
    month_micros: int | None
    used_cpu_millis: int
    used_accelerators: int
    used_runs: int
    used_storage_bytes: int
    used_month_micros: int


class _Use:
    """What is used now in the projects of these quotas, in all and by who submitted it.

    `read` is of `_use_parts`; what is spent this month and stored takes queries of its own, where it is limited.
    """

    def __init__(self, rows: Collection[Quota], read: Mapping[str, list[Any]]) -> None:
        self.cpu: dict[tuple[str, str], int] = defaultdict(int)
        self.devices: dict[tuple[str, str], int] = defaultdict(int)
        self.micros: dict[tuple[str, str], int] = defaultdict(int)
        self.runs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)  # oldest first: id, root
        for project, who, cpu, devices, held in read["quota_attempts"]:
            for key in ((project, ""), (project, who)):
                self.cpu[key] += cpu
                self.devices[key] += sum(devices.values())
                self.micros[key] += held or 0
        for run, root, project, who in read["quota_runs"]:
            for key in ((project, ""), (project, who)):
                self.runs[key].append((run, root))
        calendar = books()
        first, behind = month_days(calendar.month_of(clock.now_ms()))
        for project in {row.project_id for row in rows if row.month_micros is not None}:
            spent, _ = spent_by(project, "member", from_day=first, to_day=behind, limit=10_000)
            for one in spent:
                self.micros[project, ""] += one.spent_micros
                if one.name:
                    self.micros[project, one.name] += one.spent_micros
        limited = {row.project_id for row in rows if row.storage_bytes is not None}
        self.stored = {project: project_bytes(project) for project in limited}

    def tops(self, key: tuple[str, str]) -> list[str]:
        """Runs that take a place, oldest first."""
        return [run for run, root in self.runs[key] if not root]

    def beyond(self, key: tuple[str, str], most: int | None) -> dict[core.RunId, int]:
        """Runs behind the first `most`, each with the place of the run at its top."""
        if most is None:
            return {}
        late = {run: place for place, run in enumerate(self.tops(key), start=1) if place > most}
        return {core.RunId(run): late[root or run] for run, root in self.runs[key] if (root or run) in late}


def _use_parts(projects: Collection[str] | QuerySet[Quota, Any]) -> dict[str, QuerySet[Any, Any]]:
    """What `_Use` reads of some projects, for `together`: live attempts with what is set aside, live runs oldest first."""
    live = Attempt.objects.filter(project_id__in=projects, state__in=ATTEMPT_LIVE).annotate(held=placed_amount_of("pk"))
    runs = Run.objects.filter(project_id__in=projects, state__in=["pending", "running"])
    return {
        "quota_attempts": live.values_list("project_id", "task__submitted_by", "cpu_millis", "devices", "held"),
        "quota_runs": runs.order_by("created_at_ms", "id").values_list("pk", "root", "project_id", "submitted_by"),
    }


def quota_parts(project_ids: Iterable[str]) -> dict[str, QuerySet[Any, Any]]:
    """What `quotas_from` needs, for `together`."""
    rows = Quota.objects.filter(project_id__in=set(project_ids))
    return {"quotas": rows.select_related("user").order_by("pk"), **_use_parts(rows.values("project_id"))}


def quotas_from(read: Mapping[str, list[Any]]) -> tuple[core.Quota, ...]:
    """The scheduler's quotas of what was read with `quota_parts`; no query unless a month or stored bytes are limited."""
    if not read["quotas"]:
        return ()
    use = _Use(read["quotas"], read)
    return tuple(_core(row, use) for row in read["quotas"])


def quota_table(project_ids: Iterable[str], *, lock: bool = False) -> QuotaTable:
    """The quotas of projects with their use; with `lock` under the locks of their rows, in a transaction."""
    return QuotaTable(core_quotas(project_ids, lock=lock))


def core_quotas(project_ids: Iterable[str], *, lock: bool = False) -> tuple[core.Quota, ...]:
    """The same as the scheduler's own values. One query where there are no quotas."""
    if not lock:
        return quotas_from(together(quota_parts(project_ids)))
    rows = Quota.objects.filter(project_id__in=set(project_ids)).order_by("pk")
    found = list(rows.select_for_update(of=("self",)).select_related("user"))
    # Their use is read once the locks are held, or somebody else's would be missed.
    return quotas_from({"quotas": found, **together(_use_parts({row.project_id for row in found}))})


def _member(row: Quota) -> str:
    return f"user:{row.user.username}" if row.user is not None else ""


def _core(row: Quota, use: _Use) -> core.Quota:
    key = (row.project_id, _member(row))
    return core.Quota(
        project_id=core.ProjectId(row.project_id),
        member=key[1],
        max_cpu_millis=row.cpu_millis,
        max_devices=row.accelerators,
        max_runs=row.runs,
        max_storage_bytes=row.storage_bytes,
        max_micros=row.month_micros,
        used_cpu_millis=use.cpu[key],
        used_devices=use.devices[key],
        used_storage_bytes=use.stored.get(row.project_id, 0),
        used_micros=use.micros[key],
        runs_beyond=use.beyond(key, row.runs),
    )


def quotas_of(project: Project) -> list[QuotaView]:
    """A project's quotas with their use, its own first (also where nothing is limited)."""
    rows = list(Quota.objects.filter(project=project).select_related("user").order_by("user__username"))
    if not any(row.user_id is None for row in rows):
        rows.insert(0, Quota(project=project))
    rows.sort(key=lambda row: (row.user is not None, row.user.username if row.user else ""))
    everything = [Quota(project=project, month_micros=0, storage_bytes=0)]
    use = _Use([*rows, *everything], together(_use_parts({project.pk})))
    found = []
    for row in rows:
        key = (project.pk, _member(row))
        found.append(
            QuotaView(
                member=row.user.username if row.user else None,
                **{name: getattr(row, name) for name in LIMITS},
                used_cpu_millis=use.cpu[key],
                used_accelerators=use.devices[key],
                used_runs=len(use.tops(key)),
                used_storage_bytes=use.stored.get(project.pk, 0),
                used_month_micros=use.micros[key],
            )
        )
    return found


@transaction.atomic
def quota_set(*, project: Project, member: str, limits: dict[str, Any], actor: str) -> None:
    """Set limits of a project (`member` "") or of a member; those not named stay, null lifts one.

    Raises:
        Invalid: no such member, or a limit that is not theirs.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    user = None
    if member:
        found = Membership.objects.filter(project=project, user__username__iexact=member).select_related("user").first()
        if found is None:
            raise Invalid(
                say("{member!r} is not a member here.", member=member[:64]),
                errors=[{"pointer": "/member", "code": "unknown_member", "found": member[:64]}],
            )
        user = found.user
        if limits.get("storage_bytes") is not None:
            raise Invalid(
                "Stored bytes belong to the project as a whole.", next_step="Set that limit without a member."
            )
    row = Quota.objects.filter(project=project, user=user).first() or Quota(project=project, user=user)
    for name, value in limits.items():
        setattr(row, name, value)
    if all(getattr(row, name) is None for name in LIMITS):
        Quota.objects.filter(project=project, user=user).delete()
    else:
        row.save()
    audit_append(
        actor=actor, action="quota.set", target=f"project:{project.slug}", project_id=project.pk,
        data={"member": user.username if user else None, **limits},
    )  # fmt: skip
    transaction.on_commit(lambda: bell.ring("dispatch"))


@transaction.atomic
def quota_raise(*, project: Project, member: str, limit: str, amount: int, actor: str) -> None:
    """Raise one limit (of `LIMITS`) to `amount`, unless it is as high or was lifted meanwhile: a raise never lowers.

    Raises:
        Invalid: no such member.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    user = {"user__username": member} if member else {"user": None}
    row = Quota.objects.filter(project=project, **user).first()
    now = getattr(row, limit) if row is not None else None
    if now is not None and now < amount:
        quota_set(project=project, member=member, limits={limit: amount}, actor=actor)


__all__ = ["QuotaView", "core_quotas", "quota_raise", "quota_set", "quota_table", "quotas_of"]
