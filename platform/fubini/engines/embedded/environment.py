"""A container's environment: literal values, ConfigMaps, and what is known of the leaf itself.

Variables from secrets are not here: their values never come near the engine (`secrets.py` names them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded.process import EngineError, Processed
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.secrets import from_secret

if TYPE_CHECKING:
    from fubini.engines.embedded.state import State
    from fubini.engines.embedded.tree import Node

#: Fields of the pod that a leaf here has, too; by the same path as in Kubernetes.
FIELDS: Mapping[str, Callable[[State, Node, Processed], str]] = {
    "metadata.name": lambda state, node, processed: processed.locals.get("pod.name", state.name),
    "metadata.namespace": lambda state, node, processed: state.context.namespace,
    "metadata.annotations['workflows.argoproj.io/node-name']": lambda state, node, processed: node.name,
    "metadata.annotations['workflows.argoproj.io/node-id']": lambda state, node, processed: str(node.id),
    "metadata.labels['workflows.argoproj.io/workflow']": lambda state, node, processed: state.name,
    "status.podIP": lambda state, node, processed: "127.0.0.1",
    "status.hostIP": lambda state, node, processed: "127.0.0.1",
}


class Environment:
    """Resolves the variables of one leaf's containers."""

    def __init__(self, state: State, node: Node, processed: Processed) -> None:
        self.state = state
        self.node = node
        self.processed = processed

    def of(self, container: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """The variables, each name once: a later one replaces an earlier one, `env` replaces `envFrom`.

        Raises:
            EngineError: a ConfigMap, key or field that is not there.
        """
        found: dict[str, str] = {}
        for source in container.get("envFrom") or ():
            if source.get("secretRef"):
                continue
            found.update(self._map(source))
        for variable in container.get("env") or ():
            if from_secret(variable):
                found.pop(variable["name"], None)
                continue
            if variable.get("valueFrom"):
                value = self._from(variable["name"], variable["valueFrom"])
                if value is None:
                    continue
            else:
                value = any_string(variable.get("value")) or ""
            found[variable["name"]] = value
        return tuple(found.items())

    def _map(self, source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        reference = source.get("configMapRef")
        if not reference:
            raise EngineError("envFrom needs a configMapRef here")
        known = self.state.program.config_maps.get(reference.get("name") or "")
        if known is None:
            if reference.get("optional"):
                return
            raise EngineError(f'configmap "{reference.get("name")}" not found')
        prefix = source.get("prefix") or ""
        for key, value in known.items():
            yield prefix + key, any_string(value) or ""

    def _from(self, name: str, source: Mapping[str, Any]) -> str | None:
        field = (source.get("fieldRef") or {}).get("fieldPath")
        if field is not None:
            if field not in FIELDS:
                known = ", ".join(FIELDS)
                raise EngineError(f"env {name}: the field {field} is not known here; known are {known}")
            return FIELDS[field](self.state, self.node, self.processed)
        reference = source.get("configMapKeyRef")
        if reference is None:
            raise EngineError(f"env {name}: its source is not known here")
        known_map = self.state.program.config_maps.get(reference.get("name") or "")
        key = reference.get("key") or ""
        if known_map is not None and key in known_map:
            return any_string(known_map[key]) or ""
        if reference.get("optional"):
            return None
        where = f'configmap "{reference.get("name")}"'
        raise EngineError(
            f"{where} not found" if known_map is None else f"couldn't find key {key} in ConfigMap {where}"
        )
