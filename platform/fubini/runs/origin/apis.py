"""Provenance over REST: of an artifact, a dataset version, or a run as a whole; the first two also as an RO-Crate."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common import clock
from fubini.datasets.apis import version_visible
from fubini.datasets.models import Artifact
from fubini.datasets.selectors import artifact_get
from fubini.projects.authorize import project_ids_visible
from fubini.rest.views import ApiViews, operation
from fubini.runs.apis import run_visible
from fubini.runs.origin.crate import FILE_NAME, crate_of
from fubini.runs.origin.selectors import Origin, artifact_origin, run_origin, version_origin
from fubini.runs.origin.serializers import OriginFilter, OriginOut

_CRATE: Any = {(200, "application/json"): OpenApiTypes.OBJECT}


class ArtifactOriginViews(ApiViews):
    """``/artifacts/{run}/{node}/{generation}/{name}/origin``."""

    @operation("Where an artifact comes from and what was made of it.", query=OriginFilter, reply=OriginOut)
    def retrieve(self, request: Request, run: str, node: str, generation: int, name: str) -> Response:
        return self.reply(artifact_origin(self._row(run, node, generation, name), **self.params))

    @operation("The same as RO-Crate metadata (Process Run Crate).", query=OriginFilter, raw_reply=_CRATE)
    def crate(self, request: Request, run: str, node: str, generation: int, name: str) -> Response:
        """Files are named by address and SHA-256; save it as `ro-crate-metadata.json`."""
        return _crate(request, artifact_origin(self._row(run, node, generation, name), **self.params))

    def _row(self, run: str, node: str, generation: int, name: str) -> Artifact:
        return artifact_get(project_ids_visible(self.principal), f"{run}/{node}/{generation}/{name}")


class VersionOriginViews(ApiViews):
    """``/datasets/{id}/versions/{number}/origin``."""

    @operation("Where a dataset version comes from and what was made of it.", query=OriginFilter, reply=OriginOut)
    def retrieve(self, request: Request, id: str, number: int) -> Response:
        return self.reply(version_origin(version_visible(self.principal, id, number), **self.params))

    @operation("The same as RO-Crate metadata (Process Run Crate).", query=OriginFilter, raw_reply=_CRATE)
    def crate(self, request: Request, id: str, number: int) -> Response:
        """Files are named by address and SHA-256; save it as `ro-crate-metadata.json`."""
        return _crate(request, version_origin(version_visible(self.principal, id, number), **self.params))


class RunOriginViews(ApiViews):
    """``/runs/{id}/origin``."""

    @operation("The datasets and runs a run drew on, and what drew on it.", query=OriginFilter, reply=OriginOut)
    def retrieve(self, request: Request, id: str) -> Response:
        """Run by run; for the steps in between ask for the origin of an artifact."""
        return self.reply(run_origin(run_visible(self.principal, id), **self.params))


def _crate(request: Request, origin: Origin) -> Response:
    base = request.build_absolute_uri("/").rstrip("/")
    return Response(
        crate_of(origin, base_url=base, at_ms=clock.now_ms()),
        headers={"Content-Disposition": f'attachment; filename="{FILE_NAME}"'},
    )
