"""Feasibility: may and can a pool's node group ever run a task, whatever is taken now.

The answer is one reason, the first that holds in a fixed order, or None. What is free at the moment is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping

from fubini_scheduler.model import NodeGroup, Operator, Pool, Requirement, Site, TaskRequest
from fubini_scheduler.reasons import Reason, ReasonCode

ARCH = "kubernetes.io/arch"
ACCELERATOR = "fubini.dev/accelerator"
SITE = "fubini.dev/site"
POOL = "fubini.dev/pool"
REGION = "fubini.dev/region"


def labels_of(pool: Pool, group: NodeGroup, site: Site | None) -> dict[str, str]:
    """The labels a requirement is checked against; the core's own keys win over the pool's."""
    labels = dict(pool.labels)
    labels[ARCH] = group.arch
    labels[POOL] = pool.name
    labels[SITE] = pool.site_id if site is None else site.name
    if group.accelerator:
        labels[ACCELERATOR] = group.accelerator
    if site is not None and site.region:
        labels[REGION] = site.region
    return labels


def satisfies(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """One condition, with Kubernetes' meaning of absent labels."""
    value = labels.get(requirement.key)
    match requirement.op:
        case Operator.IN:
            return value is not None and value in requirement.values
        case Operator.NOT_IN:
            return value is None or value not in requirement.values
        case Operator.EXISTS:
            return value is not None
        case Operator.DOES_NOT_EXIST:
            return value is None


def selected(required: tuple[tuple[Requirement, ...], ...], labels: Mapping[str, str]) -> bool:
    """Any of the terms holds in full; no terms, or an empty one, ask for nothing."""
    return not required or any(all(satisfies(r, labels) for r in term) for term in required)


def preference_points(task: TaskRequest, labels: Mapping[str, str]) -> int:
    """The points of the soft conditions that hold."""
    return sum(p.weight for p in task.preferred if all(satisfies(r, labels) for r in p.requirements))


def pool_blocks(task: TaskRequest, pool: Pool) -> Reason | None:
    """Reasons that hold for all of a pool's node groups."""
    code = ReasonCode
    if pool.project_ids is not None and task.project_id not in pool.project_ids:
        return Reason(code.POOL_NOT_ALLOWED, pool.id)
    if task.only_pools is not None and pool.id not in task.only_pools:
        return Reason(code.RUN_ELSEWHERE, pool.id, (("place", task.bound_to),))
    if task.walltime_s is not None and pool.max_walltime_s is not None and task.walltime_s > pool.max_walltime_s:
        return Reason(code.WALLTIME, pool.id, (("needed", task.walltime_s), ("limit", pool.max_walltime_s)))
    for image in (task.image, *task.more_images):
        if image and pool.images is not None and image not in pool.images:
            known = sorted(pool.images)
            shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            return Reason(code.IMAGE_UNKNOWN, pool.id, (("image", image), ("known", shown or "none")))
    if task.needs_private_root and not pool.private_root:
        return Reason(code.PRIVATE_ROOT, pool.id)
    if task.needs_container_groups and not pool.container_groups:
        return Reason(code.CONTAINER_GROUPS, pool.id)
    if task.needs_run_disks and not pool.run_disks:
        return Reason(code.RUN_DISKS, pool.id)
    for name in task.needs_shared_disks:
        if name not in pool.shared_disks:
            return Reason(code.SHARED_DISK, pool.id, (("disk", name),))
    return None


def group_blocks(task: TaskRequest, pool: Pool, group: NodeGroup, labels: Mapping[str, str]) -> Reason | None:
    """Reasons of one node group: its labels and the size of a node."""
    code = ReasonCode
    if not selected(task.required, labels):
        return Reason(
            code.SELECTOR, pool.id, (("needed", required_text(task.required)), ("found", _found(task, labels)))
        )
    devices = dict(group.devices if group.whole_devices is None else group.whole_devices)
    for name, count in task.devices:
        if count > devices.get(name, 0):
            figures = (("needed", count), ("device", name), ("limit", devices.get(name, 0)))
            return Reason(code.DEVICES, pool.id, figures)
    cores = group.cpu_millis if group.whole_cpu_millis is None else group.whole_cpu_millis
    memory = group.memory_bytes if group.whole_memory_bytes is None else group.whole_memory_bytes
    for needed, limit, too_large in (
        (task.cpu_millis, cores, code.CPU_TOO_LARGE),
        (task.cpu_millis + task.room_beside_cpu_millis, cores, code.NO_ROOM_BESIDE),
        (task.memory_bytes, memory, code.MEMORY_TOO_LARGE),
        (task.disk_bytes, group.disk_bytes or task.disk_bytes, code.DISK_TOO_LARGE),
    ):
        if needed > limit:
            return Reason(too_large, pool.id, (("needed", needed), ("limit", limit)))
    # Daemons that took every core would wait for ever for the steps they serve.
    if task.room_beside_cpu_millis and group.serving_cpu_millis:
        serving = group.serving_cpu_millis
        if serving + task.cpu_millis + task.room_beside_cpu_millis > cores:
            return Reason(code.DAEMONS_BUSY, pool.id, (("serving", serving), ("limit", cores)))
    if task.gang_nodes > group.nodes:
        return Reason(code.GANG_TOO_LARGE, pool.id, (("needed", task.gang_nodes), ("limit", group.nodes)))
    return None


def pool_is_shut(pool: Pool) -> Reason | None:
    """Reasons that pass by themselves or by an operator's hand, and that stop all new work in a pool."""
    if pool.paused is not None:
        return Reason(ReasonCode.POOL_PAUSED, pool.id, (("reason", pool.paused),))
    if not pool.reachable:
        return Reason(ReasonCode.AGENT_AWAY, pool.id)
    return None


def nodes_are_shut(task: TaskRequest, pool: Pool, group: NodeGroup) -> Reason | None:
    """Too few nodes of the group are left that take new work."""
    shut = {index for index in group.unavailable_nodes if 0 <= index < group.nodes}
    if group.nodes - len(shut) >= task.gang_nodes:
        return None
    figures = (("cordoned", len(shut)), ("nodes", group.nodes), ("reason", group.unavailable_reason))
    return Reason(ReasonCode.NODES_CORDONED, pool.id, figures)


def required_text(required: tuple[tuple[Requirement, ...], ...]) -> str:
    """The conditions in one line, for people."""
    return " or ".join(" and ".join(_requirement_text(r) for r in term) for term in required)


def _requirement_text(requirement: Requirement) -> str:
    values = ", ".join(requirement.values)
    match requirement.op:
        case Operator.IN:
            return f"{requirement.key} in ({values})"
        case Operator.NOT_IN:
            return f"{requirement.key} not in ({values})"
        case Operator.EXISTS:
            return f"{requirement.key} present"
        case Operator.DOES_NOT_EXIST:
            return f"{requirement.key} absent"


def _found(task: TaskRequest, labels: Mapping[str, str]) -> str:
    keys = sorted({requirement.key for term in task.required for requirement in term})
    return ", ".join(f"{key}={labels[key]}" if key in labels else f"no {key}" for key in keys)
