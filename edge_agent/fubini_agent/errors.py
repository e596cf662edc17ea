"""The agent's root error and the two kinds every caller must tell apart."""

from __future__ import annotations

from typing import Optional

from fubini_protocol.v1.messages import Cause, OutcomeKind


class AgentError(Exception):
    """Root of everything the agent raises on purpose; the text is shown to a person."""


class ConfigError(AgentError):
    """The site file, the state folder or an argument is not usable; the text says what is allowed."""


class Transient(AgentError):
    """Try again: the network, an overloaded or restarting platform. `retry_after_s` is the platform's own wish."""

    def __init__(self, text: str, retry_after_s: Optional[float] = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Permanent(AgentError):
    """Trying again cannot help. `code` is the platform's error code, `status` the HTTP status (0 = none)."""

    def __init__(self, text: str, code: str = "", status: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


class Unauthorized(Permanent):
    """The credential is dead: a person must join the agent again."""


class StepFault(AgentError):
    """An attempt cannot go on; carries how its end is to be reported."""

    def __init__(self, kind: OutcomeKind, cause: Cause, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.cause = cause
