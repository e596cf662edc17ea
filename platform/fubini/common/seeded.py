"""Names of what the program makes at its first start. Rows keep them in English; a reply tells them in the reader's
language while nobody has given another."""

from __future__ import annotations

from typing import Final

from fubini.common.saying import Known

SEEDED: Final = Known(
    "Workstation in the lab (free, few cores, holds the data)",
    "Supercomputer (cheap cores, walltime limit, limited slots)",
    "Cloud with accelerators (dear; the accelerator is simulated)",
    "Try things here",
    "this machine",
)
EDGE, HPC, CLOUD, PROJECT, TOKEN = SEEDED.templates
