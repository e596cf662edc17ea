"""Steps' output as it comes: chunks are appended at their offsets, of attempts this agent has or had.

A chunk of an unknown attempt or an old fence closes its stream, so that the agent stops sending it.
"""

from __future__ import annotations

from fubini.runs.logs import container_is_plain, log_append
from fubini.runs.models import Attempt
from fubini.sites.models import Agent
from fubini_protocol.v1 import messages as wire

STREAMS = frozenset({wire.Stream.STDOUT, wire.Stream.STDERR, wire.Stream.MAIN})


def logs_take(agent: Agent, message: wire.LogsRequest) -> wire.LogsReply:
    """Append what came; where each stream goes on."""
    wanted = {c.attempt_id for c in message.chunks}
    attempts = {
        a.pk: a
        for a in Attempt.objects.filter(pk__in=wanted, agent_id=agent.pk).only("id", "run_id", "fence", "agent_id")
    }
    answers = []
    for chunk in message.chunks:
        attempt = attempts.get(chunk.attempt_id)
        if (
            attempt is None
            or attempt.fence != chunk.fence
            or chunk.stream not in STREAMS
            or not container_is_plain(chunk.container)
        ):
            answers.append(
                wire.NextOffset(
                    attempt_id=chunk.attempt_id,
                    stream=chunk.stream,
                    offset=chunk.offset,
                    closed=True,
                    container=chunk.container,
                )
            )
            continue
        try:
            content = chunk.content()
        except ValueError:
            answers.append(
                wire.NextOffset(
                    attempt_id=attempt.pk,
                    stream=chunk.stream,
                    offset=chunk.offset,
                    closed=True,
                    container=chunk.container,
                )
            )
            continue
        ack = log_append(
            attempt,
            chunk.offset,
            content,
            stream=chunk.stream.value,
            container=chunk.container,
            skipped_bytes=chunk.skipped_bytes,
            eof=chunk.eof,
        )
        answers.append(
            wire.NextOffset(
                attempt_id=attempt.pk,
                stream=chunk.stream,
                offset=ack.next_offset,
                closed=ack.closed,
                container=chunk.container,
            )
        )
    return wire.LogsReply(next=tuple(answers))
