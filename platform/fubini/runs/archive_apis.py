"""All that a run left, as one file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from fubini.common.errors import Conflict, Invalid, NotFound
from fubini.common.saying import say
from fubini.datasets.archive import FILES_MAX, Member, ending_of, tar_of
from fubini.datasets.errors import BlobNotFound
from fubini.datasets.limits import limit
from fubini.datasets.models import Artifact
from fubini.datasets.selectors import artifacts_of_run
from fubini.datasets.store import default_store
from fubini.rest.serializers import QuerySerializer
from fubini.rest.streaming import streamed
from fubini.rest.views import ApiViews, operation
from fubini.runs.apis import run_visible
from fubini.runs.models import Run
from fubini.runs.selectors import declared_paths, node_names, outputs_of

ARTIFACTS_MAX: Final = 20_000  # each names a value in one statement; SQLite takes 32,766


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
                say(
                    "The run left more than {least} artifacts with {files} files; one archive holds {artifacts_max} "
                    "and {files_max}."
                    if len(rows) > ARTIFACTS_MAX
                    else "The run left {least} artifacts with {files} files; one archive holds {artifacts_max} and {files_max}.",
                    least=min(len(rows), ARTIFACTS_MAX),
                    files=files,
                    artifacts_max=ARTIFACTS_MAX,
                    files_max=FILES_MAX,
                ),
                next_step="Fetch a step's with `fubini run outputs RUN STEP --to DIR`.",
            )
        size, most = sum(row.size_bytes for row in rows), limit("ARCHIVE_MAX_BYTES")
        if size > most:
            raise Invalid(
                say("The run left {size} bytes; one archive holds {most}.", size=size, most=most),
                found=size,
                allowed=most,
                next_step=say(
                    "Fetch them with `fubini run outputs {run} --to DIR`, which goes on after a break, or "
                    "a step's alone with its name behind the number; what many need is better kept as a dataset.",
                    run=found.job_number,
                ),
            )
        if lost := default_store().lost({e["sha256"]: e["size"] for row in rows for e in row.entries}):
            raise bytes_lost(rows, names, lost)
        pieces = tar_of(members_of(rows, names, declared_paths(found.pk, single_files(rows))), default_store())
        try:
            first = list(islice(pieces, 2))  # opens a file: a store without the bytes is an answer, not a broken stream
        except BlobNotFound:
            raise bytes_lost(rows, names, set()) from None
        return StreamingHttpResponse(
            streamed(chain(first, pieces)),
            content_type="application/x-tar",
            headers={
                "Content-Disposition": f'attachment; filename="run-{found.job_number}.tar"',
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, no-store",
            },
        )


def bytes_lost(rows: Sequence[Artifact], names: Mapping[str, str], lost: Collection[str]) -> Conflict:
    """What is missing, so that the rest can still be fetched. `lost` are digests; none: which ones is not known."""
    files = [
        "/".join(part for part in (names.get(row.node_id, row.node_id), row.name, entry["path"]) if part)
        for row in rows
        for entry in row.entries
        if entry["sha256"] in lost
    ]
    return Conflict(
        say("The bytes of {count} of the run's files are not in the store any more; the first is {first!r}.", count=len(files), first=files[0])
        if files
        else "The run's artifacts are known, and their bytes are not in the store any more.",
        errors=[{"path": path, "code": "blob_not_found"} for path in files[:50]],
        next_step="Fetch the steps that are whole with `fubini run outputs RUN STEP --to DIR`, and run the others again.",
    )


def artifacts_wanted(run: Run, *, every: bool) -> list[Artifact]:
    """The run's final artifacts or all, at most one more than an archive holds."""
    rows = artifacts_of_run(run.pk).order_by("created_at_ms", "key")
    if not every:
        rows = rows.filter(pk__in=[a.key for a in outputs_of(run, limit=ARTIFACTS_MAX + 1).artifacts])
    return list(rows[: ARTIFACTS_MAX + 1])


def single_files(rows: Sequence[Artifact]) -> set[str]:
    """Nodes with an artifact that is one file and whose name does not say what kind."""
    return {row.node_id for row in rows if _is_file(row) and not ending_of(row.name)}


def members_of(
    rows: Sequence[Artifact], names: dict[str, str], paths: Mapping[tuple[str, int, str], str]
) -> Iterator[Member]:
    """Every file under its step's name, its artifact's, and its own path. An artifact that is one file ends as the file did
    that the step wrote.

    Args:
        paths: (node, generation, artifact) -> the path it was declared at.
    """
    for row in rows:
        name = row.name.replace("/", "_")
        if _is_file(row) and not ending_of(name):
            name += ending_of(paths.get((row.node_id, row.generation, row.name), "").rpartition("/")[2])
        folder = names.get(row.node_id, row.node_id).replace("/", "_"), name
        for entry in row.entries:
            own = (entry["path"],) if entry["path"] else ()
            yield Member((*folder, *own), entry["size"], entry["sha256"], entry.get("mode", 0o644))


def _is_file(row: Artifact) -> bool:
    return [entry["path"] for entry in row.entries] == [""]
