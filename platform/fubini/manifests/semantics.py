"""Semantic check: would Argo's controller accept this manifest at submit?

Walks the templates as the controller does - the entrypoint, then onExit, then all others in order; each template once,
each call again for its arguments - because what a variable means depends on that order: a global output is known only
after a step that makes it. Where the controller stops at the first error, this goes on and reports all.
Beyond the controller, it refuses what makes Argo panic or wait for ever, as far as that can be seen.
No recursion: checks are generators that yield the checks they need first.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from fubini.common.saying import say
from fubini.manifests.arguments import check_arguments, check_config_maps, check_names, check_supplied
from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.findings import Severity, nearest, show
from fubini.manifests.graphs import check_dag, check_steps
from fubini.manifests.leaves import LeafCheck
from fubini.manifests.library import Base, Library, Template, make_base
from fubini.manifests.load import Path
from fubini.manifests.outputs import check_outputs
from fubini.manifests.references import References
from fubini.manifests.scope import ANY_GLOBAL_ARTIFACT, Scope, Tag, tags_in
from fubini.manifests.sharing import check_memoize, check_synchronization, own_mutexes
from fubini.manifests.structure import TEMPLATE_TYPES, check_template_shape

Check = Generator["Check", None, None]
Supplied = Mapping[str, Any] | None  # a caller's `arguments`; None = everything is supplied

_ALWAYS_GLOBAL = (
    "workflow.name",
    "workflow.namespace",
    "workflow.mainEntrypoint",
    "workflow.serviceAccountName",
    "workflow.uid",
    "workflow.status",
    "workflow.annotations",
    "workflow.annotations.json",
    "workflow.labels",
    "workflow.labels.json",
)


def run_check(check: Check) -> None:
    """Drive a check and all it needs, depth first, without Python's stack."""
    stack = [check]
    while stack:
        try:
            stack.append(next(stack[-1]))
        except StopIteration:
            stack.pop()


class Semantics:
    """The check of one manifest. `values` are the parameter values a run would start with, where known."""

    def __init__(
        self, source: Source, library: Library, values: Mapping[str, str], *, submit: bool, values_later: bool,
        max_items: int,
    ):  # fmt: skip
        self.source = source
        self.library = library
        self.base = make_base(source, "local/")
        self.references = References(self.base, library, values)
        self.values = self.references.values
        self.submit = submit
        self.max_items = max_items
        self.template_kind = source.kind in ("WorkflowTemplate", "ClusterWorkflowTemplate")
        self.values_later = values_later or (self.template_kind and not submit)
        self._referred_base: Base | None = None
        self.globals: set[str] = set(_ALWAYS_GLOBAL)
        self._reached: dict[Source, set[Path]] = {}  # templates of the library that were walked
        self._seen: set[tuple[str, str]] = set()
        self._static: set[int] = set()
        self._globals_of: set[int] = set()
        self._tags: dict[int, list[Tag]] = {}  # by identity of a container of the documents, which stay alive

    # -- the whole manifest --------------------------------------------------------------------------------------

    def check(self) -> None:
        spec = self.base.spec
        reference = spec.get("workflowTemplateRef")
        referred: Base | None = None
        check_names(self.source, ("spec", "templates"), spec.get("templates"), "template")
        if isinstance(reference, dict):
            referred = self._referred(reference, spec)
            if referred is None:
                return
            self._referred_base = referred
        self._run_arguments(spec, referred)
        self._add_globals(spec, referred)
        entry_base = referred or self.base
        entrypoint = text(spec.get("entrypoint")) or (text(referred.spec.get("entrypoint")) if referred else "")
        lenient_kind = self.template_kind and not self.submit
        misspelt = any(key != "entrypoint" and key.lower() == "entrypoint" for key in spec)
        if not entrypoint and not lenient_kind and spec.get("entrypoint") in (None, "") and not misspelt:
            self.source.error(
                "no-entrypoint", ("spec", "entrypoint"), "entrypoint is missing.", found="nothing",
                allowed="the name of a template: " + ", ".join(list(entry_base.templates)[:20]),
                help_text="Add 'entrypoint:' under spec.",
            )  # fmt: skip
        arguments = self._arguments_of_run(spec, referred)
        if entrypoint:
            supplied = None if lenient_kind else arguments
            run_check(self._named(entry_base, entrypoint, ("spec", "entrypoint"), supplied, entry=True))
        on_exit = text(spec.get("onExit")) or (text(referred.spec.get("onExit")) if referred else "")
        if on_exit:
            self.globals.add("workflow.failures")
            if self._parametrized_global_artifacts(self.base) or (
                referred is not None and self._parametrized_global_artifacts(referred)
            ):
                self.globals.add(ANY_GLOBAL_ARTIFACT)
            run_check(self._named(entry_base, on_exit, ("spec", "onExit"), mapping(spec.get("arguments"))))
        self._hook_expressions(self.base, ("spec", "hooks"), spec.get("hooks"), "error")
        self._pod_resources(("spec", "podResources"), spec.get("podResources"), self.source)
        for template in entry_base.order:
            run_check(self.call(template, None, self.source, template.path))
            if self.source.collector.full:
                return
        section = spec.get("synchronization")
        check_synchronization(self.source, ("spec", "synchronization"), section, self.library, whole_run=True)

    def reached_in_library(self) -> dict[Source, set[Path]]:
        """Which templates of the library the manifest uses, by manifest."""
        return self._reached

    def inherited_parameters(self) -> list[Any]:
        """Parameters declared by the template of `workflowTemplateRef`."""
        if self._referred_base is None:
            return []
        return listing(mapping(self._referred_base.spec.get("arguments")).get("parameters"))

    def _referred(self, reference: dict[str, Any], spec: dict[str, Any]) -> Base | None:
        path: Path = ("spec", "workflowTemplateRef")
        if listing(spec.get("templates")):
            self.source.error(
                "templates-and-ref", ("spec", "templates"), "A manifest with workflowTemplateRef has no own templates.",
                found="both", allowed="one of them",
                help_text="Delete templates, or delete workflowTemplateRef and call its templates by templateRef.",
            )  # fmt: skip
        name, cluster = text(reference.get("name")), reference.get("clusterScope") is True
        found = self.library.base(name, cluster=cluster)
        if found is None:
            kind = "ClusterWorkflowTemplate" if cluster else "WorkflowTemplate"
            self.source.error(
                "unknown-workflow-template", (*path, "name"), say(
                    "There is no {kind} {name!r}.",
                    kind=kind, name=show(name),
                ),
                found=show(name) or "nothing",
                allowed=", ".join(self.library.names(cluster=cluster)[:20]) or say(
                    "no {kind} is known here",
                    kind=kind,
                ),
                close=name, known=self.library.names(cluster=cluster),
                help_text="Upload it first."
                if self.library.base(name, cluster=not cluster) is None
                else say("There is one of that name with clusterScope: {what}.", what='false' if cluster else 'true'),
            )  # fmt: skip
        return found

    def _run_arguments(self, spec: dict[str, Any], referred: Base | None) -> None:
        later = self.values_later
        parameters = listing(mapping(spec.get("arguments")).get("parameters"))
        own = {p["name"] for p in parameters if isinstance(p, dict) and isinstance(p.get("name"), str)}
        filled = dict(mapping(spec.get("arguments")))
        filled["parameters"] = [
            {**p, "value": self.values[p["name"]]}
            if isinstance(p, dict) and isinstance(p.get("name"), str) and p["name"] in self.values
            else p
            for p in parameters
        ]
        inherited: dict[str, Any] = {}
        if referred is not None:
            # What the referred template declares counts, unless the manifest says otherwise.
            for p in listing(mapping(referred.spec.get("arguments")).get("parameters")):
                if isinstance(p, dict) and isinstance(p.get("name"), str):
                    inherited[p["name"]] = p
            filled["parameters"] = [
                {**inherited.get(p["name"], {}), **p} if isinstance(p, dict) and isinstance(p.get("name"), str) else p
                for p in filled["parameters"]
            ]
        check_arguments(self.source, ("spec", "arguments"), filled, values_later=later)
        check_config_maps(self.source, self.library, filled["parameters"])
        for name, parameter in inherited.items():
            if name in own or name in self.values:
                continue
            if parameter.get("value") is None and parameter.get("valueFrom") is None and not later:
                self.source.error(
                    "no-value", ("spec", "arguments"),
                    say(
                        "The parameter {name!r} of the referred template has no value.",
                        name=show(name),
                    ), found="nothing",
                    allowed="value or valueFrom",
                    help_text=say(
                        "Add spec.arguments.parameters '- name: {name}' with a value, or give it at submit.",
                        name=show(name),
                    ),
                )  # fmt: skip

    def _arguments_of_run(self, spec: dict[str, Any], referred: Base | None) -> dict[str, Any]:
        own = mapping(spec.get("arguments"))
        theirs = mapping(referred.spec.get("arguments")) if referred else {}
        merged: dict[str, list[Any]] = {"parameters": [], "artifacts": []}
        for kind, items in merged.items():
            seen: set[Any] = set()
            for item in (*listing(own.get(kind)), *listing(theirs.get(kind))):
                if isinstance(item, dict) and isinstance(item.get("name"), str) and item["name"] not in seen:
                    seen.add(item["name"])
                    items.append(item)
            if kind == "parameters":
                items[:] = [{**p, "value": self.values[p["name"]]} if p["name"] in self.values else p for p in items]
                items += [{"name": n, "value": v} for n, v in self.values.items() if n not in seen]
        for parameter in merged["parameters"]:
            if isinstance(parameter.get("value"), str):
                self.values.setdefault(parameter["name"], parameter["value"])
        if self.values_later:  # each run will give what is open now
            merged["parameters"] = [
                p if p.get("value") is not None else {**p, "value": ""} for p in merged["parameters"]
            ]
        return merged

    def _add_globals(self, spec: dict[str, Any], referred: Base | None) -> None:
        known = self.globals
        bases = [self.base] if referred is None else [self.base, referred]
        names = list(self.values)
        for base in bases:
            names += [
                p["name"]
                for p in listing(mapping(base.spec.get("arguments")).get("parameters"))
                if isinstance(p, dict) and isinstance(p.get("name"), str)
            ]
            extra = mapping(base.spec.get("workflowMetadata"))
            known.update(f"workflow.annotations.{k}" for k in mapping(extra.get("annotations")))
            known.update(f"workflow.labels.{k}" for k in mapping(extra.get("labels")))
            known.update(f"workflow.labels.{k}" for k in mapping(extra.get("labelsFrom")))
        if names:
            known.update(("workflow.parameters", "workflow.parameters.json"))
            known.update(f"workflow.parameters.{n}" for n in names)
        metadata = mapping(self.source.document.get("metadata"))
        known.update(f"workflow.annotations.{k}" for k in mapping(metadata.get("annotations")))
        known.update(f"workflow.labels.{k}" for k in mapping(metadata.get("labels")))
        if spec.get("priority") is not None:
            known.add("workflow.priority")

    @staticmethod
    def _parametrized_global_artifacts(base: Base) -> bool:
        return any(
            "{{" in text(artifact.get("globalName"))
            for template in base.order
            for artifact in template.output_artifacts.values()
        )

    def entry_base(self) -> Base:
        return self._referred_base or self.base

    # -- finding templates ---------------------------------------------------------------------------------------

    def _named(self, base: Base, name: str, path: Path, supplied: Supplied, *, entry: bool = False) -> Check:
        """The entrypoint or onExit template, by name."""
        name = self.references.substituted(name)
        template = base.templates.get(name)
        if template is None:
            self.source.error(
                "unknown-template", path, say("There is no template {name!r}.", name=show(name)), found=show(name),
                allowed=", ".join(list(base.templates)[:20]) or "no templates are defined", close=name,
                known=base.templates,
                help_text="Use the name of a template, or add one with this name.",
            )  # fmt: skip
            return
        yield self.call(template, supplied, self.source, path, entry=entry)

    # -- one template --------------------------------------------------------------------------------------------

    def call(self, template: Template, supplied: Supplied, caller: Source, path: Path, *, entry: bool = False) -> Check:
        """Check a call of a template at `path`, and the template itself the first time it is met."""
        if template.base is not self.base and not template.inline:
            self._reached.setdefault(template.base.source, set()).add(template.path)
        key = (template.base.scope, template.name)
        # Argo checks only the first inline template of a manifest; in the others our findings are warnings.
        severity: Severity = "warning" if template.inline and key in self._seen else "error"
        if id(template) not in self._static:
            self._static.add(id(template))
            if not self._shape(template, severity):
                return
        elif not template.types:
            return
        if supplied is not None:
            check_supplied(caller, path, template, supplied, severity=severity)
        if template.inline:
            key = (template.base.scope, f"{template.name}#{id(template.body)}")
            if key in self._seen:
                return
            self._seen.add((template.base.scope, template.name))
        elif key in self._seen:
            return
        self._seen.add(key)
        if self.source.collector.full:
            return
        outer_values = self.references.entry_values
        if entry and supplied is not None:
            self.references.entry_values = {
                f"inputs.parameters.{name}": parameter[key]
                for name, parameter in template.input_parameters.items()
                for key in ("default", "value")
                if isinstance(parameter.get(key), str)
            } | {
                f"inputs.parameters.{p['name']}": p["value"]
                for p in listing(supplied.get("parameters"))
                if isinstance(p, dict) and isinstance(p.get("value"), str)
            }
        elif not template.inline:  # an inline one is filled in with the values around it
            self.references.entry_values = {}
        scope = self._scope(template)
        if template.type == "steps":
            yield check_steps(self, template, scope, severity)
        elif template.type == "dag":
            yield check_dag(self, template, scope, severity)
        else:
            self.check_tags(template, scope, template.body, template.path, severity)
            LeafCheck(template, severity).check()
        self.references.entry_values = outer_values
        check_outputs(template, severity)
        if template.type in ("steps", "dag"):
            outputs = template.body.get("outputs")
            self.check_tags(template, scope, outputs, (*template.path, "outputs"), severity)

    def settled(self, template: Template, supplied: Supplied, caller: Source, path: Path) -> bool:
        """The short way for a template that was checked before: only this call's arguments are looked at."""
        if template.inline or (template.base.scope, template.name) not in self._seen or not template.types:
            return False
        if id(template) not in self._static:
            return False
        if supplied is not None and (template.required_parameters or template.required_artifacts):
            check_supplied(caller, path, template, supplied)
        return True

    def _shape(self, template: Template, severity: Severity) -> bool:
        """What is wrong with a template whoever calls it; False when it is no template at all."""
        source, path, body = template.base.source, template.path, template.body
        if not template.types:
            source.add(
                severity, "no-type", path, "The template does not say what it runs.",
                found=", ".join(show(k) for k in list(body)[:10]) or "nothing",
                allowed="one of " + ", ".join(TEMPLATE_TYPES), help_text="Add one of them, such as container.",
            )  # fmt: skip
            return False
        if template.inline or template.base is not self.base:
            check_template_shape(source, path, body)
        self._inputs(template, severity)
        self._pod_resources((*path, "podResources"), body.get("podResources"), source, severity)
        timeout = text(body.get("timeout"))
        if timeout and template.leaf and timeout.lstrip("+-").isdigit():
            source.add(
                severity, "duration", (*path, "timeout"), "timeout needs a unit.", found=show(timeout),
                allowed="a duration with a unit, such as 30s, 10m or 2h", help_text=say(
                    "Write '{timeout}s'.",
                    timeout=show(timeout),
                ),
            )  # fmt: skip
        if text(body.get("timeout")) and not template.leaf and template.type == "suspend":
            source.add(
                severity, "leaf-only", (*path, "timeout"), "timeout is not for suspend templates.", found="timeout",
                allowed="suspend.duration", help_text="Use suspend.duration.",
            )  # fmt: skip
        if text(body.get("pendingTimeout")) and not template.leaf:
            source.add(
                severity, "leaf-only", (*path, "pendingTimeout"), "pendingTimeout is only for leaf templates.",
                found=f"pendingTimeout on a {template.type} template", allowed="container, script and other leaves",
                help_text="Move it to the leaf templates.",
            )  # fmt: skip
        held = own_mutexes(self.entry_base().spec) | own_mutexes(self.base.spec)
        section = body.get("synchronization")
        check_synchronization(source, (*path, "synchronization"), section, self.library, whole_run=False, held=held)
        check_memoize(source, (*path, "memoize"), body.get("memoize"))
        plugin = body.get("plugin")
        if isinstance(plugin, dict) and len(plugin) != 1:
            source.error(
                "plugin-keys", (*path, "plugin"), "A plugin has exactly one key; others crash Argo's controller.",
                found=", ".join(show(k) for k in list(plugin)[:10]) or "no key", allowed="one key: the plugin's name",
                help_text="Put the plugin's settings below its name.",
            )  # fmt: skip
        return True

    def _inputs(self, template: Template, severity: Severity) -> None:
        source, path = template.base.source, (*template.path, "inputs")
        inputs = mapping(template.body.get("inputs"))
        check_names(source, (*path, "parameters"), inputs.get("parameters"), "parameter", severity=severity)
        check_names(source, (*path, "artifacts"), inputs.get("artifacts"), "artifact", severity=severity)
        for index, artifact in enumerate(listing(inputs.get("artifacts"))):
            if not isinstance(artifact, dict):
                continue
            at = (*path, "artifacts", index)
            name = show(artifact.get("name"))
            if template.leaf and not text(artifact.get("path")):
                source.add(
                    severity, "artifact-path", at, say(
                        "The input artifact {name!r} has no path.",
                        name=name,
                    ), found="no path",
                    allowed="an absolute path in the container", help_text=say("Add 'path: /tmp/{name}'.", name=name),
                )  # fmt: skip
            elif not template.leaf and text(artifact.get("path")):
                source.add(
                    severity, "artifact-path", (*at, "path"), say(
                        "A {type} template has no paths.",
                        type=template.type,
                    ),
                    found=show(artifact.get("path")), allowed="a name alone",
                    help_text="Delete path; the leaf template that reads the artifact has it.",
                )  # fmt: skip
            if text(artifact.get("from")):
                source.add(
                    severity, "input-from", (*at, "from"), "An input artifact has no from.",
                    found=show(artifact.get("from")), allowed="a name; the caller says where it comes from",
                    help_text="Move from to the step's arguments.artifacts.",
                )  # fmt: skip

    def _pod_resources(self, path: Path, resources: Any, source: Source, severity: Severity = "error") -> None:
        held = mapping(resources)
        if listing(held.get("claims")):
            source.add(
                severity, "pod-resources", (*path, "claims"), "podResources has no claims.", found="claims",
                allowed="requests and limits of cpu, memory and hugepages-*", help_text="Use resourceClaims.",
            )  # fmt: skip
        for kind in ("limits", "requests"):
            for name in mapping(held.get(kind)):
                if name not in ("cpu", "memory") and not name.startswith("hugepages-"):
                    source.add(
                        severity, "pod-resources", (*path, kind, name), "podResources cannot have this resource.",
                        found=show(name), allowed="cpu, memory and hugepages-*",
                        help_text="Ask for it in the container's resources.",
                    )  # fmt: skip

    def _hook_expressions(self, base: Base, path: Path, hooks: Any, severity: Severity) -> None:
        for name, hook in mapping(hooks).items():
            if name != "exit" and not text(mapping(hook).get("expression")):
                base.source.add(
                    severity, "hook-expression", (*path, name), say(
                        "The hook {name!r} has no expression.",
                        name=show(name),
                    ),
                    found="no expression", allowed="an expression; only the hook 'exit' goes without",
                    close=name, known=["exit"],
                    help_text="Add 'expression:', such as steps['NAME'].status == \"Running\".",
                )  # fmt: skip

    def hooks(self, template: Template, path: Path, holder: dict[str, Any], severity: Severity) -> None:
        self._hook_expressions(template.base, (*path, "hooks"), holder.get("hooks"), severity)

    # -- variables -----------------------------------------------------------------------------------------------

    def _scope(self, template: Template) -> Scope:
        names: set[str] = set()
        if template.type in ("container", "containerSet", "script", "resource", "data"):
            names.add("pod.name")
        if template.body.get("retryStrategy") is not None:
            names.add("retries")
        level: Template | None = template
        while level is not None:  # an inline template also sees what the templates around it take
            names.update(f"inputs.parameters.{n}" for n in level.input_parameters)
            if level.input_parameters:
                names.add("inputs.parameters")
            if level is template:
                names.update(f"inputs.artifacts.{n}" for n in level.input_artifacts)
            names.update(f"inputs.artifacts.{n}.path" for n in level.input_artifacts if template.leaf)
            level = level.outer
        alone = self.template_kind and not self.submit
        return Scope(self.globals, names, {"steps": "steps", "dag": "tasks"}.get(template.type, ""), {}, alone)

    def add_globals_of(self, template: Template, scope: Scope) -> None:
        """A step's global outputs are known to everything that is checked after it."""
        if id(template) in self._globals_of:
            return
        fixed = True
        for kind, items in (("parameters", template.output_parameters), ("artifacts", template.output_artifacts)):
            for item in items.values():
                name = text(item.get("globalName"))
                if "{{" in name:
                    scope.names.add(say("workflow.outputs.{kind}.*", kind=kind))
                    fixed = False
                elif name:
                    self.globals.add(say("workflow.outputs.{kind}.{name}", kind=kind, name=name))
        if fixed:
            self._globals_of.add(id(template))

    def tags(self, value: Any, path: Path) -> list[Tag]:
        """The tags below a container, found once however often they are asked for."""
        if not isinstance(value, dict | list):
            return list(tags_in(value, path))
        found = self._tags.get(id(value))
        if found is None:
            found = self._tags[id(value)] = list(tags_in(value, path))
        return found

    def check_tags(
        self,
        template: Template,
        scope: Scope,
        value: Any,
        path: Path,
        severity: Severity,
        extra: set[str] | frozenset[str] = frozenset(),
    ) -> None:
        judged: set[tuple[Path, str]] = set()
        for tag in self.tags(value, path):
            if tag.expression or (tag.path, tag.words) in judged:
                continue
            judged.add((tag.path, tag.words))
            if not scope.has(self.references.flat(tag), extra):
                self.unresolved(template, scope, tag, severity, extra)
            if self.source.collector.full:
                return

    def unresolved(
        self, template: Template, scope: Scope, tag: Tag, severity: Severity, extra: set[str] | frozenset[str]
    ) -> None:
        source = template.base.source
        words = show(tag.trimmed)
        if not tag.closed:
            source.add(
                severity, "unclosed-variable", tag.path, "The braces of a variable are not closed.",
                found="{{" + words, allowed="{{name}}", help_text="Close it with '}}'.",
            )  # fmt: skip
            return
        known = scope.known(tag.trimmed, extra)
        close = nearest(tag.trimmed, known)
        advice = _advice(tag.trimmed, template, scope)
        source.add(
            severity, "unknown-variable", tag.path, say(
                "{{{{{words}}}}} cannot be resolved.",
                words=words,
            ), found="{{" + words + "}}",
            allowed=_allowed(known), close=close, known=[close],
            help_text=say(
                "Did you mean {{{{{close}}}}}? Otherwise: {lower}{advice}",
                close=show(close), lower=advice[:1].lower(), advice=advice[1:],
            )
            if close
            else advice,
        )  # fmt: skip


def _allowed(known: Sequence[str]) -> str:
    if not known:
        return "nothing of that kind is known here"
    return ", ".join("{{" + show(n) + "}}" for n in sorted(known)[:12]) + (" and others" if len(known) > 12 else "")


def _advice(tag: str, template: Template, scope: Scope) -> str:
    root = tag.split(".", 1)[0]
    parts = tag.split(".")
    if "{{" in tag:
        return "A variable inside another must have a value at submit; use an expression: {{=...}}."
    if root == "inputs":
        name = show(parts[2]) if len(parts) > 2 else "NAME"
        kind = "artifacts" if len(parts) > 1 and parts[1] == "artifacts" else "parameters"
        return f"Declare it in the template: inputs.{kind}, '- name: {name}'."
    if root in ("steps", "tasks"):
        if not scope.root:
            return "A leaf does not see other steps: pass the value as an input parameter."
        if root != scope.root:
            return f"In a {template.type} template write {scope.root}. instead of {root}."
        name = parts[1] if len(parts) > 1 else ""
        if name in scope.nodes:
            return f"Declare the output in the template that {show(name)!r} runs, or use one it has."
        if scope.root == "steps":
            return "Refer to a step of an earlier group."
        return "Refer to a task of this dag."
    if root == "item" and tag[5:].lower() in ("y", "n", "yes", "no", "on", "off"):
        return f"YAML reads the bare word {show(tag[5:])} as true or false: put the item's key in quotes."
    if root == "item":
        return "Use {{item}} for plain items, and {{item.KEY}} for a key that the items have."
    if tag.startswith("workflow.parameters."):
        return f"Declare it: spec.arguments.parameters, '- name: {show(tag[20:])}'."
    if tag.startswith("workflow.outputs."):
        return "Give an output of an earlier step this globalName."
    return "Use one of the allowed variables."
