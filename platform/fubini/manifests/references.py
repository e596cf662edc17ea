"""Finding the template that a step, a task or a hook refers to, with what is known at submit put into names.

A name may hold variables: run parameters that have a value count, and in the entrypoint template its inputs too, since
the run's arguments are their values. Whatever else stands in a name is known too late, and Argo refuses it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fubini.common.saying import say
from fubini.manifests.context import text
from fubini.manifests.findings import Severity, show
from fubini.manifests.library import Base, Library, Template
from fubini.manifests.load import Path
from fubini.manifests.scope import Tag, tags_of

Resolution = Template | Literal["dynamic", "unknown"]
_RUN_PARAMETER = "workflow.parameters."


class References:
    """Resolves references of one manifest. `values` are the run's parameter values, growing as they become known."""

    def __init__(self, base: Base, library: Library, values: Mapping[str, str]):
        self.base = base
        self.library = library
        self.values = dict(values)
        self.entry_values: Mapping[str, str] = {}  # inputs of the template at hand that are known at submit
        self._inline: dict[int, Template] = {}

    def inline_templates(self) -> list[Template]:
        """The inline templates of the submitted manifest that were met."""
        return [t for t in self._inline.values() if t.base is self.base]

    def found(self, caller: Template, holder: dict[str, Any]) -> Template | None:
        """The template a step refers to, without reporting anything."""
        inline, reference = holder.get("inline"), holder.get("templateRef")
        if isinstance(reference, dict):
            base = self.library.base(text(reference.get("name")), cluster=reference.get("clusterScope") is True)
            return base.templates.get(text(reference.get("template"))) if base else None
        if isinstance(inline, dict):
            return self._inline.get(id(inline))
        return caller.base.templates.get(text(holder.get("template")))

    def resolve(self, caller: Template, path: Path, holder: dict[str, Any], severity: Severity) -> Resolution:
        """The template a step, task or hook refers to; problems are reported at `path`."""
        base, source = caller.base, caller.base.source
        inline, reference, name = holder.get("inline"), holder.get("templateRef"), holder.get("template")
        if isinstance(reference, dict):
            return self._by_reference(caller, path, reference, text(name), severity)
        if isinstance(inline, dict) and "inline" in holder:
            found = self._inline.get(id(inline))
            if found is None:
                found = self._inline[id(inline)] = Template(base, (*path, "inline"), inline, outer=caller)
            return found
        if not isinstance(name, str) or not name:
            if name is None or name == "":
                source.add(
                    severity, "no-template", path, "Nothing says which template to run.", found="no template",
                    allowed="template, templateRef or inline", help_text="Add 'template:' with a template's name.",
                )  # fmt: skip
            return "unknown"
        known = self.substituted(name)
        template = base.templates.get(known)
        if template is None:
            variable = "{{" in known
            source.add(
                severity, "unknown-template", (*path, "template"),
                "The template's name is not known at submit." if variable else say(
                    "There is no template {known!r}.",
                    known=show(known),
                ),
                found=show(known),
                allowed="a name that is known at submit" if variable else ", ".join(list(base.templates)[:20]),
                close="" if variable else known, known=base.templates,
                help_text="Write a step for each template, and choose with 'when'."
                if variable
                else "Use the name of a template, or add one with this name.",
            )  # fmt: skip
            return "unknown"
        return template

    def _by_reference(
        self, caller: Template, path: Path, reference: dict[str, Any], name: str, severity: Severity
    ) -> Resolution:
        source = caller.base.source
        at = (*path, "templateRef")
        if name:
            source.add(
                severity, "template-and-ref", (*path, "template"), "There are both template and templateRef.",
                found="both", allowed="one of them", help_text="Delete one.",
            )  # fmt: skip
        where, which = text(reference.get("name")), text(reference.get("template"))
        for key, value in (("name", where), ("template", which)):
            if not value and reference.get(key) in (None, ""):
                source.add(
                    severity, "missing", (*at, key), say("templateRef has no {key}.", key=key), found="nothing",
                    allowed="the WorkflowTemplate's name and the template's name", help_text=say(
                        "Add '{key}:'.",
                        key=key,
                    ),
                )  # fmt: skip
                return "unknown"
        where, which = self.substituted(where), self.substituted(which)
        if "{{" in which:
            return "dynamic"
        cluster = reference.get("clusterScope") is True
        base = self.library.base(where, cluster=cluster)
        if base is None:
            kind = "ClusterWorkflowTemplate" if cluster else "WorkflowTemplate"
            names = self.library.names(cluster=cluster)
            other = self.library.base(where, cluster=not cluster) is not None
            source.add(
                severity, "unknown-workflow-template", (*at, "name"), say(
                    "There is no {kind} {where!r}.",
                    kind=kind, where=show(where),
                ),
                found=show(where), allowed=", ".join(names[:20]) or say(
                    "no {kind} is known here",
                    kind=kind,
                ), close=where,
                known=names,
                help_text=say(
                    "There is one of that name with clusterScope: {what}.",
                    what='false' if cluster else 'true',
                )
                if other
                else "Upload it first.",
            )  # fmt: skip
            return "unknown"
        template = base.templates.get(which)
        if template is None:
            source.add(
                severity, "unknown-template", (*at, "template"),
                say("{where!r} has no template {which!r}.", where=show(where), which=show(which)), found=show(which),
                allowed=", ".join(list(base.templates)[:20]) or "it has no templates", close=which,
                known=base.templates, help_text="Use the name of one of its templates.",
            )  # fmt: skip
            return "unknown"
        return template

    def value_of(self, name: str) -> str | None:
        """The value of a variable, if it is known at submit."""
        if name.startswith(_RUN_PARAMETER):
            return self.values.get(name[len(_RUN_PARAMETER) :])
        return self.entry_values.get(name)

    def substituted(self, name: str) -> str:
        """A name with the known values put in; other variables stay."""
        if "{{" not in name:
            return name
        result = name
        for tag in tags_of(name, ()):
            value = self.value_of(tag.trimmed)
            if value is not None and tag.closed:
                result = result.replace("{{" + tag.words + "}}", value)
        return result

    def flat(self, tag: Tag) -> str:
        """The tag's words, with a variable inside them replaced by its value where that is known at submit."""
        words = tag.trimmed
        inner = words.rfind("{{")
        if inner <= 0:
            return words
        value = self.value_of(words[inner + 2 :].strip())
        return words[:inner] + value if value is not None else words
