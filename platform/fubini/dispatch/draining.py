"""Giving back what still runs in drained pools and nodes once their grace is over.

An attempt is told to come back like one that is cancelled, in words that its agent reads as a preemption: it ends as
preempted, the step is queued again and the site bears the cost.
"""

from __future__ import annotations

from collections import defaultdict

from django.db import transaction
from django.db.models import Q

from fubini.runs.models import Attempt
from fubini.runs.transitions import ATTEMPT_LIVE, agents_wake
from fubini.sites.models import NodeGroup, Pool

BATCH = 1000


def drains_step(*, at_ms: int) -> int:
    """Tell what is due to come back; how many attempts."""
    due: dict[str, str] = {}
    where = Q()
    for pk, name, reason in (
        Pool.objects.filter(drain_at_ms__lte=at_ms).exclude(paused_reason="").values_list("pk", "name", "paused_reason")
    ):
        due[pk] = f"{name} is drained: {reason}"
        where |= Q(pool_id=pk)
    nodes: dict[str, dict[int, str]] = defaultdict(dict)
    for group in NodeGroup.objects.exclude(cordons={}):
        for index, said in group.cordons.items():
            if said.get("drain_at_ms") is not None and said["drain_at_ms"] <= at_ms:
                nodes[group.pk][int(index)] = f"node {index} of {group.name} is drained: {said['reason']}"
    if nodes:
        where |= Q(node_group_id__in=list(nodes))
    if not where:
        return 0
    with transaction.atomic():
        rows = Attempt.objects.select_for_update(of=("self",)).filter(where, state__in=ATTEMPT_LIVE, cancel_reason="")
        told: dict[str, list[str]] = defaultdict(list)
        agents: set[str] = set()
        for attempt in rows.select_related("placement_document").order_by("pk")[:BATCH]:
            on = attempt.placement.get("node_indexes") or [attempt.node_index]
            said = due.get(attempt.pool_id) or next(
                (nodes[attempt.node_group_id][i] for i in on if i in nodes.get(attempt.node_group_id, {})), ""
            )
            if said:
                told[f"preempted: {said}"[:120]].append(attempt.pk)
                agents.add(attempt.agent_id)
        for reason, ids in told.items():
            Attempt.objects.filter(pk__in=ids).update(cancel_reason=reason)
        transaction.on_commit(lambda: agents_wake(agents))
    return sum(len(ids) for ids in told.values())
