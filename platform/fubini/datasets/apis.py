"""Datasets, blobs and artifacts over REST."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import NotFound
from fubini.common.saying import say
from fubini.datasets import selectors, services, uploads
from fubini.datasets import serializers as shape
from fubini.datasets.entries import Manifest, manifest_of
from fubini.datasets.errors import BlobMismatch, BlobNotFound
from fubini.datasets.models import Dataset, DatasetVersion
from fubini.datasets.selectors import DataNotFound
from fubini.datasets.signing import blob_url, upload_grant
from fubini.datasets.store import default_store, is_digest
from fubini.projects.authorize import authorize, project_get, project_ids_visible
from fubini.rest.views import ApiViews, operation

GRANT_TTL_S: Final = 3600


class DatasetViews(ApiViews):
    """``/datasets``."""

    @operation("List datasets.", query=shape.DatasetFilter, reply=shape.DatasetOut, many=True)
    def list(self, request: Request) -> Response:
        if "project" in self.params:
            projects: Any = [project_get(self.principal, self.params["project"], "dataset.read").pk]
        else:
            projects = project_ids_visible(self.principal)
        rows = selectors.datasets_found(selectors.datasets_of(projects), self.params.get("search", ""))
        if name := self.params.get("name"):
            rows = rows.filter(name=name)
        return self.page(rows, ("name", "id"))

    @operation(
        "Create a dataset, or import a version of one.", body=shape.DatasetCreate, reply=shape.ImportOut, status=201
    )
    def create(self, request: Request) -> Response:
        """Without `entries`, an empty dataset is made. With `entries` (files uploaded before with PUT /blobs) or `artifact`
        (what a step left, kept beyond its run), the next version of the dataset is made, and the dataset too if there is
        none; the same files again give the version that has them, with `created` false."""
        body = self.body
        project = project_get(self.principal, body["project"], "dataset.write")
        actor = self.principal.actor
        entries, made_from = body.get("entries"), body.get("artifact", "")
        if made_from:
            kept = selectors.artifact_get([project.pk], made_from)
            entries = kept.entries
        if entries is None:
            made = services.dataset_create(
                project=project, name=body["name"], description=body["description"], actor=actor
            )
            return self.reply(dataset_visible(self.principal, made.pk))
        version, created = services.dataset_import(
            project=project,
            name=body["name"],
            entries=entries,
            description=body["description"],
            actor=actor,
            made_from=made_from,
        )
        row: Any = dataset_visible(self.principal, version.dataset_id)
        row.imported_number, row.imported_created = version.number, created
        return self.reply(row, status=201 if created else 200)

    @operation("One dataset.", reply=shape.DatasetOut)
    def retrieve(self, request: Request, id: str) -> Response:
        return self.reply(dataset_visible(self.principal, id))

    @operation("Change a dataset's description.", body=shape.DatasetChange, reply=shape.DatasetOut)
    def update(self, request: Request, id: str) -> Response:
        row = dataset_visible(self.principal, id, "dataset.write")
        if "description" in self.body:
            services.dataset_update(dataset=row, actor=self.principal.actor, description=self.body["description"])
        return self.reply(dataset_visible(self.principal, id))

    @operation("Delete a dataset with all its versions.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        row = dataset_visible(self.principal, id, "dataset.delete")
        services.dataset_delete(dataset=row, actor=self.principal.actor)
        return self.reply()


class VersionViews(ApiViews):
    """``/datasets/{id}/versions``."""

    @operation("A dataset's versions, newest first.", reply=shape.VersionOut, many=True)
    def list(self, request: Request, id: str) -> Response:
        return self.page(selectors.versions_of(dataset_visible(self.principal, id)), ("-number",))

    @operation(
        "Make the next version from uploaded files.", body=shape.VersionCreate, reply=shape.VersionOut, status=201
    )
    def create(self, request: Request, id: str) -> Response:
        """The same files again answer 200 with the version that has them."""
        dataset = dataset_visible(self.principal, id, "dataset.write")
        version, created = services.dataset_import(
            project=dataset.project, name=dataset.name, entries=self.body["entries"], actor=self.principal.actor
        )
        return self.reply(version, status=201 if created else 200)

    @operation("One version.", reply=shape.VersionOut)
    def retrieve(self, request: Request, id: str, number: int) -> Response:
        return self.reply(_version(dataset_visible(self.principal, id), number))

    @operation("Pin or unpin a version.", body=shape.VersionChange, reply=shape.VersionOut)
    def update(self, request: Request, id: str, number: int) -> Response:
        """A dataset with a pinned version cannot be deleted. Members pin; unpinning takes who may delete."""
        dataset = dataset_visible(self.principal, id)
        version = _version(dataset, number)
        pinned = self.body.get("pinned", bool(version.pinned_by))
        authorize(self.principal, "dataset.write" if pinned else "dataset.delete", dataset.project)
        return self.reply(services.version_pin(version=version, actor=self.principal.actor, pinned=pinned))

    @operation("A version's files.", query=shape.FilesFilter, reply=shape.FilesOut)
    def files(self, request: Request, id: str, number: int) -> Response:
        dataset = dataset_visible(self.principal, id)
        version = _version(dataset, number, with_entries=True)
        return _files(self, f"dataset/{dataset.name}@{number}", manifest_of(version.entries), dataset.project_id)

    @operation("Download one file of a version.", query=shape.PathFilter, status=302)
    def content(self, request: Request, id: str, number: int) -> Response:
        """Redirects to a short-lived signed URL."""
        dataset = dataset_visible(self.principal, id)
        version = _version(dataset, number, with_entries=True)
        return _download(manifest_of(version.entries), self.params["path"], dataset.project_id, dataset.name)


class BlobViews(ApiViews):
    """``/blobs``: bytes by sha256, before they are part of a dataset."""

    @operation("Is a blob there?", query=shape.BlobFilter, status=200)
    def head(self, request: Request, digest: str) -> Response:
        project = project_get(self.principal, self.params["project"], "blob.read")
        blob = selectors.blob_of(project.pk, digest) if is_digest(digest) else None
        if blob is None or default_store().size(digest) != blob.size_bytes:
            raise BlobNotFound("The project has no such blob.")
        if "write" in self.principal.scopes:  # whoever asks before an upload counts on it being kept
            services.blob_record(project_id=project.pk, digest=digest, size_bytes=blob.size_bytes)
        return Response(status=200, headers={"ETag": f'"{digest}"', "X-Blob-Size": str(blob.size_bytes)})

    @extend_schema(request={"application/octet-stream": OpenApiTypes.BINARY})
    @operation("Store a blob.", query=shape.BlobFilter, reply=shape.BlobOut, status=201)
    def put(self, request: Request, digest: str) -> Response:
        """The body is the file's bytes; they must hash to the name. Sending it again is fine."""
        project = project_get(self.principal, self.params["project"], "blob.write")
        if not is_digest(digest):
            raise BlobMismatch("A blob is named by 64 lower-case hex characters.", found=digest[:80])
        announced = request.headers.get("Content-Length", "")
        uploads.blob_admit(
            project_id=project.pk, digest=digest, size_bytes=int(announced) if announced.isdecimal() else 0
        )
        size = default_store().put_stream(request._request, digest)  # type: ignore[arg-type]
        services.blob_record(project_id=project.pk, digest=digest, size_bytes=size)
        return self.reply({"digest": digest, "size_bytes": size})

    @operation("Which blobs must still be uploaded?", body=shape.MissingAsk, reply=shape.MissingOut)
    def missing(self, request: Request) -> Response:
        """Asking renews those that are there, so that they are kept until they are imported."""
        project = project_get(self.principal, self.body["project"], "blob.write")
        known = selectors.blobs_known(project.pk, self.body["digests"])
        with transaction.atomic():
            services.blobs_renew(project_id=project.pk, digests=known)
        return self.reply({"missing": sorted(set(self.body["digests"]) - known.keys())})

    @operation("A right to upload many blobs, streamed.", body=shape.GrantAsk, reply=shape.GrantOut, secret=True)
    def grant(self, request: Request) -> Response:
        """For large files and browsers: `PUT <url>/<sha256>` with the token, until it expires."""
        project = project_get(self.principal, self.body["project"], "blob.write")
        uploads.room_check(project_id=project.pk, size_bytes=0)
        url, token = upload_grant(project_id=project.pk, ttl_s=GRANT_TTL_S)
        return self.reply({"url": url, "token": token, "expires_in_s": GRANT_TTL_S})


class UploadViews(ApiViews):
    """``/uploads``: large files that come in parts and go on after a break; small ones are PUT as blobs."""

    @operation("Unfinished uploads of a project.", query=shape.UploadFilter, reply=shape.UploadOut, many=True)
    def list(self, request: Request) -> Response:
        project = project_get(self.principal, self.params["project"], "blob.write")
        return self.page(uploads.uploads_open([project.pk]), ("-created_at", "id"))

    @operation(
        "Begin an upload, or find the one to go on with.", body=shape.UploadBegin, reply=shape.UploadBegunOut, status=201, secret=True
    )  # fmt: skip
    def create(self, request: Request) -> Response:
        """Send the bytes from `offset_bytes` on to `url`, in the tus 1.0 protocol: `PATCH` with `Upload-Offset` and, best,
        `Upload-Checksum: sha256 <base64>`; after a break `HEAD` says where it stands. The last `PATCH` answers when the
        sha256 of the whole was right. `whole` means that the project has the bytes already."""
        project = project_get(self.principal, self.body["project"], "blob.write")
        row = uploads.upload_begin(
            project_id=project.pk,
            digest=self.body["sha256"],
            size_bytes=self.body["size_bytes"],
            name=self.body["name"],
            actor=self.principal.actor,
        )
        return self.reply(row, status=201)

    @operation("Discard an unfinished upload.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        row = uploads.uploads_open(project_ids_visible(self.principal)).filter(pk=id).first()
        if row is None:
            raise NotFound("There is no such upload, or you cannot see it.")
        project_get(self.principal, row.project_id, "blob.write")
        uploads.upload_discard(row=row, store=default_store())
        return self.reply()


class ArtifactViews(ApiViews):
    """``/artifacts/{run}/{node}/{generation}/{name}``: what a step left."""

    @operation("One artifact.", reply=shape.ArtifactOut)
    def retrieve(self, request: Request, run: str, node: str, generation: int, name: str) -> Response:
        return self.reply(self._row(run, node, generation, name))

    @operation("An artifact's files.", query=shape.FilesFilter, reply=shape.FilesOut)
    def files(self, request: Request, run: str, node: str, generation: int, name: str) -> Response:
        row = self._row(run, node, generation, name)
        return _files(self, row.key, manifest_of(row.entries), row.project_id)

    @operation("Download one file of an artifact.", query=shape.PathFilter, status=302)
    def content(self, request: Request, run: str, node: str, generation: int, name: str) -> Response:
        """Redirects to a short-lived signed URL."""
        row = self._row(run, node, generation, name)
        return _download(manifest_of(row.entries), self.params["path"], row.project_id, row.name)

    @operation("Download the file at a path of an artifact.", status=302)
    def entry(self, request: Request, run: str, node: str, generation: int, name: str, path: str) -> Response:
        """Redirects to a short-lived signed URL."""
        row = self._row(run, node, generation, name)
        return _download(manifest_of(row.entries), path, row.project_id, row.name)

    def _row(self, run: str, node: str, generation: int, name: str) -> Any:
        key = f"{run}/{node}/{generation}/{name}"
        return selectors.artifact_get(project_ids_visible(self.principal), key)


def dataset_visible(principal: Any, id: str, action: str = "dataset.read") -> Dataset:
    """A dataset the principal may see; then, may it do this?"""
    row = selectors.datasets_of(project_ids_visible(principal)).filter(pk=id).first()
    if row is None:
        raise NotFound("There is no such dataset, or you cannot see it.")
    if action != "dataset.read":
        authorize(principal, action, row.project)
    return row


def version_visible(principal: Any, id: str, number: int) -> DatasetVersion:
    """A version of a dataset the principal may see, without its list of files."""
    dataset = dataset_visible(principal, id)
    found = _version(dataset, number)
    found.dataset = dataset
    return found


def _version(dataset: Dataset, number: int, *, with_entries: bool = False) -> DatasetVersion:
    rows = DatasetVersion.objects.filter(dataset=dataset) if with_entries else selectors.versions_of(dataset)
    found = rows.filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise DataNotFound(say("The dataset {name!r} has no version {number}.", name=dataset.name, number=number))
    return found


def _files(view: ApiViews, key: str, manifest: Manifest, project_id: str) -> Response:
    """One page of a manifest, in path order."""
    wanted = view.params
    entries = manifest.entries
    if under := wanted.get("under", "").strip("/"):
        entries = tuple(e for e in entries if e.path.startswith(under + "/") or e.path == under)
    if text := wanted.get("search", "").casefold():
        entries = tuple(e for e in entries if text in e.path.casefold())
    found = len(entries)
    if after := wanted.get("after"):
        entries = tuple(e for e in entries if e.path > after)
    page = entries[: wanted["limit"]]
    return view.reply(
        {
            "key": key,
            "files": len(manifest.entries),
            "size_bytes": manifest.size_bytes,
            "is_directory": manifest.is_directory,
            "found": found,
            "entries": shape.entries_out(
                page, project_id=project_id, links=wanted["links"], base=key.rsplit("/", 1)[-1]
            ),
            "next_after": page[-1].path if len(entries) > len(page) else None,
        }
    )


def _download(manifest: Manifest, path: str, project_id: str, name: str) -> Response:
    found = next((e for e in manifest.entries if e.path == path), None)
    if found is None:
        raise DataNotFound(
            say(
                "There is no file {path!r} in it.",
                path=path[:200],
            ),
            next_step="List its files: the same address with /files.",
        )
    link = blob_url(project_id=project_id, digest=found.sha256, filename=path.rsplit("/", 1)[-1] or name)
    return Response(status=302, headers={"Location": link})
