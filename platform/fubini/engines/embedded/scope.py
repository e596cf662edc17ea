"""Where tags and expressions find values: plain names first, then steps and tasks looked up on demand.

A step's or task's variables are read from its node when asked for, so that a long chain does not copy what every
earlier step produced.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fubini.engines.embedded.tree import Node
from fubini.language import expr, gojson, tags
from fubini.language.errors import LanguageError
from fubini.language.expr.builtins import ARGO
from fubini.language.tags import MISSING
from fubini.runs.engine import NodePhase, NodeType


def rfc3339(at_ms: int) -> str:
    """A time as variables show it."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def last_attempt(node: Node) -> Node:
    """The node whose outputs count: for a Retry node its last child that is no hook."""
    if node.type is NodeType.RETRY and not (node.memo and node.memo.get("hit")):
        for child in reversed(node.children):
            if not child.hooked or child.retried:
                return child
    return node


class References:
    """The variables of the steps or tasks of one template: `prefix` is ``steps`` or ``tasks``."""

    __slots__ = ("declared", "hidden", "nodes", "prefix", "status")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: dict[str, Node | Group] = {}
        # outputs that a skipped step's template declares, by step name
        self.declared: dict[str, Mapping[str, Any]] = {}
        # the step whose hooks are looked at: of itself they see the phase alone
        self.hidden = ""
        # a phase seen by hooks, overriding the node's
        self.status: dict[str, str] = {}

    def lookup(self, name: str) -> Any:
        """The value of a full variable name, an artifact as a dict."""
        parts = name.split(".", 2)
        if len(parts) < 3 or parts[0] != self.prefix:
            return MISSING
        if parts[2] == "status" and parts[1] in self.status:
            return self.status[parts[1]]
        found = self.nodes.get(parts[1])
        if found is None or parts[1] == self.hidden:
            return MISSING
        value = found.lookup(parts[2]) if isinstance(found, Group) else node_variable(found, parts[2])
        if value is MISSING and parts[1] in self.declared:
            return self.declared[parts[1]].get(parts[2], MISSING)
        return value

    def flat(self, words: frozenset[str], *, artifacts: bool) -> dict[str, Any]:
        """All variables of the steps an expression mentions, by full name."""
        out: dict[str, Any] = {}
        names = [word for word in words if word in self.nodes or word in self.status]
        if not names:  # computed names: offer everything
            names = list(self.nodes)
        if self.hidden in self.status and self.hidden not in names:  # a loop's item shows its phase under its own name
            names.append(self.hidden)
        for name in names:
            start = f"{self.prefix}.{name}."
            found = self.nodes.get(name) if name != self.hidden else None
            values = {} if found is None else found.flat() if isinstance(found, Group) else node_variables(found)
            for key, value in (*self.declared.get(name, {}).items(), *values.items()):
                if artifacts or not isinstance(value, Mapping):
                    out[start + key] = value
            if name in self.status:
                out[start + "status"] = self.status[name]
        return out


class Group:
    """The variables of an expanded step or task: its items' outputs, aggregated when first asked for."""

    __slots__ = ("_values", "members", "node")

    def __init__(self, node: Node, members: list[Node]) -> None:
        self.node = node
        self.members = members
        self._values: dict[str, str] | None = None

    @property
    def values(self) -> dict[str, str]:
        if self._values is None:
            # By item, not by when they were made: members that ran again come last in the tree.
            self._values = aggregate(sorted(self.members, key=_item_place))
        return self._values

    def lookup(self, name: str) -> Any:
        if name.startswith("outputs."):
            value = self.values.get(name)
            if value is not None:
                return value
        return node_variable(self.node, name)

    def flat(self) -> dict[str, Any]:
        return {**node_variables(self.node), **self.values}


def _item_place(member: Node) -> int:
    """The number of a loop's item, which its node shows as ``name(3:value)``."""
    number = member.display.partition("(")[2].partition(":")[0].rstrip(")")
    return int(number) if number.isdigit() else 0


def node_variable(node: Node, name: str) -> Any:
    """One variable of a step by the part of its name after the step's."""
    node = last_attempt(node)
    if name == "status":
        return node.phase.value
    if name == "id":
        return node.id
    if name == "ip" and node.address:
        return node.address
    outputs = node.outputs
    if outputs is not None:
        if name == "outputs.result":
            return outputs.get("result", MISSING)
        if name == "exitCode":
            return outputs.get("exitCode", MISSING)
        if name.startswith("outputs.parameters."):
            wanted = name[19:]
            for parameter in outputs.get("parameters") or ():
                if parameter["name"] == wanted and parameter.get("value") is not None:
                    return parameter["value"]
        elif name.startswith("outputs.artifacts."):
            wanted = name[18:]
            for artifact in outputs.get("artifacts") or ():
                if artifact["name"] == wanted:
                    return artifact
    if name == "startedAt" and node.started is not None:
        return rfc3339(node.started)
    if name == "finishedAt" and node.finished is not None:
        return rfc3339(node.finished)
    return MISSING


def node_variables(node: Node) -> dict[str, Any]:
    """All variables of a step."""
    names = ["id", "status", "exitCode", "outputs.result", "startedAt", "finishedAt", "ip"]
    outputs = last_attempt(node).outputs or {}
    names += [f"outputs.parameters.{p['name']}" for p in outputs.get("parameters") or ()]
    names += [f"outputs.artifacts.{a['name']}" for a in outputs.get("artifacts") or ()]
    found = {name: node_variable(node, name) for name in names}
    return {name: value for name, value in found.items() if value is not MISSING}


def aggregate(members: list[Node]) -> dict[str, str]:
    """The outputs of a loop's items as JSON texts.

    Raises:
        LanguageError: an item's result is not JSON.
    """
    every: list[dict[str, str]] = []
    lists: dict[str, list[str]] = {}
    results: list[Any] = []
    counted = 0
    for node in members:
        if node.hooked or node.retried:
            continue
        counted += 1
        if node.outputs is None or node.phase is not NodePhase.SUCCEEDED:
            continue
        parameters = node.outputs.get("parameters") or ()
        if parameters:
            every.append({p["name"]: p.get("value") or "" for p in parameters})
            for parameter in parameters:
                lists.setdefault(parameter["name"], []).append(parameter.get("value") or "")
        result = node.outputs.get("result")
        if result is not None:
            results.append(gojson.Raw(gojson.compact(result)))
    if not members:
        return {}
    out = {"outputs.result": gojson.dumps(results), "outputs.parameters": gojson.dumps(every)}
    for name, values in lists.items():
        out[f"outputs.parameters.{name}"] = gojson.dumps(_structured(values) or values)
    return out


def _structured(values: list[str]) -> list[Any] | None:
    """The values as JSON maps and lists, when all of them are."""
    out: list[Any] = []
    for value in values:
        if value.lstrip()[:1] not in ("{", "["):
            return None
        try:
            out.append(gojson.loads(value))
        except LanguageError:
            return None
    return out


class VariableScope:
    """Layers of plain names over references over globals."""

    __slots__ = ("globals", "local", "references")

    def __init__(
        self, globals_: Mapping[str, Any], local: Mapping[str, Any], references: References | None = None
    ) -> None:
        self.globals = globals_
        self.local = local
        self.references = references

    def lookup(self, name: str) -> Any:
        value = self.local.get(name, MISSING)
        if value is MISSING and self.references is not None:
            value = self.references.lookup(name)
            if isinstance(value, Mapping):
                value = MISSING
        if value is MISSING:
            value = self.globals.get(name, MISSING)
        return value if not isinstance(value, Mapping) else MISSING

    def environment(self, text: str) -> Mapping[str, Any]:
        return self.names(text, artifacts=False)

    def names(self, text: str, *, artifacts: bool) -> dict[str, Any]:
        """Nested names for an expression, limited to the roots it mentions."""
        words = tags.words(text)
        flat: dict[str, Any] = {}
        for layer in (self.globals, self.local):
            for key, value in layer.items():
                if key.partition(".")[0] in words and (artifacts or not isinstance(value, Mapping)):
                    flat[key] = value
        if self.references is not None and self.references.prefix in words:
            flat.update(self.references.flat(words, artifacts=artifacts))
        out = tags.expand(flat)
        out.update(ARGO)
        return out


def evaluate_bool(text: str, scope: VariableScope) -> bool:
    """A hook's, retry's or exit handler's condition.

    Raises:
        LanguageError: worded as Argo words it.
    """
    try:
        node = expr.parse(text)
        names = scope.names(text, artifacts=False)
        expr.compile_check(node, names)
    except LanguageError as error:
        raise LanguageError(error.located(text)) from None
    return expr.evaluate_bool(node, names, text)


def evaluate_any(text: str, scope: VariableScope) -> Any:
    """The value of a `valueFrom.expression` or `fromExpression`; artifacts are maps."""
    try:
        node = expr.parse(text)
        names = scope.names(text, artifacts=True)
        expr.compile_check(node, names)
        return expr.evaluate(node, names)
    except LanguageError as error:
        raise LanguageError(error.located(text)) from None
