"""Short ways to say what a scheduling test is about; everything not named is unremarkable."""

from __future__ import annotations

from typing import Any

from fubini_scheduler.model import (
    Allocation,
    LocalFirst,
    NodeGroup,
    NodeGroupId,
    Operator,
    Policy,
    Pool,
    PoolId,
    Price,
    Project,
    ProjectId,
    Reason,
    Requirement,
    RunId,
    SchedulingResult,
    Site,
    SiteId,
    Snapshot,
    TaskId,
    TaskRequest,
)

NOW_MS = 1_800_000_000_000
GIB = 1 << 30
MIB = 1 << 20
GPU = "nvidia.com/gpu"


def make_task(name: str = "task", **more: Any) -> TaskRequest:
    """A one-core task of project `lab`, queued a second ago, expected to run a minute."""
    fields: dict[str, Any] = {
        "id": TaskId(name),
        "run_id": RunId("run"),
        "project_id": ProjectId("lab"),
        "version": 1,
        "queued_since_ms": NOW_MS - 1000,
        "expected_ms": 60_000,
    }
    return TaskRequest(**(fields | more))


def make_tasks(count: int, **more: Any) -> tuple[TaskRequest, ...]:
    """`count` equal tasks, `task-0000` first."""
    return tuple(make_task(f"task-{n:04}", **more) for n in range(count))


def make_group(name: str, site: str = "here", **more: Any) -> NodeGroup:
    """One four-core node with 16 GiB."""
    fields: dict[str, Any] = {
        "id": NodeGroupId(name),
        "site_id": SiteId(f"site-{site}"),
        "nodes": 1,
        "cpu_millis": 4000,
        "memory_bytes": 16 * GIB,
    }
    return NodeGroup(**(fields | more))


def make_pool(name: str, *groups: str, site: str = "here", core_hour_micros: int = 0, **more: Any) -> Pool:
    """A free pool over the groups named."""
    fields: dict[str, Any] = {
        "id": PoolId(name),
        "name": name,
        "site_id": SiteId(f"site-{site}"),
        "node_group_ids": tuple(NodeGroupId(g) for g in groups),
        "price": Price(core_hour_micros=core_hour_micros),
    }
    return Pool(**(fields | more))


def make_allocation(name: str, pool: str, group: str, *, node: int = 0, ends_in_s: int = 60, **more: Any) -> Allocation:
    """One core of a node, for `ends_in_s` more."""
    fields: dict[str, Any] = {
        "id": name,
        "task_id": TaskId(f"held-{name}"),
        "project_id": ProjectId("lab"),
        "pool_id": PoolId(pool),
        "node_group_id": NodeGroupId(group),
        "node_indexes": (node,),
        "cpu_millis": 1000,
        "started_ms": NOW_MS - 60_000,
        "expected_finish_ms": NOW_MS + ends_in_s * 1000,
    }
    return Allocation(**(fields | more))


def make_snapshot(**more: Any) -> Snapshot:
    """One pool `pool` over one group `group` unless told; project `lab` with no budget limit."""
    fields: dict[str, Any] = {
        "node_groups": (make_group("group"),),
        "pools": (make_pool("pool", "group"),),
        "projects": (Project(id=ProjectId("lab")),),
    }
    fields |= more
    if "sites" not in fields:
        ids = sorted({pool.site_id for pool in fields["pools"]})
        fields["sites"] = tuple(Site(s, s.removeprefix("site-")) for s in ids)
    return Snapshot(**fields)


def two_sites(**more: Any) -> Snapshot:
    """`near`: one free core. `far`: many cores that cost."""
    fields: dict[str, Any] = {
        "node_groups": (
            make_group("near", "near", cpu_millis=1000),
            make_group("far", "far", cpu_millis=64_000, memory_bytes=256 * GIB),
        ),
        "pools": (
            make_pool("near", "near", site="near"),
            make_pool("far", "far", site="far", core_hour_micros=60_000),
        ),
    }
    return make_snapshot(**(fields | more))


def near_first(burst_wait_s: int = 60, burst_max_price_micros: int | None = None, **more: Any) -> Policy:
    """Local first with `near` before everything else."""
    rule = LocalFirst(
        site_tiers=((SiteId("site-near"),),),
        burst_wait_s=burst_wait_s,
        burst_max_price_micros=burst_max_price_micros,
    )
    return Policy(local_first=rule, **more)


def need(key: str, op: str, *values: str) -> Requirement:
    """A requirement."""
    return Requirement(key, Operator(op), values)


def where(result: SchedulingResult) -> dict[str, str]:
    """Task -> pool of what was placed."""
    return {p.task_id: p.pool_id for p in result.placements}


def why_not(result: SchedulingResult, task: str = "task") -> tuple[Reason, ...]:
    """The reasons of a task that stays."""
    return next(u.reasons for u in result.unplaced if u.task_id == task)


def codes(result: SchedulingResult, task: str = "task") -> list[tuple[str, str | None]]:
    """The reasons as (code, pool)."""
    return [(reason.code.value, reason.pool_id) for reason in why_not(result, task)]
