"""A run on paper: which leaves a manifest opens when every step succeeds at once with empty or default outputs.

What a result decides (a loop over it, a condition on it, recursion) cannot be known before; the manifest's text tells
whether there is any such place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fubini.engines import embedded
from fubini.runs.engine import (
    Event,
    LeafDone,
    LeafOutcome,
    LeafRunning,
    LockGranted,
    LockRequest,
    MemoAnswer,
    MemoLookup,
    OpenTask,
    OutcomeKind,
    Rehearsal,
    RunContext,
    Start,
    Step,
    TaskSpec,
    Tick,
)

MAX_LEAVES = 20_000
BY_RESULT = re.compile(r"\{\{=?[^}]*\b(steps|tasks)\b[^}]*\boutputs\b")


def rehearse(document: Mapping[str, Any], context: RunContext) -> Rehearsal:
    """Run `document` on paper from its start; at most `MAX_LEAVES` leaves are walked."""
    return rehearse_on(embedded.State.new(dict(document), context), Start(context.created_ms), document)


def rehearse_on(state: embedded.State, first: Event, document: Mapping[str, Any]) -> Rehearsal:
    """Go on on paper from `state` with `first`; the state is used up."""
    at_ms = first.at_ms
    queue: list[Event] = [first]
    counts: dict[str, tuple[TaskSpec, int]] = {}
    opened = 0
    while queue and opened < MAX_LEAVES:
        step: Step = embedded.advance(state, queue.pop())
        if step.refused:
            return Rehearsal((), open_ended=False, refused=step.refused)
        for command in step.commands:
            if isinstance(command, OpenTask):
                opened += 1
                spec, count = counts.get(command.spec.template, (command.spec, 0))
                counts[command.spec.template] = (spec, count + 1)
                if command.spec.daemon:
                    queue.append(LeafRunning(at_ms, command.node_id, command.generation, address="127.0.0.1"))
                else:
                    queue.append(LeafDone(at_ms, command.node_id, command.generation, _good(command)))
            elif isinstance(command, LockRequest):
                queue.append(LockGranted(at_ms, command.holder, command.generation))
            elif isinstance(command, MemoLookup):
                queue.append(MemoAnswer(at_ms, command.node_id, command.generation, None))
        for timer in step.timers:
            if timer.at_ms is not None and not queue:
                at_ms = max(at_ms, timer.at_ms)
                queue.append(Tick(at_ms, timer.key))
    return Rehearsal(tuple(counts.values()), open_ended=_depends_on_results(document) or opened >= MAX_LEAVES)


def _good(command: OpenTask) -> LeafOutcome:
    spec = command.spec
    return LeafOutcome(
        kind=OutcomeKind.EXITED,
        exit_code=0,
        result="[]" if spec.capture_result else None,
        parameters={p.name: p.default if p.default is not None else "[]" for p in spec.parameters_out},
        artifacts={a.name: f"rehearsal/{command.node_id}/{command.generation}/{a.name}" for a in spec.artifacts_out},
        containers={c.name: 0 for c in spec.containers},
    )


def _depends_on_results(document: Mapping[str, Any]) -> bool:
    """Does any loop or condition name another step's outputs?"""

    def walk(value: Any) -> bool:
        if isinstance(value, Mapping):
            deciding = (value.get("when"), value.get("withParam"), value.get("withSequence"))
            if any(BY_RESULT.search(json.dumps(d)) for d in deciding if d is not None):
                return True
            return any(walk(v) for v in value.values())
        return isinstance(value, list) and any(walk(v) for v in value)

    return walk(document.get("spec"))
