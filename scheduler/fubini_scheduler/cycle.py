"""One scheduling cycle, phase by phase.

`plan()` is a function of its arguments alone: the same snapshot, in any order, gives the same decisions.
"""

from __future__ import annotations

from fubini_scheduler.admit import Admission
from fubini_scheduler.capacity import Capacity
from fubini_scheduler.fairness import Shares
from fubini_scheduler.locality import Locality
from fubini_scheduler.model import Policy, SchedulingResult, Snapshot
from fubini_scheduler.order import Queue
from fubini_scheduler.place import Placing
from fubini_scheduler.shapes import Shapes


def plan(snapshot: Snapshot, policy: Policy, now_ms: int) -> SchedulingResult:
    """Decide for every queued task: a placement, or the reasons why it stays.

    Args:
        snapshot: the state of the world; not changed. The order inside its tuples does not matter.
        policy: the operator's choices.
        now_ms: the time of the decision, milliseconds since the epoch.

    Returns:
        Placements in the order decided; each task of the snapshot is in `placements` or in `unplaced`, once.
    """
    if not snapshot.tasks:
        return SchedulingResult()
    # 1. Count what is taken, each node group, pool and machine once.
    capacity = Capacity(snapshot, now_ms)
    locality = Locality(snapshot)
    # 2. Admit: pauses, quotas and money, spent as the cycle goes on.
    admission = Admission(snapshot)
    # 3. Filter: equal tasks become shapes with the places that could run them.
    shapes = Shapes(snapshot, policy, capacity)
    # 4. Order: priority class, fair share, age, id.
    shares = Shares(snapshot, now_ms=now_ms, half_life_s=policy.fair_share_half_life_s)
    queue = Queue(snapshot, policy, shapes, shares, now_ms)
    # 5. Score and place, gangs whole, with reservations for those that must wait; 6. explain, while placing.
    return Placing(policy, now_ms, capacity, locality, shares, admission).run(queue)
