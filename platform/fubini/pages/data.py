"""A project's data at a glance, and one dataset's: each in one answer, with a number of queries that does not grow.

Decides what is shown together: what is kept and where copies lie, what moves now and for which run, what came only in
part, and what still uses a dataset. Files are pages of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fubini.datasets.entries import manifest_of
from fubini.datasets.limits import limit
from fubini.datasets.models import Dataset, DatasetVersion, Transfer, Upload
from fubini.datasets.selectors import cached_of_project, project_bytes, replicas_of, transfers_open, versions_of
from fubini.datasets.uploads import uploads_open
from fubini.datasets.uses import Use, uses_of
from fubini.projects.models import Project
from fubini.runs.models import Run
from fubini.sites.models import Site

UPLOADS_SHOWN: Final = 20
TRANSFERS_SHOWN: Final = 50
VERSIONS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Moving:
    """One transfer and the run it is for."""

    row: Transfer
    run_name: str
    site: str


@dataclass(frozen=True, slots=True)
class Copy:
    """What one site's cache holds of something."""

    site: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ProjectData:
    """`max_bytes` is None where the project's room is not limited."""

    size_bytes: int
    max_bytes: int | None
    copies: list[Copy]
    moving: list[Moving]
    moving_total: int
    uploads: list[Upload]


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """`version` is the one looked at, None while the dataset is empty; `copies` are of it."""

    dataset: Dataset
    versions: list[DatasetVersion]
    version: DatasetVersion | None
    copies: list[Copy]
    uses: list[Use]


def project_data(project: Project) -> ProjectData:
    names = dict(Site.objects.values_list("pk", "name"))
    moving = transfers_open(project.pk)
    first = list(moving.order_by("planned_at_ms", "pk")[:TRANSFERS_SHOWN])
    return ProjectData(
        size_bytes=project_bytes(project.pk),
        max_bytes=limit("PROJECT_MAX_BYTES") or None,
        copies=_copies(cached_of_project(project.pk), names),
        moving=_moving(first, names),
        moving_total=len(first) if len(first) < TRANSFERS_SHOWN else moving.count(),
        uploads=list(uploads_open([project.pk]).order_by("-created_at", "pk")[:UPLOADS_SHOWN]),
    )


def dataset_page(dataset: Dataset, number: int | None) -> DatasetPage:
    """`number` None, or one that does not exist, looks at the newest."""
    rows = list(versions_of(dataset).order_by("-number")[:VERSIONS_SHOWN])
    chosen = DatasetVersion.objects.filter(dataset=dataset).order_by("-number")
    version = (chosen.filter(number=number).first() if number else None) or chosen.first()
    held = replicas_of(manifest_of(version.entries)) if version else {}
    names = dict(Site.objects.filter(pk__in=held).values_list("pk", "name")) if held else {}
    return DatasetPage(dataset, rows, version, _copies(held, names), uses_of(dataset))


def _copies(held: dict[str, tuple[int, int]], names: dict[str, str]) -> list[Copy]:
    found = [Copy(names[site], files, size) for site, (files, size) in held.items() if site in names]
    return sorted(found, key=lambda copy: copy.site)


def _moving(rows: list[Transfer], names: dict[str, str]) -> list[Moving]:
    runs = dict(Run.objects.filter(pk__in={row.run_id for row in rows}).values_list("pk", "name"))
    return [Moving(row, runs.get(row.run_id, ""), names.get(row.site_id, "")) for row in rows]
