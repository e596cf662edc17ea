"""Looks at steps' files on their way to an agent and back: a poll's reply carries the asks, the answers come by themselves."""

from __future__ import annotations

from fubini.runs.looks import look_answer, looks_open
from fubini.sites.models import Agent
from fubini_protocol.v1 import messages as wire


def asks_for(agent: Agent) -> tuple[wire.FilesAsk, ...]:
    """What the agent is to look at; said once every two seconds at most."""
    return tuple(
        wire.FilesAsk(
            ask_id=row.pk,
            attempt_id=row.attempt_id,
            fence=row.fence,
            path=row.path,
            offset=row.offset,
            limit=row.limit,
        )
        for row in looks_open(agent.pk, tell=True)
    )


def answer_take(agent: Agent, answer: wire.FilesAnswer) -> wire.FilesTaken:
    """Only the agent that was asked can answer; what nobody waits for any more is dropped."""
    look_answer(
        agent_id=agent.pk,
        look_id=answer.ask_id[:32],
        answer=answer.model_dump(mode="json", exclude={"ask_id", "attempt_id"}),
    )
    return wire.FilesTaken()
