"""Every feature flag there is: what it turns on, what holds when nobody said anything, who may say it, since when.

A flag is a switch an administrator or a project's maintainer turns without a new version; what needs a value is a setting.
Code names a flag by its constant here, so a flag that is gone does not import. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Flag:
    """One switch.

    `per_project`: a project may have a word of its own, which wins over the installation's. `maintainers`: a project's
    maintainers may say that word; otherwise administrators alone. `since`: the month it came, ``YYYY-MM``. Texts of
    the pages are by name; `does` is for the API and the command line.
    """

    name: str
    does: str
    default: bool
    per_project: bool
    maintainers: bool
    since: str


ARGO_DOOR: Final = Flag(
    "argo-door",
    "Serve Argo Server's routes, for Hera and the argo command.",
    default=True, per_project=False, maintainers=False, since="2026-11",
)  # fmt: skip
REMOTE_INPUTS: Final = Flag(
    "remote-inputs",
    "Fetch what manifests name at http, git and s3 addresses, and make the requests of http templates.",
    default=True, per_project=True, maintainers=False, since="2026-11",
)  # fmt: skip
REUSE: Final = Flag(
    "reuse",
    "Let a launch take over results of earlier runs of the project.",
    default=True, per_project=True, maintainers=True, since="2026-11",
)  # fmt: skip

FLAGS: Final[Mapping[str, Flag]] = MappingProxyType({f.name: f for f in (ARGO_DOOR, REMOTE_INPUTS, REUSE)})
