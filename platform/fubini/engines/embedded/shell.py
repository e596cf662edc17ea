"""The embedded engine's I/O side: loads a run's state, feeds it events, records the step.

State is cached per run in this process and always equals the rows: the cache entry is dropped before a transaction
that fails can leave it ahead of them (`forget`). Only the leading dispatch process uses it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fubini.engines import embedded
from fubini.engines.embedded.rehearsal import rehearse, rehearse_on
from fubini.engines.embedded.resubmit import renamed
from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.annotations import Claims
from fubini.manifests.check import check_manifest
from fubini.manifests.findings import Report
from fubini.manifests.graphs import MAX_ITEMS
from fubini.manifests.import_rules import NO_RULES, ImportRules, rules_from
from fubini.runs.answers import Answers
from fubini.runs.apply import node_record, step_apply, steps_merge
from fubini.runs.engine import Event, Foresight, NodePhase, Rehearsal, RunContext, RunRecord, Signal, Step
from fubini.runs.memoized import CARRIED
from fubini.runs.models import Run, RunManifest, RunNode

CACHED_RUNS = 256


@dataclass(slots=True)
class _Cached:
    state: embedded.State
    phases: dict[str, tuple[str, int]]
    version: int
    rules: ImportRules


class EmbeddedShell:
    """See `runs.registry.EngineShell`."""

    def __init__(self) -> None:
        self._cache: OrderedDict[str, _Cached] = OrderedDict()

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
        return check_manifest(
            text,
            supported=SUPPORTED,
            library=library,
            parameters=parameters,
            values_later=values_later,
            rules=rules,
            secrets=secrets,
            claims=claims,
            max_items=max_items,
        )

    def rehearse(
        self,
        run: Run,
        document: Mapping[str, Any],
        library: Sequence[Mapping[str, Any]],
        answer: Foresight | None = None,
    ) -> Rehearsal:
        return rehearse(document, context_of(run, library), answer)

    def rehearse_signal(self, run: Run, signal: Signal) -> Rehearsal:
        manifest = RunManifest.objects.get(run=run)
        return rehearse_on(self._read(run, manifest).state, signal, manifest.document)

    def seed(self, run: Run, source: Run, *, keys: Mapping[str, str], at_ms: int) -> dict[str, str]:
        old = list(RunNode.objects.filter(run=source).order_by("id"))
        records = [node_record(row) for row in old]
        made = renamed(records, old=source.name, new=run.name, keys=keys, at_ms=at_ms)
        step_apply(run, Step(nodes=tuple(made)), phases={}, at_ms=at_ms, rules=NO_RULES)
        names = {record.name: str(record.id) for record in made}
        return {row.node_id: names[n] for row in old if (n := run.name + row.name.removeprefix(source.name)) in names}

    def feed(self, run: Run, events: Sequence[Event], *, at_ms: int) -> dict[int, str]:
        cached = self._load(run)
        steps: list[Step] = []
        refused: dict[int, str] = {}
        answers = Answers(run, at_ms=at_ms)
        todo: deque[tuple[int, Event]] = deque(enumerate(events))
        while todo:
            place, event = todo.popleft()
            steps.append(embedded.advance(cached.state, event))
            if steps[-1].refused:
                refused[place] = steps[-1].refused
            todo.extendleft((place, answer) for answer in reversed(answers.to(steps[-1].commands)))
        assert steps[-1].settled or steps[-1].refused, f"run {run.pk} waits for an answer that nobody gave"
        step_apply(run, steps_merge(steps), phases=cached.phases, at_ms=at_ms, rules=cached.rules)
        run.engine_version += 1
        run.save(update_fields=["engine_version"])
        cached.version = run.engine_version
        return refused

    def forget(self, run_id: str) -> None:
        self._cache.pop(run_id, None)

    def _load(self, run: Run) -> _Cached:
        found = self._cache.get(run.pk)
        if found is not None and found.version == run.engine_version:
            self._cache.move_to_end(run.pk)
            return found
        cached = self._cache[run.pk] = self._read(run, RunManifest.objects.get(run=run))
        while len(self._cache) > CACHED_RUNS:
            self._cache.popitem(last=False)
        return cached

    def _read(self, run: Run, manifest: RunManifest) -> _Cached:
        """A state of its own from the rows."""
        context = context_of(run, manifest.library)
        rules = rules_from(manifest.import_rules)
        if run.engine_version == 0:
            return _Cached(embedded.State.new(manifest.document, context), {}, 0, rules)
        rows = list(RunNode.objects.filter(run=run).order_by("id"))
        carried = bool(run.engine_state.get(CARRIED))
        record = RunRecord(
            phase=NodePhase.FAILED if carried else NodePhase(run.phase),
            message=run.message,
            outputs=run.outputs,
            suspended=run.suspended,
            shutdown=run.shutdown,
            finished=carried or run.finished_at_ms is not None,
            private=run.engine_state,
        )
        state = embedded.load(manifest.document, context, record, [node_record(row) for row in rows])
        phases = {row.node_id: (row.phase, row.generation) for row in rows}
        return _Cached(state, phases, run.engine_version, rules)


def context_of(run: Run, library: Sequence[Mapping[str, Any]]) -> RunContext:
    """What a run brings beside its manifest."""
    return RunContext(
        name=run.name,
        namespace=run.project.slug,
        uid=run.pk,
        created_ms=run.created_at_ms,
        parameters=run.parameters,
        library=tuple(library),
        artifact_prefix=run.pk,
        max_nodes=run.project.max_nodes,
        max_items=run.project.max_items,
    )
