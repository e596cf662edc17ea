"""Warnings: what Argo accepts at submit and what then goes wrong, or does something else than it seems to.

A misspelt variable stays as text, a hook's missing template is noticed when the hook is due, a bad duration when the
first attempt has failed. Nothing here refuses a manifest. Expressions are read by the language modules; texts are
read up to a budget, so that a manifest made of nothing else stays cheap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fubini.common.saying import say
from fubini.language import depends as depends_language
from fubini.language import durations, expr, goformat, govaluate
from fubini.language.errors import LanguageError
from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.dependencies import RESULTS, names_in
from fubini.manifests.findings import show
from fubini.manifests.graphs import too_many
from fubini.manifests.library import Template
from fubini.manifests.load import Path
from fubini.manifests.mentions import LAST_RETRY, Siblings, mentioned, mentioned_nodes
from fubini.manifests.scope import ROOTS, Tag, tags_in, tags_of
from fubini.manifests.semantics import Semantics

_ROOT_WORDS = tuple(root.rstrip(".") for root in ROOTS)
_DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+\Z")
_SLIPS = {
    "parameters": "inputs.parameters",
    "artifacts": "inputs.artifacts",
    "input": "inputs",
    "output": "outputs",
    "step": "steps",
    "task": "tasks",
    "param": "inputs.parameters",
    "params": "inputs.parameters",
    "items": "item",
    "workflows": "workflow",
    "wf": "workflow",
}
_PARSED_CHARS = 60_000
_LONGEST_PARSED = 4_000
_TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_SIDE_BY_SIDE = re.compile(r"\}\}\s*\{\{")
_WHOLE = re.compile(r"[-+]?[0-9]+\Z")
_LOOPS = ("withItems", "withParam", "withSequence")


def add_hints(source: Source, semantics: Semantics) -> None:
    """Look through all templates of the submitted manifest, inline ones included."""
    hints = _Hints(source, semantics)
    spec = semantics.base.spec
    hints.retry(("spec", "retryStrategy"), mapping(spec.get("retryStrategy")))
    hints.hooks(None, ("spec",), mapping(spec.get("hooks")))
    hints.labels(("spec", "workflowMetadata", "labelsFrom"), mapping(spec.get("workflowMetadata")).get("labelsFrom"))
    for template in [*semantics.base.order, *semantics.references.inline_templates()]:
        hints.template(template)
        if source.collector.warned:
            return


class _Hints:
    def __init__(self, source: Source, semantics: Semantics):
        self._source = source
        self._semantics = semantics
        self._budget = _PARSED_CHARS

    # -- one template --------------------------------------------------------------------------------------------

    def template(self, template: Template) -> None:
        path, body = template.path, template.body
        self.retry((*path, "retryStrategy"), mapping(body.get("retryStrategy")))
        if template.leaf:
            self._duration((*path, "timeout"), body.get("timeout"), durations.parse, "30s, 10m or 2h")
        self._duration(
            (*path, "memoize", "maxAge"), mapping(body.get("memoize")).get("maxAge"), durations.parse_go, "24h"
        )
        self._duration(
            (*path, "suspend", "duration"),
            mapping(body.get("suspend")).get("duration"),
            durations.parse,
            "20, 20s or 2h",
        )
        script = body.get("script")
        if isinstance(script, dict) and not text(script.get("source")):
            self._source.warn(
                "no-source", (*path, "script"), "The script is empty.", found="no source", allowed="a program",
                help_text="Add 'source: |' and the program.",
            )  # fmt: skip
        self._mounts(template)
        self._outputs(template)
        siblings = Siblings(template) if template.type in ("steps", "dag") else None
        for at, step, root in _steps_of(template):
            self._step(template, at, step, root)
            if siblings is not None:
                self._mentions(siblings, at, step)
            if self._source.collector.warned:
                return
        if template.type not in ("steps", "dag"):
            self._tags(self._semantics.tags(body, path), looped=True)
        else:
            self._tags(tags_in(body.get("outputs"), (*path, "outputs")), looped=True)

    def _step(self, template: Template, at: Path, step: dict[str, Any], root: str) -> None:
        looped = any(step.get(k) is not None for k in _LOOPS)
        self._when((*at, "when"), text(step.get("when")))
        written = text(step.get("depends"))
        if written and "{{" not in written and all(not r or r in RESULTS for _, r in names_in(written)):
            self._read((*at, "depends"), written, depends_language.parse, "names of tasks with &&, || and !")
        self._loop(at, step)
        self._arguments(template, at, step)
        self.hooks(template, at, mapping(step.get("hooks")))
        on_exit = text(step.get("onExit"))
        if on_exit and "{{" not in on_exit:
            self._template_name(template, (*at, "onExit"), on_exit)
            self._supplied(template.base.templates.get(on_exit), (*at, "onExit"), {})
        below = len(at)
        outside = (t for t in self._semantics.tags(step, at) if t.path[below : below + 1] != ("inline",))
        self._tags(outside, looped=looped)
        if root == "tasks":
            self._far_references(template, at, step)

    # -- durations, numbers, expressions -------------------------------------------------------------------------

    def retry(self, path: Path, strategy: dict[str, Any]) -> None:
        limit = strategy.get("limit")
        if isinstance(limit, str) and "{{" not in limit and not _WHOLE.match(limit):
            self._source.warn(
                "not-a-number", (*path, "limit"), "The limit is no number; the run fails at the first retry.",
                found=show(limit), allowed="a whole number", help_text="Write a number, such as 3.",
            )  # fmt: skip
        backoff = mapping(strategy.get("backoff"))
        for key in ("duration", "maxDuration", "cap"):
            at = (*path, "backoff", key)
            self._duration(at, backoff.get(key), durations.parse, "10, 10s or 2m")
        if text(strategy.get("expression")):
            self._expression((*path, "expression"), strategy["expression"])
            self._last_retry((*path, "expression"), strategy["expression"])

    def labels(self, path: Path, labels: Any) -> None:
        """Labels that are computed when the run begins."""
        for name, holder in mapping(labels).items():
            if text(mapping(holder).get("expression")):
                self._expression((*path, name, "expression"), holder["expression"])

    def _duration(self, path: Path, value: Any, parse: Callable[[str], int], example: str) -> None:
        if not isinstance(value, str) or not value or "{{" in value or len(value) > 200:
            return
        try:
            parse(value)
        except LanguageError:
            self._source.warn(
                "duration", path, "This is not a duration; it is noticed only when it is needed.", found=show(value),
                allowed=say("such as {example}", example=example), help_text="Write a number with a unit: s, m or h.",
            )  # fmt: skip

    def _expression(self, path: Path, written: str) -> None:
        if "{{" not in written:
            self._read(path, written, expr.parse, "an expression")

    def _read(self, path: Path, written: str, parse: Callable[[str], Any], allowed: str) -> None:
        """Let a language read a text; what it cannot read will fail when it is due."""
        if len(written) > min(_LONGEST_PARSED, self._budget):
            return
        self._budget -= len(written)
        try:
            parse(written)
        except LanguageError as error:
            where = "" if error.position is None else f" (character {error.position + 1})"
            self._source.warn(
                "expression", path, say(
                    "This cannot be read: {message}{where}.",
                    message=show(error.message), where=where,
                ), found=show(written),
                allowed=allowed, help_text="It is noticed only when it is due, and then the step errors: correct it.",
            )  # fmt: skip

    def _when(self, path: Path, written: str) -> None:
        if not written or len(written) > min(_LONGEST_PARSED, self._budget):
            return
        self._budget -= len(written)
        if "{{" in written:
            self._when_with_tags(path, written)
            return
        try:
            condition = govaluate.parse(written)
            value = condition.evaluate() if "~" not in written else True
        except LanguageError as error:
            self._source.warn(
                "expression", path, say(
                    "The condition cannot be read: {message}.",
                    message=show(error.message),
                ), found=show(written),
                allowed="a condition that is true or false", help_text="Put words with spaces or dashes in quotes.",
            )  # fmt: skip
            return
        if not isinstance(value, bool):
            self._source.warn(
                "not-boolean", path, "The condition is neither true nor false; the step will error.",
                found=show(written), allowed="a condition that is true or false",
                help_text="Compare it with something: ... == ...",
            )  # fmt: skip

    def _when_with_tags(self, path: Path, written: str) -> None:
        """A condition that cannot be read whatever its variables turn out to be."""
        if "{{=" in written or _SIDE_BY_SIDE.search(written):
            return  # an operator may come from a variable
        problem = ""
        for value in ("1", "x", "'x'", "true"):
            try:
                govaluate.parse(_TAG.sub(value, written))
            except LanguageError as error:
                problem = problem or error.message
            else:
                return
        self._source.warn(
            "expression", path, say(
                "The condition cannot be read, whatever its variables are: {strip}.",
                strip=show(problem.strip()),
            ),
            found=show(written), allowed="a condition that is true or false",
            help_text="It is noticed only when it is due, and then the step errors: correct it.",
        )  # fmt: skip

    def _last_retry(self, path: Path, written: str) -> None:
        for name in mentioned(written):
            root, _, field = name.partition(".")
            if root == "lastRetry" and field and field.split(".")[0] not in LAST_RETRY:
                self._source.warn(
                    "unknown-variable", path, say(
                        "There is no {name} after an attempt.",
                        name=show(name),
                    ), found=show(name),
                    allowed=", ".join(f"lastRetry.{f}" for f in LAST_RETRY), close=field, known=LAST_RETRY,
                    help_text="Correct the name; the expression fails when the first attempt has failed.",
                )  # fmt: skip

    def _mentions(self, siblings: Siblings, at: Path, step: dict[str, Any]) -> None:
        """Steps that an expression of this step mentions and that have not ended when it begins."""
        own, below = text(step.get("name")), len(at)
        for tag in self._semantics.tags(step, at):
            if not (tag.expression and tag.closed) or tag.path[below : below + 1] in (("inline",), ("hooks",)):
                continue
            for name in mentioned_nodes(tag.words[1:], siblings.root):
                if name not in siblings.names:
                    self._source.warn(
                        "unknown-variable", tag.path, say(
                            "The expression mentions {name!r}, which is not there.",
                            name=show(name),
                        ),
                        found=f"{siblings.root}.{show(name)}", allowed=", ".join(show(n) for n in siblings.names[:20]),
                        close=name, known=siblings.names, help_text="Use the name of a step of this template.",
                    )  # fmt: skip
                elif not siblings.ended_before(name, own):
                    steps = siblings.root == "steps"
                    self._source.warn(
                        "same-group" if steps else "missing-dependency", tag.path,
                        say("The expression mentions {name!r}, which need not have ended by then.", name=show(name)),
                        found=f"{siblings.root}.{show(name)}",
                        allowed="steps of earlier groups" if steps else "tasks that it depends on",
                        help_text="Put the step into a later group." if steps else say(
                            "Add {name} to its depends.",
                            name=show(name),
                        ),
                    )  # fmt: skip

    # -- loops, arguments, hooks ---------------------------------------------------------------------------------

    def _loop(self, at: Path, step: dict[str, Any]) -> None:
        sequence = step.get("withSequence")
        if isinstance(sequence, dict):
            if sequence.get("count") is None and sequence.get("end") is None:
                self._source.warn(
                    "no-end", (*at, "withSequence"), "The sequence has no end; the step will error.",
                    found=", ".join(show(k) for k in sequence) or "nothing", allowed="count or end",
                    help_text="Add 'count:' or 'end:'.",
                )  # fmt: skip
            for key in ("count", "start", "end"):
                value = sequence.get(key)
                if isinstance(value, str) and "{{" not in value and not _WHOLE.match(value):
                    self._source.warn(
                        "not-a-number", (*at, "withSequence", key), "This is no number; the step will error.",
                        found=show(value), allowed="a whole number", help_text="Write a number.",
                    )  # fmt: skip
            written = text(sequence.get("format"))
            if written and "{{" not in written and len(written) < 200:
                self._read((*at, "withSequence", "format"), written, goformat.parse, "a printf format such as %02d")
        parameter = text(step.get("withParam"))
        if parameter and "{{" not in parameter:
            self._list((*at, "withParam"), parameter)

    def _list(self, path: Path, written: str) -> None:
        try:
            items = json.loads(written)
        except (ValueError, RecursionError):
            items = None
        if not isinstance(items, list):
            self._source.warn(
                "not-a-list", path, "withParam is not a JSON list; the step will error.", found=show(written),
                allowed='a JSON list, such as ["a", "b"]', help_text="Write JSON, or use withItems for a YAML list.",
            )  # fmt: skip
        elif len(items) > self._semantics.max_items:
            too_many(self._source, path, len(items), self._semantics.max_items)

    def _arguments(self, template: Template, at: Path, step: dict[str, Any]) -> None:
        called = self._semantics.references.found(template, step)
        if called is None or not called.types:
            return
        arguments = mapping(step.get("arguments"))
        for kind, takes in (("parameters", called.input_parameters), ("artifacts", called.input_artifacts)):
            for index, item in enumerate(listing(arguments.get(kind))):
                name = mapping(item).get("name")
                if not isinstance(name, str):
                    continue
                where = (*at, "arguments", kind, index)
                if name not in takes:
                    self._source.warn(
                        "unknown-argument", (*where, "name"),
                        say(
                            "The template {name!r} has no input {name2!r}; the argument is ignored.",
                            name=show(called.name), name2=show(name),
                        ),
                        found=show(name), allowed=", ".join(show(t) for t in list(takes)[:20]) or say(
                            "no {kind}",
                            kind=kind,
                        ),
                        close=name, known=takes, help_text="Correct the name, or delete the argument.",
                    )  # fmt: skip
                    continue
                words, value = takes[name].get("enum"), mapping(item).get("value")
                if isinstance(words, list) and words and isinstance(value, str) and "{{" not in value:
                    if value in words:
                        continue
                    self._source.warn(
                        "not-allowed", (*where, "value"), say(
                            "The input {name!r} does not list this value.",
                            name=show(name),
                        ),
                        found=show(value), allowed="one of " + ", ".join(show(w) for w in words[:20]), close=value,
                        known=[w for w in words if isinstance(w, str)], help_text="Use one of the values.",
                    )  # fmt: skip

    def _supplied(self, called: Template | None, path: Path, arguments: dict[str, Any]) -> None:
        """What a hook gives its template: all it takes, and nothing it does not know."""
        if called is None or not called.types:
            return
        for kind, takes, required in (
            ("parameters", called.input_parameters, called.required_parameters),
            ("artifacts", called.input_artifacts, called.required_artifacts),
        ):
            given = [text(mapping(item).get("name")) for item in listing(arguments.get(kind))]
            for index, name in enumerate(given):
                if name and name not in takes:
                    self._source.warn(
                        "unknown-argument", (*path, "arguments", kind, index, "name"),
                        say(
                            "The template {name!r} has no input {name2!r}; the argument is ignored.",
                            name=show(called.name), name2=show(name),
                        ),
                        found=show(name), allowed=", ".join(show(t) for t in list(takes)[:20]) or say(
                            "no {kind}",
                            kind=kind,
                        ),
                        close=name, known=takes, help_text="Correct the name, or delete the argument.",
                    )  # fmt: skip
            for name in required:
                if name not in given:
                    self._source.warn(
                        "not-supplied", path,
                        say(
                            "The input {kind} {name!r} of {name2!r} is not supplied; the hook errors.",
                            kind=kind[:-1], name=show(name), name2=show(called.name),
                        ),
                        found=", ".join(show(g) for g in given[:10]) or f"no {kind}",
                        allowed=", ".join(show(t) for t in list(takes)[:20]),
                        help_text="Give it in a hook's arguments, or give the input a default.",
                    )  # fmt: skip

    def hooks(self, template: Template | None, at: Path, hooks: dict[str, Any]) -> None:
        for name, hook in hooks.items():
            held = mapping(hook)
            where = (*at, "hooks", name)
            called = text(held.get("template"))
            if called and "{{" not in called:
                self._template_name(template, (*where, "template"), called)
                base = template.base if template is not None else self._semantics.entry_base()
                self._supplied(base.templates.get(called), where, mapping(held.get("arguments")))
            if text(held.get("expression")):
                self._expression((*where, "expression"), held["expression"])

    def _template_name(self, template: Template | None, path: Path, name: str) -> None:
        base = template.base if template is not None else self._semantics.entry_base()
        if name not in base.templates:
            self._source.warn(
                "unknown-template", path, say(
                    "There is no template {name!r}; the run errors when it is due.",
                    name=show(name),
                ),
                found=show(name), allowed=", ".join(list(base.templates)[:20]), close=name, known=base.templates,
                help_text="Use the name of a template, or add one with this name.",
            )  # fmt: skip

    # -- mounts, outputs, variables ------------------------------------------------------------------------------

    def _mounts(self, template: Template) -> None:
        body, spec = template.body, template.base.spec
        declared = {
            text(mapping(v).get("name"))
            for v in (*listing(spec.get("volumes")), *listing(body.get("volumes")))
        } | {
            text(mapping(mapping(v).get("metadata")).get("name")) for v in listing(spec.get("volumeClaimTemplates"))
        }  # fmt: skip
        for kind in ("container", "script"):
            for index, mount in enumerate(listing(mapping(body.get(kind)).get("volumeMounts"))):
                name = text(mapping(mount).get("name"))
                if name and "{{" not in name and name not in declared:
                    self._source.warn(
                        "unknown-volume", (*template.path, kind, "volumeMounts", index, "name"),
                        say("There is no volume {name!r}; the step will error.", name=show(name)), found=show(name),
                        allowed=", ".join(sorted(show(d) for d in declared if d)[:20]) or "no volumes are declared",
                        close=name, known=declared, help_text="Declare it in spec.volumes.",
                    )  # fmt: skip

    def _outputs(self, template: Template) -> None:
        outputs = mapping(template.body.get("outputs"))
        for index, parameter in enumerate(listing(outputs.get("parameters"))):
            written = text(mapping(mapping(parameter).get("valueFrom")).get("expression"))
            if written:
                self._expression((*template.path, "outputs", "parameters", index, "valueFrom", "expression"), written)
        for index, artifact in enumerate(listing(outputs.get("artifacts"))):
            written = text(mapping(artifact).get("fromExpression"))
            if written:
                self._expression((*template.path, "outputs", "artifacts", index, "fromExpression"), written)

    def _tags(self, tags: Iterable[Tag], *, looped: bool) -> None:
        for tag in tags:
            if self._source.collector.warned:
                return
            if tag.expression:
                if tag.closed:
                    self._read(tag.path, tag.words[1:].strip(), expr.parse, "an expression")
                continue
            words = tag.trimmed
            if not tag.closed:
                if not words.startswith(ROOTS) and len(words) < 200:
                    self._source.warn(
                        "unclosed-variable", tag.path, "Two braces are opened and not closed; they stay as text.",
                        found="{{" + show(words), allowed="{{name}}", help_text="Close them if a variable is meant.",
                    )  # fmt: skip
                continue
            root = words.split(".", 1)[0]
            if (words == "item" or words.startswith("item.")) and not looped:
                self._source.warn(
                    "item-outside-loop", tag.path, "There is no loop here; {{item}} stays as text.",
                    found="{{" + show(words) + "}}", allowed="{{item}} in a step with a loop",
                    help_text="Add withItems, withParam or withSequence to the step.",
                )  # fmt: skip
            elif root in _SLIPS and _DOTTED.match(words):
                meant = _SLIPS[root] + words[len(root) :]
                self._source.warn(
                    "unknown-root", tag.path, say(
                        "No variable begins with {root!r}; the tag stays as text.",
                        root=show(root),
                    ),
                    found="{{" + show(words) + "}}", allowed="one of " + ", ".join(_ROOT_WORDS), close=meant,
                    known=[meant], help_text=say("Write {{{{{meant}}}}} if a variable is meant.", meant=show(meant)),
                )  # fmt: skip

    def _far_references(self, template: Template, at: Path, step: dict[str, Any]) -> None:
        """A value with an output of a task that it does not depend on, in the midst of other text."""
        if not any(
            "{{tasks." in text(mapping(p).get("value"))
            for p in listing(mapping(step.get("arguments")).get("parameters"))
        ):
            return
        own = {
            name
            for name, _ in names_in(text(step.get("depends")))
        } | {d for d in listing(step.get("dependencies")) if isinstance(d, str)}  # fmt: skip
        if own or not text(step.get("name")):
            return  # with dependencies of its own an ancestor may well be meant; the engine knows
        for index, parameter in enumerate(listing(mapping(step.get("arguments")).get("parameters"))):
            value = text(mapping(parameter).get("value"))
            if value.startswith("{{tasks."):
                continue
            where = (*at, "arguments", "parameters", index, "value")
            for tag in tags_of(value, where) if "{{tasks." in value else ():
                if tag.trimmed.startswith("tasks.") and not tag.trimmed.startswith("tasks.name"):
                    self._source.warn(
                        "missing-dependency", where, "The task depends on none, and takes another task's output.",
                        found="{{" + show(tag.trimmed) + "}}", allowed="outputs of tasks it depends on",
                        help_text="Add the task to its depends or dependencies.",
                    )  # fmt: skip


def _steps_of(template: Template) -> Iterator[tuple[Path, dict[str, Any], str]]:
    if template.type == "steps":
        for index, group in enumerate(listing(template.body.get("steps"))):
            for number, step in enumerate(listing(group)):
                if isinstance(step, dict):
                    yield (*template.path, "steps", index, number), step, "steps"
    elif template.type == "dag":
        for index, task in enumerate(listing(mapping(template.body.get("dag")).get("tasks"))):
            if isinstance(task, dict):
                yield (*template.path, "dag", "tasks", index), task, "tasks"
