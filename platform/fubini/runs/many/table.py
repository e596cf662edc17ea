"""Runs as rows: the parameters they had, the results they gave, what they took; columns are what any of them has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import F, QuerySet

from fubini.runs.models import Run, RunManifest, RunNode
from fubini.runs.selectors import labels_with

ROWS_MAX: Final = 500
COLUMNS_MAX: Final = 100  # of parameters, and of results
VALUE_MAX: Final = 300  # characters of a value


@dataclass(frozen=True, slots=True)
class Column:
    """`varies`: not all rows have the same; `numeric`: every value there is reads as a finite number."""

    name: str
    varies: bool
    numeric: bool


@dataclass(slots=True)
class Row:
    run: Run
    parameters: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunTable:
    """`truncated`: more runs fit than are shown, or some column was left out."""

    rows: list[Row]
    parameters: list[Column]
    results: list[Column]
    truncated: bool


def table_of(runs: QuerySet[Run]) -> RunTable:
    """The newest `ROWS_MAX` of these runs, in three queries whatever their number."""
    newest = list(
        labels_with(runs)
        .defer("engine_state", "quote", "reuse")
        .order_by("-created_at_ms", "-id")[: ROWS_MAX + 1]
    )
    cut, shown = len(newest) > ROWS_MAX, newest[:ROWS_MAX]
    defaults, roots = _defaults(shown), _root_outputs(shown)
    rows = []
    for run in shown:
        given = {**defaults.get(run.pk, {}), **run.parameters}
        left = {**parameters_in(roots.get(run.pk)), **parameters_in(run.outputs)}
        rows.append(Row(run, _short(given), _short(left)))
    parameters = _columns([row.parameters for row in rows])
    results = _columns([row.results for row in rows])
    cut = cut or max(len(parameters), len(results)) > COLUMNS_MAX
    return RunTable(rows, parameters[:COLUMNS_MAX], results[:COLUMNS_MAX], cut)


def parameters_in(outputs: Any) -> dict[str, str]:
    """Name -> value of the parameters in outputs of Argo's shape; those without a value are left out."""
    listed = outputs.get("parameters") if isinstance(outputs, Mapping) else None
    return {p["name"]: p["value"] for p in listed or () if p.get("name") and isinstance(p.get("value"), str)}


def results_of(runs: Sequence[Run]) -> dict[str, dict[str, str]]:
    """The output parameters each run left, by run: global ones above its entry point's own. One query."""
    outputs = _root_outputs(runs)
    return {run.pk: {**parameters_in(outputs.get(run.pk)), **parameters_in(run.outputs)} for run in runs}


def _defaults(runs: Sequence[Run]) -> dict[str, dict[str, str]]:
    """Run id -> what its manifest gives its parameters."""
    kept = RunManifest.objects.filter(run__in=runs).values_list("run_id", "document__spec__arguments__parameters")
    return {run_id: parameters_in_document(listed) for run_id, listed in kept}


def parameters_in_document(listed: Any) -> dict[str, str]:
    """Name -> value of a manifest's `spec.arguments.parameters`; those without a value are left out."""
    return {
        p["name"]: _text(p["value"])
        for p in (listed if isinstance(listed, list) else ())
        if isinstance(p, dict) and isinstance(p.get("name"), str) and p.get("value") is not None
    }


def _root_outputs(runs: Sequence[Run]) -> dict[str, Any]:
    """Run id -> the outputs of its entry point's node."""
    rows = RunNode.objects.filter(run__in=runs, boundary_id="", name=F("run__name"), outputs__isnull=False).order_by(
        "-id"
    )
    return dict(rows.values_list("run_id", "outputs"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _short(values: Mapping[str, str]) -> dict[str, str]:
    return {name: v if len(v) <= VALUE_MAX else v[: VALUE_MAX - 1] + "…" for name, v in values.items()}


def _columns(rows: Iterable[Mapping[str, str]]) -> list[Column]:
    """Columns in the order they first appear, those that vary first: they are what a comparison is about."""
    seen: dict[str, set[str | None]] = {}
    listed = list(rows)
    for row in listed:
        for name in row:
            seen.setdefault(name, set())
    for name, values in seen.items():
        values.update(row.get(name) for row in listed)
    found = [
        Column(name, len(values) > 1, all(is_number(v) for v in values if v is not None))
        for name, values in seen.items()
    ]
    return sorted(found, key=lambda column: not column.varies)


def is_number(text: str) -> bool:
    """Does it read as a finite decimal number? `1_000`, `nan` and the like do not."""
    if not text or len(text) > 40 or not set(text) <= set("0123456789+-.eE"):
        return False
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
