"""Which engines this installation has. Runs and dispatch name an engine; its code sits in a layer above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from django.utils.module_loading import import_string

from fubini.common.options import option_group
from fubini.manifests.annotations import Claims
from fubini.manifests.findings import Report
from fubini.manifests.graphs import MAX_ITEMS
from fubini.manifests.import_rules import NO_RULES, ImportRules
from fubini.runs.engine import Event, Foresight, Rehearsal, Signal
from fubini.runs.models import Run


class EngineShell(Protocol):
    """The I/O side of an engine, as dispatch drives it."""

    def check(
        self,
        text: str | bytes,
        *,
        library: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, str] | None,
        values_later: bool = False,
        rules: ImportRules = NO_RULES,
        secrets: Mapping[str, frozenset[str]] | None = None,
        claims: Claims | None = None,
        max_items: int = MAX_ITEMS,
    ) -> Report:
        """Is this a manifest the engine honours? All findings at once.

        `parameters` are None and `values_later` is set for a definition that is only stored. `rules` are the
        project's, for what only a cluster acts on; `secrets` the names and keys it has, None where they are not to be
        judged; `max_items` is the longest loop it runs.
        """

    def rehearse(
        self,
        run: Run,
        document: Mapping[str, Any],
        library: Sequence[Mapping[str, Any]],
        answer: Foresight | None = None,
    ) -> Rehearsal:
        """Which leaves a run of `document` would open if every step succeeded at once; writes nothing.

        Leaves `answer` knows the end of are not among them; what follows from such an end is.
        """

    def rehearse_signal(self, run: Run, signal: Signal) -> Rehearsal:
        """Which leaves the run would still open after `signal`, as it stands in the rows; writes nothing.

        The answer's `refused` is set where the signal does not fit the run.
        """

    def seed(self, run: Run, source: Run, *, keys: Mapping[str, str], at_ms: int) -> Mapping[str, str]:
        """Give `run`, which has no nodes, the tree of an ended run of the same manifest: to go on with by a retry.

        Args:
            keys: the artifact keys of the old run and what they are in the new one.

        Returns:
            The new node id of each old one that was carried over.
        """

    def feed(self, run: Run, events: Sequence[Event], *, at_ms: int) -> Mapping[int, str]:
        """Advance a run by events and write what changed; the caller holds a transaction and the run's row.

        The answer says of which events (by their place) the engine refused, and why.
        """

    def forget(self, run_id: str) -> None:
        """Drop cached state of a run (its transaction was rolled back, or it ended)."""


@cache
def engine_of(name: str) -> EngineShell:
    """The shell of engine `name`, made once a process."""
    shell: EngineShell = import_string(option_group("ENGINES")[name])()
    return shell
