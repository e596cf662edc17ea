"""Pipelines, their versions, and the check of a manifest over REST."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import Invalid, NotFound
from fubini.common.saying import say
from fubini.manifests.findings import finding_told
from fubini.manifests.graphs import MAX_ITEMS
from fubini.manifests.sketch import sketch_of
from fubini.pipelines import selectors, services
from fubini.pipelines import serializers as shape
from fubini.pipelines.checking import manifest_report, parameter_json
from fubini.pipelines.models import Pipeline, PipelineVersion
from fubini.pipelines.pictures import PICTURE_MAX_BYTES
from fubini.projects.authorize import authorize, project_get, project_ids_visible
from fubini.rest.views import ApiViews, operation


class PipelineViews(ApiViews):
    """``/pipelines``."""

    @operation("List pipelines.", query=shape.PipelineFilter, reply=shape.PipelineOut, many=True)
    def list(self, request: Request) -> Response:
        if "project" in self.params:
            projects: Any = [project_get(self.principal, self.params["project"], "pipeline.read").pk]
        else:
            projects = project_ids_visible(self.principal)
        rows = selectors.pipelines_of(projects)
        rows = selectors.pipelines_found(rows, search=self.params.get("search", ""), tag=self.params.get("tag", ""))
        if name := self.params.get("name"):
            rows = rows.filter(name=name)
        return self.page(rows, ("name", "id"))

    @operation("Save a manifest as a pipeline.", body=shape.PipelineSave, reply=shape.PipelineSaved, status=201)
    def create(self, request: Request) -> Response:
        """Makes the pipeline, or the next version of the one with that name. A text the newest version has answers 200
        and changes nothing. A manifest with errors answers 422 with all of them, each with path, line and column."""
        body = self.body
        project = project_get(self.principal, body["project"], "pipeline.write")
        version, created = services.pipeline_save(
            project=project,
            text=body["manifest"],
            actor=self.principal.actor,
            name=body["name"],
            title=body.get("title"),
            description=body.get("description"),
        )
        return self._saved(version, created)

    @operation("One pipeline.", reply=shape.PipelineOut)
    def retrieve(self, request: Request, id: str) -> Response:
        row = _pipeline(self.principal, id)
        return self.reply(row)

    @operation("Change a pipeline's title or description.", body=shape.PipelineChange, reply=shape.PipelineOut)
    def update(self, request: Request, id: str) -> Response:
        row = _pipeline(self.principal, id, "pipeline.write")
        services.pipeline_update(pipeline=row, actor=self.principal.actor, **self.body)
        return self.reply(row)

    @operation("Delete a pipeline with its versions.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        """Runs made from it stay, with their manifests."""
        row = _pipeline(self.principal, id, "pipeline.delete")
        services.pipeline_delete(pipeline=row, actor=self.principal.actor)
        return self.reply()

    @operation("A pipeline's page: its versions, and the text of one.", query=shape.PipelinePageAsk, reply=shape.PipelinePageOut)
    def overview(self, request: Request, id: str) -> Response:
        row = _pipeline(self.principal, id)
        against = self.params.get("against")
        return self.reply(
            {
                "pipeline": row,
                "versions": self.first(
                    selectors.versions_of(row), ("-number",), path=f"pipelines/{row.pk}/versions", size=50
                ),
                "version": _version(row, self.params.get("version", row.version)),
                "against": _version(row, against) if against else None,
            }
        )

    def _saved(self, version: PipelineVersion, created: bool) -> Response:
        row: Any = _pipeline(self.principal, version.pipeline_id)
        row.saved_created, row.saved_warnings = created, version.warnings
        return self.reply(row, status=201 if created else 200)


class PictureViews(ApiViews):
    """``/pipelines/{id}/picture``."""

    @operation(
        "A pipeline's picture.", query=shape.PictureAsk, raw_reply={(200, "image/*"): OpenApiTypes.BINARY}
    )  # fmt: skip
    def retrieve(self, request: Request, id: str) -> HttpResponse:
        """Under a policy by which nothing in it can run or load anything, wherever it is opened."""
        row = _pipeline(self.principal, id)
        content = selectors.picture_of(row)
        if content is None:
            raise NotFound("The pipeline has no picture.", next_step="`fubini pipeline save FILE --picture PICTURE` gives it one.")
        return HttpResponse(
            content,
            content_type=row.picture_type,
            headers={
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cache-Control": "private, max-age=86400",
            },
        )

    @extend_schema(request={"image/*": OpenApiTypes.BINARY})
    @operation("Give a pipeline a picture.", reply=shape.PipelineOut)
    def put(self, request: Request, id: str) -> Response:
        """The body is a PNG, WebP or SVG of at most 512 KiB; a gallery shows it in place of the drawing of its steps."""
        row = _pipeline(self.principal, id, "pipeline.write")
        content = request._request.read(PICTURE_MAX_BYTES + 1)
        if not content:
            raise Invalid("No picture came.", next_step="Send its bytes as the body, or DELETE to take it away.")
        return self.reply(services.picture_set(pipeline=row, content=content, actor=self.principal.actor))

    @operation("Take a pipeline's picture away.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        services.picture_set(
            pipeline=_pipeline(self.principal, id, "pipeline.write"), content=b"", actor=self.principal.actor
        )
        return self.reply()


class VersionViews(ApiViews):
    """``/pipelines/{id}/versions``."""

    @operation("A pipeline's versions, newest first.", reply=shape.VersionOut, many=True)
    def list(self, request: Request, id: str) -> Response:
        return self.page(selectors.versions_of(_pipeline(self.principal, id)), ("-number",))

    @operation("Save the next version.", body=shape.VersionCreate, reply=shape.VersionOut, status=201)
    def create(self, request: Request, id: str) -> Response:
        """A text the newest version has answers 200 with that version."""
        row = _pipeline(self.principal, id, "pipeline.write")
        version, created = services.pipeline_save(
            project=row.project, text=self.body["manifest"], actor=self.principal.actor, pipeline=row
        )
        return self.reply(version, status=201 if created else 200)

    @operation("One version with its text.", reply=shape.VersionText)
    def retrieve(self, request: Request, id: str, number: int) -> Response:
        return self.reply(_version(_pipeline(self.principal, id), number))


class LintViews(ApiViews):
    """``/lint``."""

    @operation("Check a manifest.", body=shape.LintAsk, reply=shape.LintOut, reads=True)
    def create(self, request: Request) -> Response:
        """Always answers 200: what is wrong with the manifest is the reply, not an error of the request."""
        body = self.body
        library: list[dict[str, Any]] = []
        rules: dict[str, Any] = {}
        project_id: str | None = None
        max_items = MAX_ITEMS
        if "project" in body:
            project = project_get(self.principal, body["project"], "lint.read")
            library, rules, project_id = selectors.library_of(project.pk), project.import_rules, project.pk
            max_items = project.max_items
        report = manifest_report(
            body["manifest"],
            library=library,
            parameters=body.get("parameters"),
            import_rules=rules,
            project_id=project_id,
            max_items=max_items,
        )
        document = report.document if isinstance(report.document, dict) else {}
        metadata = document.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        return self.reply(
            {
                "ok": report.ok and report.document is not None,
                "kind": str(document.get("kind") or "")[:80],
                "name": str(metadata.get("name") or metadata.get("generateName") or "")[:253],
                "findings": [finding_told(f) for f in report.findings],
                "truncated": report.truncated,
                "parameters": [parameter_json(p) for p in report.parameters],
                "sketch": sketch_of(document),
            }
        )


def _pipeline(principal: Any, id: str, action: str = "pipeline.read") -> Pipeline:
    """A pipeline the principal may see; then, may it do this?"""
    row = selectors.pipelines_of(project_ids_visible(principal)).filter(pk=id).first()
    if row is None:
        raise NotFound("There is no such pipeline, or you cannot see it.")
    if action != "pipeline.read":
        authorize(principal, action, row.project)
    return row


def _version(row: Pipeline, number: int) -> PipelineVersion:
    """One version with its text.

    Raises:
        NotFound: the pipeline has no version of this number.
    """
    version = selectors.version_get(row, number) if number < 2**31 else None
    if version is None:
        raise NotFound(
            say(
                "The pipeline {name!r} has no version {number}; its newest is {version}.",
                name=row.name,
                number=number,
                version=row.version,
            )
        )
    return version
