"""All that a run left, as one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from fubini.common.errors import Conflict, Invalid, NotFound
from fubini.datasets.archive import FILES_MAX, Member, streamed, tar_of
from fubini.datasets.errors import BlobNotFound
from fubini.datasets.models import Artifact
from fubini.datasets.selectors import artifacts_of_run
from fubini.datasets.store import default_store
from fubini.rest.serializers import QuerySerializer
from fubini.rest.views import ApiViews, operation
from fubini.runs.apis import run_visible
from fubini.runs.models import Run
from fubini.runs.selectors import node_names, outputs_of

ARTIFACTS_MAX: Final = 1_000


class ArchiveFilter(QuerySerializer):
    all = serializers.BooleanField(default=False, help_text="Every artifact of the run, not only its final outputs.")


class ArchiveViews(ApiViews):
    """``/artifacts/{run}/archive``."""

    @operation(
        "Download what a run left as one tar.", query=ArchiveFilter, raw_reply={(200, "application/x-tar"): OpenApiTypes.BINARY}
    )  # fmt: skip
    def archive(self, request: Request, run: str) -> StreamingHttpResponse:
        """A folder a step, in it a file or a folder an artifact. Made as it is read; a stream that breaks off has no end
        mark, so unpacking it fails. To go on after a break, use `fubini run outputs RUN --to DIR`."""
        found = run_visible(self.principal, run)
        rows = artifacts_wanted(found, every=self.params["all"])
        if not rows:
            raise NotFound("The run has left no artifact (yet).")
        names = node_names(found.pk, {row.node_id for row in rows})
        files = sum(len(row.entries) for row in rows)
        if len(rows) > ARTIFACTS_MAX or files > FILES_MAX:
            raise Invalid(
                f"The run left {'more than ' if len(rows) > ARTIFACTS_MAX else ''}{min(len(rows), ARTIFACTS_MAX)} artifacts "
                f"with {files} files; one archive holds {ARTIFACTS_MAX} and {FILES_MAX}.",
                next_step="Fetch a step's with `fubini run outputs RUN STEP --to DIR`.",
            )
        pieces = tar_of(members_of(rows, names), default_store())
        try:
            first = list(islice(pieces, 2))  # opens a file: a store without the bytes is an answer, not a broken stream
        except BlobNotFound:
            raise Conflict("The run's artifacts are known, and their bytes are not in the store any more.") from None
        return StreamingHttpResponse(
            streamed(chain(first, pieces)),
            content_type="application/x-tar",
            headers={
                "Content-Disposition": f'attachment; filename="run-{found.job_number}.tar"',
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, no-store",
            },
        )


def artifacts_wanted(run: Run, *, every: bool) -> list[Artifact]:
    """The run's final artifacts or all, at most one more than an archive holds."""
    rows = artifacts_of_run(run.pk).order_by("created_at_ms", "key")
    if not every:
        rows = rows.filter(pk__in=[a.key for a in outputs_of(run, limit=ARTIFACTS_MAX + 1).artifacts])
    return list(rows[: ARTIFACTS_MAX + 1])


def members_of(rows: Sequence[Artifact], names: dict[str, str]) -> Iterator[Member]:
    """Every file under its step's name, its artifact's, and its own path."""
    for row in rows:
        folder = names.get(row.node_id, row.node_id).replace("/", "_"), row.name.replace("/", "_")
        for entry in row.entries:
            own = (entry["path"],) if entry["path"] else ()
            yield Member((*folder, *own), entry["size"], entry["sha256"], entry.get("mode", 0o644))
