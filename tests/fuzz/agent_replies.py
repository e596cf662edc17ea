"""What a platform may say to an agent: mutated, reordered, repeated and nonsensical replies.

Each input is a short conversation: replies of a hostile or newer platform mixed with what keeper and stager would say. The
message layer must answer with a message or a validation error, the machine must take everything without an exception and
keep its promises: at most one terminal report, nothing after it, no launch beyond the offer, drop only after a verdict.
"""

from __future__ import annotations

import json
import random
import sys
from typing import Any

from pydantic import ValidationError

from fubini_agent.state import (
    AttemptForgotten,
    CancelOrdered,
    CommandEnded,
    CommandExit,
    CommandLost,
    CommandStarted,
    Discard,
    DrainOrdered,
    Event,
    InputsReady,
    Launch,
    LeaseExtended,
    LeaseOffered,
    Limits,
    Machine,
    Now,
    OutputsCollected,
    Phase,
    Send,
    Ticked,
    VerdictGiven,
)
from fubini_protocol.v1.messages import SyncReply
from tests.fuzz.common import FuzzResult, main

_IDS = ["a", "b", "c", "", "é" * 40, "../x", "\u0000", "a" * 5000]
_NUMBERS: list[Any] = [0, 1, 2, 3, -1, 2**31, 2**63, 2**70, 1.5, 1e308, "1", True, None, float("nan"), [], {}]
_WORDS: list[Any] = [
    "accepted",
    "superseded",
    "rejected",
    "already_accepted",
    "private",
    "newer-word",
    "",
    7,
    None,
    ["x"],
]


def _pick(rng: random.Random, good: Any, bad: list[Any], share: float) -> Any:
    return rng.choice(bad) if rng.random() < share else good


def make_reply(rng: random.Random, share: float) -> dict[str, Any]:
    """A reply with about `share` of its fields wrong."""

    def attempt() -> str:
        return str(_pick(rng, rng.choice(_IDS[:3]), _IDS, share))

    def number(good: Any) -> Any:
        return _pick(rng, good, _NUMBERS, share)

    def spec() -> dict[str, Any]:
        return {
            "argv": _pick(rng, ["true"], [[], "true", None, [1], ["\u0000"]], share),
            "work_mode": _pick(rng, "private", _WORDS, share),
            "cpu_millis": number(rng.choice([500, 1000, 9000])),
            "memory_bytes": number(0),
            "devices": _pick(rng, [], [[{"name": "d", "count": 1}], [{"name": "d", "count": -3}], "d"], 0.3),
            "exclusive": _pick(rng, False, _NUMBERS, share),
            "grace_s": number(1),
            "field_of_the_future": rng.choice(_NUMBERS),
        }

    reply: dict[str, Any] = {
        "start": [
            {
                "lease_id": "l",
                "attempt_id": attempt(),
                "task_id": "t",
                "fence": number(1),
                "expires_in_s": number(30),
                "spec": spec(),
            }
            for _ in range(rng.randrange(3))
        ],
        "verdicts": [
            {
                "attempt_id": attempt(),
                "sequence": number(rng.choice([3, 9])),
                "verdict": _pick(rng, "accepted", _WORDS, share),
            }
            for _ in range(rng.randrange(3))
        ],
        "cancel": [{"attempt_id": attempt(), "fence": number(1)} for _ in range(rng.choice([0, 0, 0, 1]))],
        "extend": [
            {"attempt_id": attempt(), "fence": number(1), "expires_in_s": number(30)} for _ in range(rng.randrange(2))
        ],
        "forget": [attempt() for _ in range(rng.choice([0, 0, 0, 0, 1]))],
        "drain": _pick(rng, False, _NUMBERS, share),
        "next_sync_s": number(1),
        "news_of_the_future": {"deep": [[]]},
    }
    for key in list(reply):
        if rng.random() < share / 4:
            reply[key] = rng.choice([None, {}, [], "x", 3, [None], [[]]])
    return reply


def _events(reply: SyncReply) -> list[Event]:
    """In the order of `Agent._take`."""
    found: list[Event] = [VerdictGiven(v.attempt_id, v.sequence, v.verdict, v.reason) for v in reply.verdicts]
    found.append(DrainOrdered(reply.drain))
    found += [LeaseExtended(e.attempt_id, e.fence, e.expires_in_s) for e in reply.extend]
    found += [CancelOrdered(c.attempt_id, c.fence, c.reason, c.preempt) for c in reply.cancel]
    found += [AttemptForgotten(attempt_id) for attempt_id in reply.forget]
    return found + [LeaseOffered(offer) for offer in reply.start]


class _Watch:
    """Performs nothing, checks everything."""

    def __init__(self, result: FuzzResult, talk: list[str]) -> None:
        self.machine = Machine(Limits(cpu_millis=2000, devices={"d": 1}, steps_max=4))
        self.result = result
        self.talk = talk
        self.ended: set[tuple[str, int]] = set()
        self.told: set[str] = set()
        self.now_s = 0.0

    def feed(self, event: Event) -> None:
        held = {attempt.id: attempt.offer.fence for attempt in self.machine.attempts.values()}
        for instruction in self.machine.handle(event, Now(self.now_s, int(self.now_s * 1000))):
            if isinstance(instruction, Send):
                key = (instruction.report.attempt_id, instruction.report.fence)
                if key in self.ended:
                    self.result.fail(f"news after the end of {key}: {self.talk[-6:]}")
                if instruction.report.is_terminal:
                    self.ended.add(key)
            elif isinstance(instruction, Discard):
                key = (instruction.attempt_id, held.get(instruction.attempt_id, 0))
                judged = isinstance(event, (VerdictGiven, AttemptForgotten))
                if not judged and instruction.attempt_id not in self.told:
                    self.result.fail(f"{key} was dropped without a word of the platform: {self.talk[-6:]}")
            elif isinstance(instruction, Launch):
                used = [a for a in self.machine.attempts.values() if a.phase in (Phase.LAUNCHING, Phase.RUNNING)]
                if sum(a.offer.spec.cpu_millis for a in used if a.offer.spec.cpu_millis > 0) > 2000 or len(used) > 4:
                    self.result.fail(f"more runs than is offered: {self.talk[-6:]}")
        if isinstance(event, (VerdictGiven, AttemptForgotten)):
            self.told.add(event.attempt_id)


def _conversation(rng: random.Random, result: FuzzResult) -> None:
    talk: list[str] = []
    watch = _Watch(result, talk)
    share = rng.choice([0.0, 0.02, 0.1, 0.5])
    for _ in range(rng.randrange(2, 10)):
        text = json.dumps(make_reply(rng, share))
        if rng.random() < 0.05:
            cut = rng.randrange(len(text))
            text = text[:cut] + rng.choice(["", "\x00", "}", "[" * 500]) + text[cut + rng.randrange(3) :]
        talk.append(text[:600])
        try:
            reply, problems = SyncReply.read(text.encode())
        except ValidationError:
            result.outcomes["reply refused"] += 1
            continue
        result.outcomes["reply taken in part" if problems else "reply taken"] += 1
        for event in _events(reply) * rng.choice([1, 1, 1, 2]):
            watch.feed(event)
        for attempt in list(watch.machine.attempts.values()):
            roll = rng.random()
            if attempt.phase is Phase.STAGING and roll < 0.8:
                watch.feed(InputsReady(attempt.id))
            elif attempt.phase is Phase.LAUNCHING and roll < 0.8:
                watch.feed(CommandStarted(attempt.id, 1, 1))
            elif attempt.phase is Phase.RUNNING and roll < 0.6:
                watch.feed(CommandEnded(attempt.id, CommandExit("exited", rng.choice([0, 1]))))
            elif attempt.phase is Phase.RUNNING and roll < 0.65:
                watch.feed(CommandLost(attempt.id, "x"))
            elif attempt.phase is Phase.FINISHING:
                watch.feed(OutputsCollected(attempt.id))
        watch.now_s += rng.choice([0.1, 1.0, 40.0])
        watch.feed(Ticked())
        watch.machine.held()


def run(count: int, seed: int) -> FuzzResult:
    rng = random.Random(seed)
    result = FuzzResult("agent_replies", seed)
    while result.inputs < count:
        result.inputs += 1
        try:
            _conversation(rng, result)
        except Exception as exc:  # the oracle: nothing a platform says breaks the machine
            result.fail(f"conversation {result.inputs}: {type(exc).__name__}: {exc}")
    return result


if __name__ == "__main__":
    sys.exit(main(run, 10_000))
