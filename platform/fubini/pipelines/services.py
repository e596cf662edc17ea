"""Writes on pipelines: a text that is new becomes the next version, a text that is not changes nothing."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from django.db import transaction

from fubini.common import clock
from fubini.common.errors import Conflict, Invalid
from fubini.common.saying import say
from fubini.events.services import EventDraft, events_append
from fubini.manifests.about import about_of
from fubini.manifests.findings import finding_json
from fubini.pipelines.checking import manifest_report, parameter_json, report_require
from fubini.pipelines.models import Pipeline, PipelinePicture, PipelineVersion
from fubini.pipelines.pictures import picture_type
from fubini.pipelines.selectors import TEMPLATE_KINDS, library_of, library_rows, search_text
from fubini.projects.models import Project

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@transaction.atomic
def pipeline_save(
    *,
    project: Project,
    text: str,
    actor: str,
    name: str = "",
    title: str | None = None,
    description: str | None = None,
    pipeline: Pipeline | None = None,
) -> tuple[PipelineVersion, bool]:
    """Store a manifest as the next version of a pipeline, made if need be; (version, is it new).

    Args:
        name: "" takes the manifest's own name.
        pipeline: the pipeline to add a version to; without it, the project's of that name, or a new one.

    Raises:
        ManifestInvalid: with every finding, each with path and line.
        Invalid: no usable name.
        Conflict: a template of that name exists in another pipeline of the project.
    """
    report = manifest_report(
        text, library=library_of(project.pk), import_rules=project.import_rules, max_items=project.max_items
    )
    document = report_require(report)
    kind = str(document.get("kind"))
    own = _own_name(document)
    if pipeline is None:
        wanted = name or own
        if not NAME.fullmatch(wanted):
            raise Invalid(
                say("The pipeline name {wanted!r} is not usable.", wanted=wanted[:80]),
                next_step="Give a name of lower-case letters, digits and '-', at most 63.",
            )
        pipeline = Pipeline.objects.select_for_update().filter(project=project, name=wanted).first()
    else:
        pipeline = Pipeline.objects.select_for_update().get(pk=pipeline.pk)
    if kind in TEMPLATE_KINDS:
        _check_template_name(project, pipeline, kind, own)
    at_ms = clock.now_ms()
    digest = hashlib.sha256(text.encode()).hexdigest()
    about = about_of(document)
    shown = {"about": {"title": about.title, "summary": about.summary, "tags": list(about.tags)}, "found_by": search_text(about)}
    if pipeline is None:
        pipeline = Pipeline.objects.create(
            project=project,
            name=wanted,
            title=title or "",
            description=description or "",
            created_by=actor,
            version=1,
            **shown,
        )
    else:
        newest = PipelineVersion.objects.get(pipeline=pipeline, number=pipeline.version)
        given = {f: v for f, v in (("title", title), ("description", description)) if v is not None} | shown
        changed = [field for field, value in given.items() if getattr(pipeline, field) != value]
        for field in changed:
            setattr(pipeline, field, given[field])
        if newest.digest == digest:
            if changed:
                pipeline.save(update_fields=changed)
            return newest, False
        pipeline.version += 1
        pipeline.save(update_fields=["version", *changed])
    version = PipelineVersion.objects.create(
        pipeline=pipeline,
        number=pipeline.version,
        kind=kind,
        text=text,
        digest=digest,
        parameters=[parameter_json(p) for p in report.parameters],
        warnings=[finding_json(f) for f in report.warnings],
        created_by=actor,
    )
    _say(pipeline, "pipeline.version", actor, at_ms, {"name": pipeline.name, "version": version.number})
    return version, True


@transaction.atomic
def pipeline_update(
    *, pipeline: Pipeline, actor: str, title: str | None = None, description: str | None = None
) -> Pipeline:
    """Change what is shown of a pipeline; its versions stay."""
    fields = []
    for field, value in (("title", title), ("description", description)):
        if value is not None:
            setattr(pipeline, field, value)
            fields.append(field)
    if fields:
        pipeline.save(update_fields=fields)
        _say(pipeline, "pipeline.changed", actor, clock.now_ms(), {"name": pipeline.name})
    return pipeline


@transaction.atomic
def picture_set(*, pipeline: Pipeline, content: bytes, actor: str) -> Pipeline:
    """Give a pipeline the picture a gallery shows of it; empty `content` takes it away.

    Raises:
        Invalid: the bytes are no picture that is shown, or too many.
    """
    kind = picture_type(content) if content else ""
    digest = hashlib.sha256(content).hexdigest() if content else ""
    if digest == pipeline.picture_digest:
        return pipeline
    if content:
        PipelinePicture.objects.update_or_create(pipeline=pipeline, defaults={"content": content})
    else:
        PipelinePicture.objects.filter(pipeline=pipeline).delete()
    pipeline.picture_digest, pipeline.picture_type = digest, kind
    pipeline.save(update_fields=["picture_digest", "picture_type"])
    _say(pipeline, "pipeline.changed", actor, clock.now_ms(), {"name": pipeline.name})
    return pipeline


@transaction.atomic
def pipeline_delete(*, pipeline: Pipeline, actor: str) -> None:
    """Remove a pipeline with its versions; runs keep the manifests they were made from."""
    _say(pipeline, "pipeline.deleted", actor, clock.now_ms(), {"name": pipeline.name})
    pipeline.delete()


def _own_name(document: dict[str, Any]) -> str:
    metadata = document.get("metadata") or {}
    return str(metadata.get("name") or str(metadata.get("generateName") or "").rstrip("-."))


def _check_template_name(project: Project, pipeline: Pipeline | None, kind: str, own: str) -> None:
    """A `templateRef` finds a manifest by its kind and name, so a project may have only one of each."""
    for pipeline_id, document in library_rows(project.pk):
        if (pipeline is None or pipeline_id != pipeline.pk) and (document.get("kind"), _own_name(document)) == (
            kind,
            own,
        ):
            raise Conflict(
                say("The project has a {kind} named {own!r} already.", kind=kind, own=own),
                next_step="Give this one another metadata.name, or save it as a version of that pipeline.",
            )


def _say(pipeline: Pipeline, kind: str, actor: str, at_ms: int, data: dict[str, Any]) -> None:
    events_append(
        [
            EventDraft(
                topic="pipeline",
                kind=kind,
                entity_id=pipeline.pk,
                at_ms=at_ms,
                project_id=pipeline.project_id,
                actor=actor,
                data=data,
            )
        ]
    )
