"""States, phases and the like as the run routes spell them, and how labels are given."""

from __future__ import annotations

from typing import Any

from fubini.pipelines.serializers import Texts
from fubini.runs.engine import NodePhase

RUN_STATES = ["pending", "running", "succeeded", "failed", "error"]
PHASES = [phase.value for phase in NodePhase]
TASK_STATES = ["blocked", "queued", "placed", "running", "succeeded", "failed", "cancelled"]
ATTEMPT_STATES = [
    "leased", "staging", "submitted", "running", "finishing",
    "succeeded", "failed", "cancelled", "preempted", "lost",
]  # fmt: skip
CAUSES = ["user", "oom", "walltime", "preempted", "node", "site", "data", "image"]
COST_MAX = 2**53 - 1


class Labels(Texts):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=50, value_max=120, **kwargs)
