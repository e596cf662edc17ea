"""What a run executes: the manifest joined with the templates it refers to, normalised once and analysed once.

Values of parameters become text here as Go reads them (numbers pass through float64). Templates are found by
`TemplateBase` (the workflow itself, or a WorkflowTemplate of the library) and cached with their defaults merged in.
Nothing here changes while the run goes on.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from fubini.language import gojson, tags
from fubini.language.depends import ContinueOn, Depends, of_dependencies
from fubini.language.depends import parse as parse_depends
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase

TEMPLATE_TYPES = (
    "container",
    "containerSet",
    "steps",
    "script",
    "resource",
    "dag",
    "suspend",
    "data",
    "http",
    "plugin",
)


class ProgramError(Exception):
    """Something the manifest refers to does not exist or does not fit; the message is Argo's."""


def any_string(value: Any) -> str | None:
    """A YAML scalar as the text Go makes of it; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return gojson.plain_float(float(value))
    return gojson.dumps(value)


def merge(base: Any, over: Any, key: str = "") -> Any:
    """Kubernetes' strategic merge for the fields that templates use: maps deeply, named lists by their key."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        out = dict(base)
        for name, value in over.items():
            out[name] = merge(base[name], value, name) if name in base else value
        return out
    by = {"env": "name", "volumes": "name", "volumeMounts": "mountPath", "parameters": "name", "artifacts": "name"}
    if isinstance(base, list) and isinstance(over, list) and key in by:
        field = by[key]
        found = {entry.get(field): entry for entry in base if isinstance(entry, Mapping)}
        merged = [merge(found[e.get(field)], e) if e.get(field) in found else e for e in over]
        named = {e.get(field) for e in over}
        return merged + [e for e in base if e.get(field) not in named]
    return over


def normalise_io(section: Any) -> None:
    """Values and defaults of inputs, outputs or arguments become text, in place."""
    if not isinstance(section, dict):
        return
    for parameter in section.get("parameters") or ():
        for field in ("value", "default"):
            if field in parameter:
                parameter[field] = any_string(parameter[field])
                if parameter[field] is None:
                    del parameter[field]
        source = parameter.get("valueFrom")
        if isinstance(source, dict) and "default" in source:
            source["default"] = any_string(source["default"])
            if source["default"] is None:
                del source["default"]


def _holders(template: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group in template.get("steps") or ():
        yield from group if isinstance(group, list) else (group.get("steps") or ())
    yield from (template.get("dag") or {}).get("tasks") or ()


def _normalise_hooks(holder: Mapping[str, Any]) -> None:
    for hook in (holder.get("hooks") or {}).values():
        if isinstance(hook, dict):
            normalise_io(hook.get("arguments"))


def normalise_template(template: dict[str, Any]) -> None:
    """One template and what is written inline in it, in place."""
    normalise_io(template.get("inputs"))
    normalise_io(template.get("outputs"))
    for holder in _holders(template):
        normalise_io(holder.get("arguments"))
        _normalise_hooks(holder)
        if isinstance(holder.get("inline"), dict):
            normalise_template(holder["inline"])


def normalise_spec(spec: dict[str, Any]) -> None:
    """A workflow's or workflow template's spec, in place."""
    normalise_io(spec.get("arguments"))
    _normalise_hooks(spec)
    for template in spec.get("templates") or ():
        normalise_template(template)
    if isinstance(spec.get("templateDefaults"), dict):
        normalise_template(spec["templateDefaults"])


# --- one template -----------------------------------------------------------------------------------------------

_RESULT = re.compile(r"(?:steps|tasks)(?:\.([-\w]+)|\[['\\\"]+([-\w]+)['\\\"]+\])\.outputs\.result")


class Template:
    """One template with its defaults merged in, and what can be known of it before it runs."""

    def __init__(self, body: Mapping[str, Any], base: TemplateBase) -> None:
        self.body = body
        self.base = base
        self.name: str = body.get("name") or ""
        self._plain: dict[int, tuple[Any, bool]] = {}

    @cached_property
    def kind(self) -> str:
        for kind in TEMPLATE_TYPES:
            if self.body.get(kind) is not None:
                return kind
        return ""

    @property
    def is_pod(self) -> bool:
        return self.kind in ("container", "script", "containerSet", "data", "resource")

    @property
    def is_daemon(self) -> bool:
        """Whether its leaf serves others and is not waited for."""
        return self.body.get("daemon") is True

    @cached_property
    def inputs(self) -> Mapping[str, Any]:
        return self.body.get("inputs") or {}

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        return self.body.get("outputs") or {}

    @cached_property
    def has_inputs(self) -> bool:
        return bool(self.inputs.get("parameters") or self.inputs.get("artifacts"))

    @cached_property
    def steps(self) -> list[list[Mapping[str, Any]]]:
        groups = self.body.get("steps") or []
        return [group if isinstance(group, list) else group.get("steps") or [] for group in groups]

    @cached_property
    def captured(self) -> frozenset[str]:
        """Names of the steps or tasks whose result this template mentions."""
        text = gojson.dumps(self.body)
        return frozenset(a or b for a, b in _RESULT.findall(text))

    @cached_property
    def syntax_error(self) -> str:
        """The first expression tag that does not parse; Argo then refuses the template when it runs."""
        for text in _texts(self.body):
            for part in tags.split(text):
                if isinstance(part, tags.Tag) and part.expression is not None:
                    try:
                        tags.words(part.expression)
                    except LanguageError as error:
                        return f"failed to evaluate expression: {error.message}"
        return ""

    @cached_property
    def guarded(self) -> bool:
        """Whether its nodes ask for locks or for an earlier result before they start."""
        return bool(self.body.get("synchronization") or self.body.get("memoize"))

    @cached_property
    def impatient(self) -> bool:
        """Whether its nodes may be Pending only for so long."""
        return self.is_pod and bool(self.body.get("timeout") or self.body.get("pendingTimeout"))

    @cached_property
    def has_tags(self) -> bool:
        return any(tags.OPEN in text for text in _texts(self.body))

    def is_plain(self, part: Any) -> bool:
        """Whether a part of the body holds no tag; asked once of each."""
        found = self._plain.get(id(part))
        if found is not None and found[0] is part:
            return found[1]
        plain = not has_tags(part)
        if len(self._plain) < 1000:
            self._plain[id(part)] = (part, plain)
        return plain

    @cached_property
    def plan(self) -> DagPlan:
        """The DAG's graph, for a template whose graph has no tags."""
        return DagPlan(self.body["dag"])

    def inline_of(self, slot: str) -> Mapping[str, Any] | None:
        """The template written inside one of the steps or tasks."""
        return self._inlines.get(slot)

    @cached_property
    def _inlines(self) -> dict[str, Mapping[str, Any]]:
        return {holder["name"]: holder["inline"] for holder in _holders(self.body) if holder.get("inline")}

    @cached_property
    def fail_fast(self) -> bool:
        return self.body.get("failFast") is True

    @cached_property
    def parallelism(self) -> int:
        value = self.body.get("parallelism")
        return int(value) if value else 0


def _texts(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, str):
            if tags.OPEN in current:
                yield current
        elif isinstance(current, Mapping):
            stack.extend(v for k, v in current.items() if k != "inline")
        elif isinstance(current, (list, tuple)):
            stack.extend(current)


def has_tags(value: Any) -> bool:
    """Whether any text inside holds a tag, names of fields included."""
    stack = [value]
    while stack:
        current = stack.pop()
        kind = type(current)
        if kind is str:
            if tags.OPEN in current:
                return True
        elif kind is dict:
            stack.extend(current)
            stack.extend(current.values())
        elif kind is list or kind is tuple:
            stack.extend(current)
    return False


class DagPlan:
    """Who waits for whom in a DAG, which tasks count (targets), and in what order they are looked at."""

    def __init__(self, dag: Mapping[str, Any]) -> None:
        self.tasks: dict[str, Mapping[str, Any]] = {task["name"]: task for task in dag.get("tasks") or ()}
        continue_on = {
            name: ContinueOn(bool(c.get("error")), bool(c.get("failed")))
            for name, task in self.tasks.items()
            if (c := task.get("continueOn"))
        }
        self.depends: dict[str, Depends | None] = {}
        for name, task in self.tasks.items():
            self.depends[name] = _task_depends(task, continue_on)
        self.dependents: dict[str, list[str]] = {name: [] for name in self.tasks}
        for name, depends in self.depends.items():
            for other in depends.tasks if depends else ():
                self.dependents.setdefault(other, []).append(name)
        target = dag.get("target") or ""
        self.targets: list[str] = target.split() if target else sorted(n for n in self.tasks if not self.dependents[n])
        self.target_set = frozenset(self.targets)
        self.order = self._order()
        place = {name: index for index, name in enumerate(self.order)}
        for waiting in self.dependents.values():
            waiting.sort(key=lambda name: place.get(name, len(place)))
        self.fail_fast = dag.get("failFast") is not False

    def _order(self) -> list[str]:
        """Tasks that a target needs, dependencies first, targets by name: how Argo walks them."""
        seen: set[str] = set()
        order: list[str] = []
        for target in self.targets:
            stack: list[tuple[str, bool]] = [(target, False)]
            while stack:
                name, leaving = stack.pop()
                if leaving:
                    order.append(name)
                    continue
                if name in seen or name not in self.tasks:
                    continue
                seen.add(name)
                stack.append((name, True))
                depends = self.depends[name]
                stack.extend((other, False) for other in reversed(list(depends.tasks if depends else ())))
        return order


def _task_depends(task: Mapping[str, Any], continue_on: Mapping[str, ContinueOn]) -> Depends | None:
    if task.get("depends"):
        return parse_depends(task["depends"], continue_on)
    names: Sequence[str] = task.get("dependencies") or ()
    return of_dependencies(names, continue_on) if names else None


# --- where templates are found ----------------------------------------------------------------------------------


class TemplateBase:
    """A workflow or a workflow template, as a place where template names are looked up."""

    def __init__(self, scope: str, spec: Mapping[str, Any]) -> None:
        self.scope = scope
        self.spec = spec
        self.by_name: dict[str, Mapping[str, Any]] = {t["name"]: t for t in spec.get("templates") or () if "name" in t}
        self.cache: dict[str, Template] = {}


class Program:
    """The executed spec and all templates it can reach."""

    def __init__(self, manifest: Mapping[str, Any], library: Sequence[Mapping[str, Any]]) -> None:
        document = copy.deepcopy(dict(manifest))
        self.metadata: Mapping[str, Any] = document.get("metadata") or {}
        spec: dict[str, Any] = document.get("spec") or {}
        normalise_spec(spec)
        self.bases: dict[tuple[str, str], TemplateBase] = {}
        self.config_maps: dict[str, Mapping[str, str]] = {}
        for entry in library:
            self._shelve(entry)
        reference = spec.get("workflowTemplateRef")
        if reference:
            spec = self._join(spec, reference)
        self.spec = spec
        self.defaults: Mapping[str, Any] = spec.get("templateDefaults") or {}
        self.root = TemplateBase("local/", spec)
        self.inline: dict[int, Template] = {}
        self._originals: dict[int, Any] = {}
        for place in (self.root, *self.bases.values()):
            for template in place.spec.get("templates") or ():
                self._keep_inline(template)

    def _keep_inline(self, template: Mapping[str, Any]) -> None:
        for holder in _holders(template):
            if holder.get("inline"):
                self._originals[id(holder["inline"])] = holder["inline"]
                self._keep_inline(holder["inline"])

    def _shelve(self, entry: Mapping[str, Any]) -> None:
        kind, name = entry.get("kind"), (entry.get("metadata") or {}).get("name") or ""
        if kind == "ConfigMap":
            self.config_maps[name] = entry.get("data") or {}
        if kind not in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
            return
        spec = copy.deepcopy(dict(entry.get("spec") or {}))
        normalise_spec(spec)
        scope = "cluster" if kind == "ClusterWorkflowTemplate" else "namespaced"
        self.bases[(scope, name)] = TemplateBase(f"{scope}/{name}", spec)

    def _join(self, spec: dict[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
        """The workflow's own spec over the one it refers to."""
        base = self.base_for(reference).spec
        joined: dict[str, Any] = merge(base, spec)
        own = {p["name"]: p for p in (spec.get("arguments") or {}).get("parameters") or ()}
        inherited = (base.get("arguments") or {}).get("parameters") or ()
        if own or inherited:
            names = [p["name"] for p in inherited]
            names += [n for n in own if n not in names]
            by_name = {p["name"]: p for p in inherited}
            arguments = dict(joined.get("arguments") or {})
            arguments["parameters"] = [own[n] if "value" in own.get(n, ()) else own.get(n) or by_name[n] for n in names]
            joined["arguments"] = arguments
        if "suspend" not in spec:
            joined.pop("suspend", None)
        return joined

    def drops_disks(self, phase: NodePhase) -> bool:
        """Whether what the volumeClaimTemplates made goes when the run ends so; a failed run may be retried."""
        strategy = (self.spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
        return phase is NodePhase.SUCCEEDED or strategy == "OnWorkflowCompletion"

    def base_for(self, reference: Mapping[str, Any]) -> TemplateBase:
        """The workflow template a reference names.

        Raises:
            ProgramError: it is not in the library.
        """
        scope = "cluster" if reference.get("clusterScope") else "namespaced"
        base = self.bases.get((scope, reference.get("name") or ""))
        if base is None:
            raise ProgramError(f"workflow template {reference.get('name')} not found")
        return base

    def resolve(self, holder: Mapping[str, Any], base: TemplateBase) -> Template:
        """The template a step, task or hook means, and through its `base` where its own names are looked up.

        Raises:
            ProgramError: there is no such template.
        """
        inline = holder.get("inline")
        if inline:
            found = self.inline.get(id(inline))
            if found is None:
                found = self._prepare(inline, base)
                if id(inline) in self._originals:  # a copy with its tags replaced is used once
                    self.inline[id(inline)] = found
            return found
        reference = holder.get("templateRef")
        if reference:
            owner = self.base_for(reference)
            return self._named(owner, reference.get("template") or "", of=reference.get("name") or "")
        return self._named(base, holder.get("template") or "")

    def _named(self, base: TemplateBase, name: str, of: str = "") -> Template:
        found = base.cache.get(name)
        if found is None:
            body = base.by_name.get(name)
            if body is None:
                where = f" in workflow template {of}" if of else ""
                raise ProgramError(f"template {name} not found{where}")
            found = self._prepare(body, base)
            base.cache[name] = found
        return found

    def _prepare(self, body: Mapping[str, Any], base: TemplateBase) -> Template:
        plain = Template(body, base)
        if not plain.kind:
            raise ProgramError(f"template '{plain.name}' type is unknown")
        merged: Mapping[str, Any] = body
        pod_metadata = base.spec.get("podMetadata")
        if pod_metadata:
            merged = {**merged, "metadata": merge(pod_metadata, merged.get("metadata") or {})}
        if self.defaults:
            usable = {k: v for k, v in self.defaults.items() if k not in TEMPLATE_TYPES or k == plain.kind}
            merged = merge(usable, merged)
        return Template(merged, base) if merged is not body else plain

    @cached_property
    def hooks_see_failures(self) -> bool:
        """Whether a hook of the workflow looks at the list of failed nodes, which is long to write."""
        return "failures" in gojson.dumps(self.spec.get("hooks") or {})

    @cached_property
    def annotations(self) -> dict[str, str]:
        """`fubini.dev/*` annotations of the workflow that are defaults for every template, without the prefix."""
        found = self.metadata.get("annotations") or {}
        return {
            key.removeprefix("fubini.dev/"): any_string(value) or ""
            for key, value in found.items()
            if key.startswith("fubini.dev/") and not key.startswith("fubini.dev/input.")
        }

    @cached_property
    def exit_holder(self) -> Mapping[str, Any]:
        """The spec's `onExit` and `hooks`, as a step has them."""
        return {"onExit": self.spec.get("onExit"), "hooks": self.spec.get("hooks")}

    @cached_property
    def retry_strategy(self) -> Mapping[str, Any] | None:
        return self.spec.get("retryStrategy")
