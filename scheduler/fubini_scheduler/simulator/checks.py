"""What must hold of any plan, checked from the snapshot and the result alone.

Written without the core's own counters, filters and scores on purpose, so that a mistake there does not hide itself.
Slow and plain; for the simulator, tests and replays of saved snapshots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from fubini_scheduler.model import (
    Allocation,
    NodeGroup,
    Operator,
    Placement,
    Pool,
    PoolKind,
    Requirement,
    SchedulingResult,
    Snapshot,
    TaskRequest,
)


@dataclass(slots=True)
class _Load:
    """Amounts by what they count against."""

    nodes: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    machines: Counter[tuple[str, str]] = field(default_factory=Counter)
    pools: Counter[str] = field(default_factory=Counter)
    projects: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, item: Allocation | Placement, group: NodeGroup) -> None:
        amounts = {"cpu": item.cpu_millis, "memory": item.memory_bytes, "disk": item.disk_bytes, **dict(item.devices)}
        for index in item.node_indexes:
            for name, amount in amounts.items():
                self.nodes[group.id, index, name] += amount
        if group.machine_id is not None:
            self.machines[group.machine_id, "cpu"] += item.cpu_millis * item.nodes
            self.machines[group.machine_id, "memory"] += item.memory_bytes * item.nodes
            self.machines[group.machine_id, "tasks"] += item.nodes
        self.pools[item.pool_id] += 1
        self.projects[item.project_id, "running"] += 1
        self.projects[item.project_id, "cpu"] += item.cpu_millis * item.nodes


def violations(snapshot: Snapshot, result: SchedulingResult) -> list[str]:
    """Everything that is wrong with a plan, in sentences; empty when it may be applied as it is.

    What was over capacity before the cycle is no violation, as long as nothing was added to it.
    """
    tasks = {task.id: task for task in snapshot.tasks}
    groups = {group.id: group for group in snapshot.node_groups}
    pools = {pool.id: pool for pool in snapshot.pools}
    found: list[str] = []
    decided = Counter([p.task_id for p in result.placements] + [u.task_id for u in result.unplaced])
    found += [f"{task_id} was decided {count} times" for task_id, count in decided.items() if count != 1]
    found += [f"{task_id} was not decided" for task_id in tasks if task_id not in decided]
    found += [f"{unplaced.task_id} stays without a reason" for unplaced in result.unplaced if not unplaced.reasons]
    for placement in result.placements:
        task = tasks[placement.task_id]
        found += _misplaced(snapshot, task, placement, pools[placement.pool_id], groups[placement.node_group_id])
    before, after = _Load(), _Load()
    for held in snapshot.allocations:
        if held.node_group_id in groups:
            before.add(held, groups[held.node_group_id])
            after.add(held, groups[held.node_group_id])
    for placement in result.placements:
        after.add(placement, groups[placement.node_group_id])
    found += _overloads(snapshot, before, after)
    found += _overspends(snapshot, result.placements)
    return found


def could_run(snapshot: Snapshot, task: TaskRequest) -> bool:
    """Some pool could run the task if nothing else were there and all pools were up."""
    groups = {group.id: group for group in snapshot.node_groups}
    return any(
        not _unfit(snapshot, task, pool, groups[group_id])
        for pool in snapshot.pools
        for group_id in pool.node_group_ids
        if group_id in groups
    )


def _misplaced(snapshot: Snapshot, task: TaskRequest, placement: Placement, pool: Pool, group: NodeGroup) -> list[str]:
    wrong = _unfit(snapshot, task, pool, group)
    if snapshot.paused is not None:
        wrong.append("everything is paused")
    if pool.paused is not None:
        wrong.append("the pool is paused")
    if not pool.reachable:
        wrong.append("the pool has no agent")
    if group.id not in pool.node_group_ids:
        wrong.append("the node group is not the pool's")
    if placement.nodes != task.gang_nodes:
        wrong.append(f"a gang of {task.gang_nodes} got {placement.nodes} nodes")
    if pool.kind is PoolKind.OWNED:
        if len(set(placement.node_indexes)) != task.gang_nodes:
            wrong.append(f"a gang of {task.gang_nodes} got the nodes {placement.node_indexes}")
        if any(not 0 <= index < group.nodes for index in placement.node_indexes):
            wrong.append(f"there are no nodes {placement.node_indexes}")
        if set(placement.node_indexes) & set(group.unavailable_nodes):
            wrong.append("a node is not available")
    elif placement.node_indexes:
        wrong.append("the nodes of a queued pool are the site's to choose")
    if task.version != placement.task_version:
        wrong.append("the version is not the task's")
    if not task.exclusive and (task.cpu_millis, task.memory_bytes, task.devices) != (
        placement.cpu_millis,
        placement.memory_bytes,
        placement.devices,
    ):
        wrong.append("the amounts are not the task's")
    if placement.hold_micros < placement.price_micros or placement.hold_micros < 0:
        wrong.append("the hold does not cover the price")
    return [f"{task.id} on {pool.id}/{group.id}: {what}" for what in wrong]


def _unfit(snapshot: Snapshot, task: TaskRequest, pool: Pool, group: NodeGroup) -> list[str]:
    wrong: list[str] = []
    site = next((s for s in snapshot.sites if s.id == pool.site_id), None)
    labels = {
        **dict(pool.labels),
        "kubernetes.io/arch": group.arch,
        "fubini.dev/pool": pool.name,
        "fubini.dev/site": site.name if site else pool.site_id,
    }
    if group.accelerator:
        labels["fubini.dev/accelerator"] = group.accelerator
    if site is not None and site.region:
        labels["fubini.dev/region"] = site.region
    if task.required and not any(all(_holds(r, labels) for r in term) for term in task.required):
        wrong.append("its requirements do not hold")
    if pool.project_ids is not None and task.project_id not in pool.project_ids:
        wrong.append("the project may not use it")
    if task.walltime_s is not None and pool.max_walltime_s is not None and task.walltime_s > pool.max_walltime_s:
        wrong.append("the walltime is too long")
    if task.image and pool.images is not None and task.image not in pool.images:
        wrong.append("the image is not known")
    if task.needs_private_root and not pool.private_root:
        wrong.append("there is no private root")
    if task.cpu_millis > group.cpu_millis or task.memory_bytes > group.memory_bytes:
        wrong.append("the node is too small")
    if group.disk_bytes and task.disk_bytes > group.disk_bytes:
        wrong.append("the disk is too small")
    if any(count > dict(group.devices).get(name, 0) for name, count in task.devices):
        wrong.append("there are too few devices")
    if task.gang_nodes > group.nodes:
        wrong.append("there are too few nodes")
    machine = next((m for m in snapshot.machines if m.id == group.machine_id), None)
    if machine is not None:
        cpu = (group.cpu_millis if task.exclusive else task.cpu_millis) * task.gang_nodes
        memory = (group.memory_bytes if task.exclusive else task.memory_bytes) * task.gang_nodes
        if cpu > machine.cpu_millis - machine.used_elsewhere_cpu_millis:
            wrong.append("the machine is too small")
        if machine.memory_bytes is not None and memory > machine.memory_bytes:
            wrong.append("the machine's memory is too small")
        if machine.max_tasks is not None and task.gang_nodes > machine.max_tasks:
            wrong.append("the machine may not run that many tasks")
    return wrong


def _holds(requirement: Requirement, labels: dict[str, str]) -> bool:
    present = requirement.key in labels
    inside = present and labels[requirement.key] in requirement.values
    return {
        Operator.IN: inside,
        Operator.NOT_IN: not inside,
        Operator.EXISTS: present,
        Operator.DOES_NOT_EXIST: not present,
    }[requirement.op]


def _overloads(snapshot: Snapshot, before: _Load, after: _Load) -> list[str]:
    found: list[str] = []

    def limit(what: str, had: int, has: int, most: int) -> None:
        if has > most and has > had:
            found.append(f"{what}: {has} of {most}")

    for group in snapshot.node_groups:
        most = {"cpu": group.cpu_millis, "memory": group.memory_bytes, **dict(group.devices)}
        if group.disk_bytes:
            most["disk"] = group.disk_bytes
        for index in range(group.nodes):
            for name, amount in most.items():
                key = (group.id, index, name)
                limit(f"node {group.id}[{index}] {name}", before.nodes[key], after.nodes[key], amount)
    for machine in snapshot.machines:
        caps = {
            "cpu": machine.cpu_millis - machine.used_elsewhere_cpu_millis,
            "memory": machine.memory_bytes,
            "tasks": machine.max_tasks,
        }
        for name, cap in caps.items():
            if cap is not None:
                limit(
                    f"machine {machine.id} {name}",
                    before.machines[machine.id, name],
                    after.machines[machine.id, name],
                    cap,
                )
    for pool in snapshot.pools:
        if pool.max_running is not None:
            limit(
                f"pool {pool.id} slots",
                before.pools[pool.id],
                after.pools[pool.id],
                pool.max_running - pool.running_elsewhere,
            )
    for project in snapshot.projects:
        for name, quota in (("running", project.max_running), ("cpu", project.max_cpu_millis)):
            if quota is not None:
                limit(
                    f"quota {project.id} {name}",
                    before.projects[project.id, name],
                    after.projects[project.id, name],
                    quota,
                )
    return found


def _overspends(snapshot: Snapshot, placements: Sequence[Placement]) -> list[str]:
    by_project: Counter[str] = Counter()
    by_run: Counter[str] = Counter()
    run_left: dict[str, int] = {}
    for placement in placements:
        by_project[placement.project_id] += placement.hold_micros
        by_run[placement.run_id] += placement.hold_micros
    for task in snapshot.tasks:
        if task.run_budget_left_micros is not None:
            run_left[task.run_id] = min(
                task.run_budget_left_micros, run_left.get(task.run_id, task.run_budget_left_micros)
            )
    found = [
        f"project {project.id} holds {by_project[project.id]} of {project.available_micros}"
        for project in snapshot.projects
        if project.available_micros is not None and by_project[project.id] > max(0, project.available_micros)
    ]
    found += [
        f"run {run} holds {by_run[run]} of {left}" for run, left in run_left.items() if by_run[run] > max(0, left)
    ]
    known = {project.id for project in snapshot.projects}
    found += [f"{p.task_id}: its project is not known" for p in placements if p.project_id not in known]
    return found
