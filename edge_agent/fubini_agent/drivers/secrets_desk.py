"""What the agent knows of steps' secrets: asked for by attempt and fence, kept in memory alone.

The journal holds leases, not secrets: after a restart they are asked for again, for a step that has yet to start and for
the masking of one that runs. What nobody may know any more, because the attempt is over, is hidden altogether.
"""

from __future__ import annotations

import asyncio
import base64
import logging

from fubini_agent.errors import Permanent, StepFault, Transient
from fubini_agent.masking import Masker
from fubini_agent.staging import secrets
from fubini_agent.staging.layout import Layout
from fubini_agent.transport import Backoff, Transport
from fubini_protocol.v1.messages import Cause, LeaseOffer, OutcomeKind, SecretsReply, SecretsRequest

_log = logging.getLogger("fubini_agent.secrets")


class SecretsDesk:
    """Of all attempts of one agent. `maskers` is what log shipping looks into: no entry yet, nothing may leave."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.maskers: dict[str, Masker] = {}
        self._env: dict[str, dict[str, dict[str, str]]] = {}  # by attempt and container, "" the one that stands for it
        self._asking: set[asyncio.Task[Masker]] = set()

    async def prepare(self, offer: LeaseOffer, layout: Layout) -> None:
        """Get a step's secrets and put its files in place, before it starts.

        Raises:
            StepFault: the platform refuses, or the step's secrets are not there.
        """
        reply = await self._ask(offer)
        self._env[offer.attempt_id] = {"": dict(reply.env), **{c.name: dict(c.env) for c in reply.containers}}
        secrets.place(layout, offer.spec.secret_mounts, reply.files)

    async def _ask(self, offer: LeaseOffer) -> SecretsReply:
        """Waits out a network that is away; from its end on the step's output can be masked."""
        backoff = Backoff(first_s=0.5, cap_s=15.0)
        while True:
            try:
                reply = await self.transport.secrets(SecretsRequest(attempt_id=offer.attempt_id, fence=offer.fence))
                break
            except Transient as exc:
                await asyncio.sleep(backoff.next_s(exc.retry_after_s))
            except Permanent as exc:
                text = f"its secrets are not given: {exc}"
                raise StepFault(OutcomeKind.PLATFORM, Cause.SITE, text) from exc
        if reply.error:
            raise StepFault(OutcomeKind.INPUT_ERROR, Cause.USER, reply.error)
        self.maskers[offer.attempt_id] = Masker(base64.b64decode(value) for value in reply.values)
        return reply

    async def masker(self, offer: LeaseOffer) -> Masker:
        """The attempt's masker, asked for anew where a restart lost it."""
        known = self.maskers.get(offer.attempt_id)
        if known is not None:
            return known
        try:
            await self._ask(offer)
        except StepFault as fault:
            _log.warning("%s: what it printed is hidden, for %s", offer.attempt_id, fault)
            self.maskers[offer.attempt_id] = Masker(everything=True)
        return self.maskers[offer.attempt_id]

    def take_up(self, offer: LeaseOffer) -> None:
        """An attempt from before a restart: get its masker in the background."""
        if offer.spec.needs_secrets:
            task = asyncio.get_running_loop().create_task(self.masker(offer))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    def env(self, attempt_id: str, container: str = "") -> dict[str, str]:
        """The variables for its command, or for one of its containers."""
        return self._env.get(attempt_id, {}).get(container, {})

    def over(self, attempt_id: str, layout: Layout | None) -> None:
        """Its command runs no more: only the masker is still needed."""
        self._env.pop(attempt_id, None)
        if layout is not None:
            secrets.wipe(layout.top)

    def forget(self, attempt_id: str) -> None:
        self._env.pop(attempt_id, None)
        self.maskers.pop(attempt_id, None)

    def close(self) -> None:
        for task in self._asking:
            task.cancel()
