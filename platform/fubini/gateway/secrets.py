"""Secrets on their way to a step: given to the agent that holds the attempt's lease, while it lives, and to nobody else.

Nothing here is stored. Each delivery is an entry of the trail: which agent got which secrets' names for which attempt.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from fubini.audit.services import audit_append
from fubini.common.errors import NotFound
from fubini.runs.codec import spec_of
from fubini.runs.engine import SecretEnv, SecretFile, SecretFiles
from fubini.runs.models import Attempt, Lease
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini.secrets.selectors import secret_values
from fubini.secrets.services import secrets_used
from fubini.sites.models import Agent
from fubini_protocol.v1 import messages as wire

#: What a POSIX shell and Kubernetes take for a variable's name.
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
Values = dict[str, dict[str, bytes]]


class _Unmet(Exception):
    """A secret the step needs is not there, or is not fit for its use; the text is a sentence without values."""


def secrets_deliver(agent: Agent, request: wire.SecretsRequest) -> wire.SecretsReply:
    """Everything an attempt's step is to be given.

    Raises:
        NotFound: the agent does not hold such an attempt (any more), under this fence.
    """
    attempt = (
        Attempt.objects.select_related("task")
        .filter(pk=request.attempt_id[:32], agent_id=agent.pk, fence=request.fence, state__in=ATTEMPT_LIVE)
        .first()
    )
    alive = attempt is not None and attempt.task.fence == attempt.fence and attempt.task.state in ("placed", "running")
    if (
        not alive
        or not Lease.objects.filter(pk=request.attempt_id[:32], state__in=["granted", "held", "expired"]).exists()
    ):
        raise NotFound("This agent holds no such attempt.", next_step="Drop it; the next sync says the same.")
    assert attempt is not None
    spec = spec_of(attempt.task.spec)
    wanted_env = {"": spec.secret_env, **{c.name: c.secret_env for c in spec.containers}}
    names = {e.secret for wanted in wanted_env.values() for e in wanted} | {f.secret for f in spec.secret_files}
    values = secret_values(attempt.project_id, names)
    try:
        envs = {name: dict(pair for one in wanted for pair in _env(one, values)) for name, wanted in wanted_env.items()}
        files = [file for wanted in spec.secret_files for file in _files(wanted, values)]
    except _Unmet as unmet:
        return wire.SecretsReply(error=str(unmet))
    given = {value.encode() for env in envs.values() for value in env.values()} | {
        base64.b64decode(f.content) for f in files
    }
    audit_append(
        actor=f"agent:{agent.name}",
        action="secret.deliver",
        target=f"attempt:{attempt.pk}",
        project_id=attempt.project_id,
        data={"secrets": sorted(names & values.keys()), "run_id": attempt.run_id},
    )
    secrets_used(project_id=attempt.project_id, names=names)
    return wire.SecretsReply(
        env=tuple(envs.pop("").items()),
        containers=tuple(wire.ContainerSecrets(name=name, env=tuple(env.items())) for name, env in envs.items() if env),
        files=tuple(files),
        values=tuple(base64.b64encode(value).decode("ascii") for value in sorted(given) if value),
    )


def _secret(name: str, optional: bool, values: Values) -> dict[str, bytes] | None:
    found = values.get(name)
    if found is None and not optional:
        raise _Unmet(f"the project has no secret {name!r}")
    return found


def _key(name: str, key: str, optional: bool, values: Values) -> bytes | None:
    found = _secret(name, optional, values)
    if found is None:
        return None
    if key not in found:
        if optional:
            return None
        raise _Unmet(f"the project's secret {name!r} has no key {key!r}")
    return found[key]


def _env(wanted: SecretEnv, values: Values) -> list[tuple[str, str]]:
    if wanted.key:
        value = _key(wanted.secret, wanted.key, wanted.optional, values)
        return [] if value is None else [(wanted.variable, _text(value, wanted.secret, wanted.key))]
    found = _secret(wanted.secret, wanted.optional, values) or {}
    named = [(wanted.prefix + key, key, value) for key, value in sorted(found.items())]
    # Kubernetes passes over keys that are no variable's name, too.
    return [(name, _text(value, wanted.secret, key)) for name, key, value in named if VARIABLE.fullmatch(name)]


def _text(value: bytes, secret: str, key: str) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise _Unmet(f"the secret {secret!r}, key {key!r}, is not text, so it cannot be a variable: mount it") from None
    if "\x00" in text:
        raise _Unmet(f"the secret {secret!r}, key {key!r}, has a NUL byte, so it cannot be a variable: mount it")
    return text


def _files(wanted: SecretFiles, values: Values) -> list[wire.SecretFile]:
    found = _secret(wanted.secret, wanted.optional, values) or {}
    items = wanted.items or tuple(SecretFile(key, key, wanted.mode) for key in sorted(found))
    files = []
    for item in items:
        value = _key(wanted.secret, item.key, wanted.optional, values)
        if value is None:
            continue
        path = item.path
        if wanted.sub_path:
            if path != wanted.sub_path:
                continue
            path = ""
        content = base64.b64encode(value).decode("ascii")
        files.append(wire.SecretFile(mount_path=wanted.mount_path, path=path, content=content, mode=item.mode))
    if wanted.sub_path and not files and not wanted.optional:
        raise _Unmet(f"the volume of the secret {wanted.secret!r} has no file {wanted.sub_path!r}")
    return files
