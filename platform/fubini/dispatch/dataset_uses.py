"""Which runs, pipelines and schedules name a dataset (see `datasets.uses`).

A run names the versions it was given (`Run.datasets`); a live one would fail without them, so it blocks. A pipeline or a
schedule names it somewhere in its text, as a claim or a parameter's value: the next run would miss it, nothing breaks now.
"""

from __future__ import annotations

import re
from typing import Final

from django.db.models import F, Q

from fubini.crons.models import Cron
from fubini.datasets.models import Dataset
from fubini.datasets.uses import Use
from fubini.pipelines.models import PipelineVersion
from fubini.runs.models import Run
from fubini.runs.transitions import RUN_ENDED

LIVE_LOOKED_AT: Final = 2000
SHOWN: Final = 20


def runs_using(dataset: Dataset) -> list[Use]:
    """Every live run that reads it (at most `SHOWN`), then the newest ended ones."""
    claim = _claim(dataset.name)
    found: list[Use] = []
    mine = Run.objects.filter(project_id=dataset.project_id, deleted_at_ms=None)
    # Claims are values of a small JSON object: the text narrows it down, the pattern decides.
    named = Q(datasets__icontains=f'"{dataset.name}-v')
    for live in (True, False):
        rows = mine.filter(named).exclude(state__in=RUN_ENDED) if live else mine.filter(named, state__in=RUN_ENDED)
        values = rows.order_by("-created_at_ms").values_list("pk", "name", "state", "datasets")
        of_this = 0
        for pk, name, state, datasets in values[: LIVE_LOOKED_AT if live else SHOWN * 5]:
            versions = [m for text in datasets.values() if (m := claim.fullmatch(text))]
            if versions and of_this < SHOWN:
                of_this += 1
                found.append(Use("run", pk, name, state, int(versions[0]["number"] or 0) or None, blocks=live))
    return found


def pipelines_naming(dataset: Dataset) -> list[Use]:
    rows = PipelineVersion.objects.filter(
        pipeline__project_id=dataset.project_id, number=F("pipeline__version"), text__contains=dataset.name
    ).order_by("pipeline__name")
    return [
        Use("pipeline", pk, name, "", version, blocks=False)
        for pk, name, text in rows.values_list("pipeline_id", "pipeline__name", "text")[: SHOWN * 5]
        if (version := _named(dataset.name, text)) != -1
    ][:SHOWN]


def schedules_naming(dataset: Dataset) -> list[Use]:
    rows = Cron.objects.filter(project_id=dataset.project_id, text__contains=dataset.name).order_by("name")
    return [
        Use("schedule", pk, name, "", version, blocks=False)
        for pk, name, text in rows.values_list("pk", "name", "text")[: SHOWN * 5]
        if (version := _named(dataset.name, text)) != -1
    ][:SHOWN]


def _claim(name: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(name)}(-v(?P<number>[1-9][0-9]{{0,8}}))?")


def _named(name: str, text: str) -> int | None:
    """The version a text names, None for the newest, -1 where it names another dataset whose name only begins so."""
    found = re.search(rf"(?<![-a-z0-9]){_claim(name).pattern}(?![-a-z0-9])", text)
    if found is None:
        return -1
    return int(found["number"]) if found["number"] else None
