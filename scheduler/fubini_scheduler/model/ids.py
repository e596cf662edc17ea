"""Names of things. All are opaque strings; ties are broken by their order, so they must be stable."""

from __future__ import annotations

from typing import Final, NewType

TaskId = NewType("TaskId", str)
RunId = NewType("RunId", str)
ProjectId = NewType("ProjectId", str)
SiteId = NewType("SiteId", str)
PoolId = NewType("PoolId", str)
NodeGroupId = NewType("NodeGroupId", str)
MachineId = NewType("MachineId", str)
BlobKey = NewType("BlobKey", str)

STORE: Final = SiteId("")
"""The platform's own object store as a holder of blobs: never a place to run, and its egress is free."""
