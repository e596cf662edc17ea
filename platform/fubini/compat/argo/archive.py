"""The routes of archived workflows and of artifacts' files.

Nothing is moved into an archive here: the ended runs that are kept are the archive. A file is answered by a redirect to
its short-lived signed address; a folder is packed, up to `PACKED_MAX_BYTES`.
"""

from __future__ import annotations

import tarfile
import tempfile
from typing import Any, Final

from django.http import FileResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import Conflict, NotFound
from fubini.common.saying import say
from fubini.compat.argo import reads
from fubini.compat.argo.selection import Fields, wanted_of
from fubini.compat.argo.shapes import uid_of
from fubini.compat.argo.views import ArgoView, act, workflow_list
from fubini.datasets.selectors import Resolved, artifact_resolve
from fubini.datasets.signing import blob_url
from fubini.datasets.store import default_store
from fubini.projects.authorize import project_get
from fubini.runs.models import Run, RunLabel, RunNode
from fubini.runs.services import run_delete
from fubini.runs.transitions import RUN_ENDED

PACKED_MAX_BYTES: Final = 256 * 1024 * 1024
LABELS_MAX: Final = 1000


class ArchivedView(ArgoView):
    """``archived-workflows``."""

    def get(self, request: Request) -> Response:
        wanted = wanted_of(self.query)
        rows = reads.runs_selected(self.principal, self.query.get("namespace") or "", wanted)
        return Response(workflow_list(rows.filter(state__in=RUN_ENDED), wanted, Fields(self.query.get("fields") or "")))


class ArchivedLabelsView(ArgoView):
    """``archived-workflows-label-keys`` and ``-values``."""

    values: bool = False

    def get(self, request: Request) -> Response:
        wanted = wanted_of(self.query)
        key = wanted.labels[0].key if wanted.labels else ""
        selected = wanted_of({"namespace": ""})
        runs = reads.runs_selected(self.principal, self.query.get("namespace") or "", selected)
        rows = RunLabel.objects.filter(run__in=runs.filter(state__in=RUN_ENDED).order_by().values("pk"))
        column = "value" if self.values else "key"
        if self.values:
            rows = rows.filter(key=key)
        return Response({"items": list(rows.order_by(column).values_list(column, flat=True).distinct()[:LABELS_MAX])})


class ArchivedOneView(ArgoView):
    """``archived-workflows/{uid}``."""

    def get(self, request: Request, uid: str) -> Response:
        return Response(reads.workflow_read(_ended(reads.run_by_uid(self.principal, uid))))

    def delete(self, request: Request, uid: str) -> Response:
        run_delete(run=_ended(reads.run_by_uid(self.principal, uid, "run.delete")), actor=self.principal.actor)
        return Response({})


class ArchivedActionView(ArgoView):
    """``archived-workflows/{uid}/retry`` and ``resubmit``."""

    action: str = ""

    def put(self, request: Request, uid: str) -> Response:
        right = "run.resubmit" if self.action == "resubmit" else "run.signal"
        run = _ended(reads.run_by_uid(self.principal, uid, right))
        return Response(act(run, self.action, self.body(), self.principal.actor))


def _ended(run: Run) -> Run:
    if run.state not in RUN_ENDED:
        raise NotFound(
            say(
                'there is no archived workflow with uid "{uid_of}"',
                uid_of=uid_of(run.pk),
            ),
            next_step="It still goes on.",
        )
    return run


class ArtifactView(ArgoView):
    """``artifacts``, ``input-artifacts``, each by name or uid, and ``artifact-files``."""

    inputs: bool = False

    def get(
        self,
        request: Request,
        node: str,
        artifact: str,
        namespace: str = "",
        name: str = "",
        uid: str = "",
        which: str = "",
        by: str = "",
        path: str = "",
    ) -> HttpResponseBase:
        if by == "archived-workflows" or uid:
            run = reads.run_by_uid(self.principal, uid or name, "artifact.read")
            if namespace:
                project_get(self.principal, namespace, "artifact.read")
        else:
            run = reads.run_named(self.principal, namespace, name, "artifact.read")
        side = "inputs" if self.inputs or which == "inputs" else "outputs"
        key, sub_path = _key(run, node, artifact, side)
        resolved = artifact_resolve(run.project_id, key, "/".join(p for p in (sub_path, path.strip("/")) if p))
        if len(resolved.entries) == 1 and not resolved.entries[0]["path"]:
            entry = resolved.entries[0]
            filename = (path or artifact).rsplit("/", 1)[-1]
            link = blob_url(project_id=run.project_id, digest=entry["sha256"], filename=filename)
            return Response(status=302, headers={"Location": link})
        return packed(resolved, artifact)


def _key(run: Run, node: str, artifact: str, side: str) -> tuple[str, str]:
    """The logical key of a node's artifact and the path inside it."""
    row = RunNode.objects.filter(run=run, node_id=node).exclude(phase="").only(side).first()
    found: Any = getattr(row, side) if row is not None else None
    for entry in (found or {}).get("artifacts") or []:
        if entry.get("name") == artifact and entry.get("key"):
            return str(entry["key"]), str(entry.get("subPath") or "")
    raise NotFound(
        say(
            "The node has no {side} artifact {artifact!r} that is kept.",
            side=side[:-1],
            artifact=artifact[:80],
        )
    )


def packed(resolved: Resolved, name: str) -> FileResponse:
    """A folder as a gzipped tar, as Argo keeps folders.

    Raises:
        Conflict: it is too large to be packed.
    """
    if resolved.size_bytes > PACKED_MAX_BYTES:
        raise Conflict(
            say(
                "The folder has {size_bytes} bytes; at most {packed_max_bytes} are packed.",
                size_bytes=resolved.size_bytes,
                packed_max_bytes=PACKED_MAX_BYTES,
            ),
            next_step="Download its files one by one: `fubini run outputs RUN`.",
        )
    store, target = default_store(), tempfile.TemporaryFile()  # noqa: SIM115  the response closes it
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for entry in resolved.entries:
            member = tarfile.TarInfo(entry["path"])
            member.size, member.mode = entry["size"], entry.get("mode", 0o644) & 0o777
            with store.open(entry["sha256"]) as file:
                tar.addfile(member, file)
    target.seek(0)
    return FileResponse(target, as_attachment=True, filename=f"{name}.tgz", content_type="application/gzip")
