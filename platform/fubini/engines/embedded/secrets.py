"""Which secrets a container is to be given: as variables (`secretKeyRef`, `secretRef`) and as files (`secret` volumes).

Names only: a value never comes near the engine. Names and keys may have tags, which are replaced like any text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.runs.engine import SecretEnv, SecretFile, SecretFiles, SecretRef


def from_secret(entry: Mapping[str, Any]) -> bool:
    """Whether an `env` entry takes its value from a secret."""
    return bool((entry.get("valueFrom") or {}).get("secretKeyRef"))


def secret_ref(section: Mapping[str, Any] | None) -> SecretRef | None:
    """`{name, key, optional}` as Kubernetes and Argo write it; None where nothing is named."""
    if not section or not section.get("name"):
        return None
    return SecretRef(section["name"], any_string(section.get("key")) or "", bool(section.get("optional")))


def secret_env(container: Mapping[str, Any]) -> tuple[SecretEnv, ...]:
    """Variables that come from secrets; whole secrets first, for a variable of its own wins over them."""
    out: list[SecretEnv] = []
    for source in container.get("envFrom") or ():
        whole = secret_ref(source.get("secretRef"))
        if whole is not None:
            out.append(SecretEnv("", whole.name, "", source.get("prefix") or "", whole.optional))
    for entry in container.get("env") or ():
        one = secret_ref((entry.get("valueFrom") or {}).get("secretKeyRef"))
        if one is not None:
            out.append(SecretEnv(entry["name"], one.name, one.key, "", one.optional))
    return tuple(out)


def secret_files(
    containers: Iterable[Mapping[str, Any]], volumes: Mapping[str, Mapping[str, Any]]
) -> tuple[SecretFiles, ...]:
    """Mounts of secret volumes; `volumes` are those the containers may mount, by name. They share their files.

    Raises:
        EngineError: the volume names no secret.
    """
    out: dict[tuple[str, str], SecretFiles] = {}
    for mount in (mount for container in containers for mount in container.get("volumeMounts") or ()):
        section = (volumes.get(mount["name"]) or {}).get("secret")
        if section is None:
            continue
        name = section.get("secretName") or ""
        if not name:
            raise EngineError(f"volume '{mount['name']}' names no secret")
        default = section.get("defaultMode")
        items = tuple(
            SecretFile(item["key"], item.get("path") or item["key"], _mode(item.get("mode"), default))
            for item in section.get("items") or ()
        )
        found = SecretFiles(
            secret=name,
            mount_path=mount.get("mountPath") or "",
            items=items,
            mode=_mode(default, None),
            sub_path=mount.get("subPath") or "",
            optional=bool(section.get("optional")),
        )
        out[found.mount_path, found.sub_path] = found
    return tuple(out.values())


def _mode(value: Any, default: Any) -> int:
    chosen = value if value is not None else default
    return int(chosen) if chosen is not None else 0o644
