"""What a task reads: its artifacts and datasets resolved to files, for planning (bytes) and for the agent (entries)."""

from __future__ import annotations

from dataclasses import dataclass, field

from fubini.common.errors import FubiniError
from fubini.datasets.models import Fetch
from fubini.datasets.selectors import DataNotFound, Resolved, artifacts_resolve, claim_key, resolved_below
from fubini.runs.engine import TaskSpec
from fubini.sites.selectors import shared_disks


@dataclass(slots=True)
class Inputs:
    """Resolved inputs by artifact name and by volume (claim, sub path); `problems` says what could not be found.

    `shared` are the claims that mean a folder of some site: no dataset of the project has that name, and a site has.
    """

    artifacts: dict[str, Resolved] = field(default_factory=dict)
    volumes: dict[tuple[str, str], Resolved] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)

    @property
    def sizes(self) -> dict[str, int]:
        """Digest -> bytes over everything read."""
        found: dict[str, int] = {}
        for resolved in (*self.artifacts.values(), *self.volumes.values()):
            found.update(resolved.sizes)
        return found


def inputs_of(project_id: str, spec: TaskSpec) -> Inputs:
    """Resolve everything `spec` reads; a problem is recorded, not raised."""
    inputs = Inputs()
    wanted = {a.name: (a.key, a.sub_path) for a in spec.artifacts_in if a.key}
    optional = {a.name for a in spec.artifacts_in if a.optional}
    found = artifacts_resolve(project_id, [key for key, _ in wanted.values()])
    for name, (key, sub_path) in wanted.items():
        try:
            if key not in found:
                raise FubiniError(_missing(key))
            inputs.artifacts[name] = resolved_below(found[key], sub_path)
        except FubiniError as error:
            if name not in optional:
                inputs.problems.append(f"artifact {name} failed to load: {error.detail}")
    for volume in spec.volumes:
        if not volume.claim:
            continue
        try:
            key = claim_key(project_id, volume.claim)
            resolved = artifacts_resolve(project_id, [key])[key]
            inputs.volumes[volume.claim, volume.sub_path] = resolved_below(resolved, volume.sub_path)
        except FubiniError as error:
            detail = error.detail
            if isinstance(error, DataNotFound):
                if volume.claim in shared_disks():
                    inputs.shared.add(volume.claim)
                    continue
                detail += " And no site has a shared disk of that name."
            inputs.problems.append(f"volume {volume.name} failed to load: {detail}")
    return inputs


def _missing(key: str) -> str:
    """Why a key means nothing: nobody made it, or it could not be fetched."""
    if key.startswith("remote/"):
        error = Fetch.objects.filter(key=key, state="failed").values_list("error", flat=True).first()
        if error:
            return error
    return f"there is no data {key!r} in this project"
