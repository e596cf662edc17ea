"""What runs may still spend: the cost limit of a run and those of the runs above it, each over everything below it.

A run that other runs' steps made (`children`) spends within every limit above it, whenever it was made and however many
run beside it; a run's own steps spend within what its children leave. Pure sums over rows; whoever sets money aside holds
the leader's place, so that sums do not move meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from fubini.runs.models import Run

IN_MAX = 5000  # values in one IN (...)
_FIELDS = ("pk", "parent", "root", "max_cost_micros", "settled_micros", "held_micros")


@dataclass(slots=True)
class _Sum:
    parent: str
    limit_micros: int | None
    spent_micros: int = 0  # its own and that of all runs below it, with what is set aside


class RunLimits:
    """Limits over these runs, read once; few queries however many runs, and one where nothing is limited.

    Args:
        own: the rows of `limit_rows(run_ids)`, where they were read with other things.
    """

    def __init__(self, run_ids: Iterable[str], *, own: Sequence[tuple[Any, ...]] | None = None) -> None:
        self._sums: dict[str, _Sum] = {}
        if own is None:
            own = [row for rows in limit_rows(run_ids) for row in rows]
        roots = sorted({root or pk for pk, _, root, *_ in own})
        rows = {row[0]: row for row in own}
        for some in _slices(roots):
            for row in Run.objects.filter(root__in=some).values_list(*_FIELDS):
                rows[row[0]] = row
        for some in _slices([pk for pk in roots if pk not in rows]):
            for row in Run.objects.filter(pk__in=some).values_list(*_FIELDS):
                rows[row[0]] = row
        for pk, parent, _, limit, _, _ in rows.values():
            self._sums[pk] = _Sum(parent, limit)
        for pk, _, _, _, settled, held in rows.values():
            self.add(pk, settled + held)

    def left_micros(self, run_id: str) -> int | None:
        """What the run may still set aside; None: no limit, neither its own nor one above it."""
        left = [s.limit_micros - s.spent_micros for s in self._up(run_id) if s.limit_micros is not None]
        return min(left, default=None)

    def raised(self, run_id: str, more_micros: int) -> dict[str, int]:
        """New limits, of the run and of runs above it, so that the run may set aside `more_micros` more than now."""
        limited = {pk: s for pk, s in self._above(run_id) if s.limit_micros is not None}
        left = self.left_micros(run_id)
        if left is None:
            return {}
        wanted = left + more_micros
        return {
            pk: s.spent_micros + wanted for pk, s in limited.items() if (s.limit_micros or 0) - s.spent_micros < wanted
        }

    def add(self, run_id: str, amount_micros: int) -> None:
        """Note that the run sets aside this much more."""
        for one in self._up(run_id):
            one.spent_micros += amount_micros

    def _up(self, run_id: str) -> Iterator[_Sum]:
        for _, one in self._above(run_id):
            yield one

    def _above(self, run_id: str) -> Iterator[tuple[str, _Sum]]:
        for _ in range(len(self._sums)):  # a chain is no longer, whatever the rows say
            one = self._sums.get(run_id)
            if one is None:
                return
            yield run_id, one
            run_id = one.parent


def limit_rows(run_ids: Iterable[str]) -> list[QuerySet[Run, tuple[Any, ...]]]:
    """Those of these runs that a limit may be over, in as many querysets as their number asks for."""
    limited = Run.objects.filter(Q(max_cost_micros__isnull=False) | ~Q(root=""))
    return [limited.filter(pk__in=some).values_list(*_FIELDS) for some in _slices(sorted(set(run_ids)))]


def _slices(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), IN_MAX):
        yield values[start : start + IN_MAX]
