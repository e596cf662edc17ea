"""The types that cross the seam between the platform and the scheduler core; all frozen, all in integer units."""

from fubini_scheduler.model.ids import (
    STORE,
    BlobKey,
    MachineId,
    NodeGroupId,
    PoolId,
    ProjectId,
    RunId,
    SiteId,
    TaskId,
)
from fubini_scheduler.model.placement import (
    Alternative,
    Placement,
    Preemption,
    Reservation,
    SchedulingResult,
    TransferPlan,
    Unplaced,
    Why,
    WhyCode,
)
from fubini_scheduler.model.policy import LocalFirst, ObjectiveWeights, Policy
from fubini_scheduler.model.pool import Machine, NodeGroup, Pool, PoolKind, Price, Site
from fubini_scheduler.model.project import Project, Quota, Usage
from fubini_scheduler.model.snapshot import Allocation, Snapshot, Transfer
from fubini_scheduler.model.task import Objective, Operator, Preferred, Priority, Requirement, TaskRequest
from fubini_scheduler.reasons import Reason, ReasonCode

__all__ = [
    "STORE",
    "Allocation",
    "Alternative",
    "BlobKey",
    "LocalFirst",
    "Machine",
    "MachineId",
    "NodeGroup",
    "NodeGroupId",
    "Objective",
    "ObjectiveWeights",
    "Operator",
    "Placement",
    "Policy",
    "Pool",
    "PoolId",
    "PoolKind",
    "Preemption",
    "Preferred",
    "Price",
    "Priority",
    "Project",
    "ProjectId",
    "Quota",
    "Reason",
    "ReasonCode",
    "Requirement",
    "Reservation",
    "RunId",
    "SchedulingResult",
    "Site",
    "SiteId",
    "Snapshot",
    "TaskId",
    "TaskRequest",
    "Transfer",
    "TransferPlan",
    "Unplaced",
    "Usage",
    "Why",
    "WhyCode",
]
