"""A run on paper: which leaves a manifest opens when every step succeeds at once with empty or default outputs.

What a result decides (a loop over it, a condition on it, recursion) cannot be known before; the manifest's text tells
whether there is any such place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fubini.engines import embedded
from fubini.runs.engine import (
    UNKNOWN_KEY,
    UNKNOWN_VALUE,
    Event,
    Foresight,
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


def rehearse(document: Mapping[str, Any], context: RunContext, answer: Foresight | None = None) -> Rehearsal:
    """Run `document` on paper from its start; at most `MAX_LEAVES` leaves are walked."""
    return rehearse_on(embedded.State.new(dict(document), context), Start(context.created_ms), document, answer)


def rehearse_on(
    state: embedded.State, first: Event, document: Mapping[str, Any], answer: Foresight | None = None
) -> Rehearsal:
    """Go on on paper from `state` with `first`; the state is used up.

    Leaves open in waves, so that `answer` is asked for many at once.
    """
    at_ms = first.at_ms
    queue: list[Event] = [first]
    wave: list[OpenTask] = []
    counts: dict[str, tuple[TaskSpec, int]] = {}
    levels: list[dict[str, int]] = []
    opened = 0
    while queue and opened < MAX_LEAVES:
        step: Step = embedded.advance(state, queue.pop())
        if step.refused:
            return Rehearsal((), open_ended=False, refused=step.refused)
        found = [c for c in step.commands if isinstance(c, OpenTask)]
        opened += len(found)
        wave += found
        for command in step.commands:
            if isinstance(command, LockRequest):
                queue.append(LockGranted(at_ms, command.holder, command.generation))
            elif isinstance(command, MemoLookup):
                queue.append(MemoAnswer(at_ms, command.node_id, command.generation, None))
        if not queue and wave:
            here = {command.spec.template for command in wave}
            before = {name: counts[name][1] for name in here & counts.keys()}
            queue = _ends(state, wave, answer, counts, at_ms)[::-1]
            level = {name: more for name in here & counts.keys() if (more := counts[name][1] - before.get(name, 0))}
            levels += [level] if level else []
            wave = []
        for timer in step.timers:
            if timer.at_ms is not None and not queue:
                at_ms = max(at_ms, timer.at_ms)
                queue.append(Tick(at_ms, timer.key))
    return Rehearsal(
        tuple(counts.values()),
        open_ended=_depends_on_results(document) or opened >= MAX_LEAVES,
        levels=tuple(levels),
    )


def _ends(
    state: embedded.State,
    wave: Sequence[OpenTask],
    answer: Foresight | None,
    counts: dict[str, tuple[TaskSpec, int]],
    at_ms: int,
) -> list[Event]:
    """How the leaves of a wave end; those without an answer are counted."""
    names = [node.name if (node := state.nodes.get(c.node_id)) is not None else "" for c in wave]
    answers = answer([(n, c.spec) for n, c in zip(names, wave, strict=True)]) if answer else [None] * len(wave)
    events: list[Event] = []
    for command, known in zip(wave, answers, strict=True):
        inhouse = command.spec.http or command.spec.listing or command.spec.child
        if known is None and inhouse is None:
            spec, count = counts.get(command.spec.template, (command.spec, 0))
            counts[command.spec.template] = (spec, count + 1)
        if known is None and command.spec.daemon:
            events.append(LeafRunning(at_ms, command.node_id, command.generation, address="127.0.0.1"))
        else:
            outcome = known or _good(command, answer is None)
            events.append(LeafDone(at_ms, command.node_id, command.generation, outcome))
    return events


def _good(command: OpenTask, guess: bool) -> LeafOutcome:
    """Success with outputs nobody knows; with `guess` a default stands for a value."""
    spec = command.spec
    return LeafOutcome(
        kind=OutcomeKind.EXITED,
        exit_code=0,
        result=UNKNOWN_VALUE if spec.capture_result or spec.http or spec.listing else None,
        parameters={o.name: UNKNOWN_VALUE for o in (spec.child.outputs if spec.child else ())}
        | {p.name: p.default if guess and p.default is not None else UNKNOWN_VALUE for p in spec.parameters_out},
        artifacts={a.name: f"{UNKNOWN_KEY}{command.node_id}/{command.generation}/{a.name}" for a in spec.artifacts_out},
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
