"""Steps and dags: names, the order things become known in, dependencies, loops, and arguments of each call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fubini.common.saying import say
from fubini.language import govaluate
from fubini.language.errors import LanguageError
from fubini.manifests.arguments import check_arguments
from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.dependencies import ITEM_RESULTS, RESULTS, Ancestry, find_cycle, in_order, names_in
from fubini.manifests.findings import Severity, show
from fubini.manifests.library import Template
from fubini.manifests.load import Path
from fubini.manifests.scope import ANY_ITEM, Node, Scope, split_node

if TYPE_CHECKING:
    from fubini.manifests.references import Resolution
    from fubini.manifests.semantics import Check, Semantics

MAX_ITEMS = 50_000  # of one loop, where a project does not say otherwise
MOST_ITEMS = 200_000  # what a project may say
_FIELD_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*\Z")
_RESULT = re.compile(r"(?<![-a-zA-Z0-9])([a-zA-Z0-9][-a-zA-Z0-9]*?)\.([A-Z][a-zA-Z]+)")


def check_steps(semantics: Semantics, template: Template, scope: Scope, severity: Severity) -> Check:
    """A steps template, group by group, step by step: a step sees what stands above it."""
    source = template.base.source
    places: dict[str, int] = {}
    for index, group in enumerate(listing(template.body.get("steps"))):
        for number, step in enumerate(listing(group)):
            if not isinstance(step, dict):
                continue
            path: Path = (*template.path, "steps", index, number)
            name = text(step.get("name"))
            if step.get("name") in (None, ""):
                source.add(
                    severity, "missing", (*path, "name"), "The step has no name.", found="nothing", allowed="a name",
                    help_text="Add 'name:'.",
                )  # fmt: skip
            elif name in places:
                source.add(
                    severity, "duplicate", (*path, "name"), say("Two steps are called {name!r}.", name=show(name)),
                    found=f"{show(name)}, also in group {places[name]}", allowed="each name once in a template",
                    help_text="Rename one of the two.",
                )  # fmt: skip
                continue
            elif name and not _FIELD_NAME.match(name):
                _bad_name(template, (*path, "name"), name, severity)
            places[name] = index
            node = scope.nodes[name] = Node(status=True, group=index)
            _items(template, path, step, scope.names, severity, semantics.max_items)
            check_arguments(source, (*path, "arguments"), step.get("arguments"), values_later=False, severity=severity)
            resolved = semantics.references.resolve(template, path, step, severity)
            yield from _call(semantics, template, resolved, path, None)
            node.template = resolved if isinstance(resolved, Template) else None
            exit_hook = text(step.get("onExit")) or mapping(step.get("hooks")).get("exit") is not None
            node.outputs = bool(exit_hook)
            semantics.hooks(template, path, step, severity)
            _same_group(semantics, template, path, step, name, index, places, severity)
            extra = _inline_inputs(resolved)
            semantics.check_tags(template, scope, step, path, severity, extra)
            never_there(semantics, template, scope, step, path, resolved, severity)
            node.outputs = True
            node.never = never_runs(step)
            node.aggregate = bool(listing(step.get("withItems")) or text(step.get("withParam")))
            if isinstance(resolved, Template):
                semantics.add_globals_of(resolved, scope)
            elif resolved == "unknown":
                _offer_everything(scope, "steps", name)
            yield from _call(semantics, template, resolved, path, mapping(step.get("arguments")))
            if source.collector.full:
                return


def _call(
    semantics: Semantics, template: Template, resolved: Resolution, path: Path, arguments: dict[str, Any] | None
) -> Check:
    if isinstance(resolved, Template) and not semantics.settled(resolved, arguments, template.base.source, path):
        yield semantics.call(resolved, arguments, template.base.source, path)


def _offer_everything(scope: Scope, root: str, name: str) -> None:
    """A step whose template is unknown has been reported; do not also report each use of its outputs."""
    scope.nodes[name] = _Anything(outputs=True, status=True)


class _Anything(Node):
    """A node of which nothing is known after an error: it offers whatever is asked."""

    __slots__ = ()

    def offers(self, rest: str) -> bool:
        return True


def _bad_name(template: Template, path: Path, name: str, severity: Severity) -> None:
    template.base.source.add(
        severity, "name-pattern", path, "The name has characters that are not allowed here.", found=show(name),
        allowed="letters, digits and '-', beginning with a letter or digit", help_text="Rename it.",
    )  # fmt: skip


def _inline_inputs(resolved: Resolution) -> set[str]:
    if isinstance(resolved, Template) and resolved.inline:
        return {f"inputs.parameters.{n}" for n in resolved.input_parameters}
    return set()


def _same_group(
    semantics: Semantics, template: Template, path: Path, step: dict[str, Any], name: str, group: int, places: dict[str, int],
    severity: Severity,
) -> None:  # fmt: skip
    """Steps of a group start together: Argo accepts a reference between them and then waits for ever.

    Only an artifact that is not there ends the group, so that is no reason to refuse.
    """
    below = len(path)
    for tag in semantics.tags(step, path):
        if tag.expression or not tag.trimmed.startswith("steps.") or tag.path[below] in ("hooks", "inline"):
            continue
        other, _ = split_node(tag.trimmed)
        if places.get(other) != group:
            continue
        artifact = tag.path[below : below + 2] == ("arguments", "artifacts")
        template.base.source.add(
            "warning" if artifact else severity, "same-group", tag.path,
            say("The step {other!r} begins at the same time; its outputs are not there yet.", other=show(other))
            if other != name
            else "A step cannot wait for its own outputs.",
            found="{{" + show(tag.trimmed) + "}}", allowed="outputs of steps of earlier groups",
            help_text=say("Put {name!r} into a later group: begin it with '- - name:'.", name=show(name))
            if other != name
            else "Refer to an earlier step.",
        )  # fmt: skip


def never_runs(step: dict[str, Any]) -> bool:
    """Is the condition false whatever happens? Only conditions without variables can be told."""
    written = text(step.get("when"))
    if not written or "{{" in written or "~" in written or len(written) > 200:
        return False
    try:
        return govaluate.parse(written).evaluate() is False
    except LanguageError:
        return False


def never_there(
    semantics: Semantics, template: Template, scope: Scope, step: dict[str, Any], path: Path, resolved: Resolution,
    severity: Severity,
) -> None:  # fmt: skip
    """Argo waits for ever for the result of a step that is always skipped, unless the input has a default."""
    below = len(path)
    for tag in semantics.tags(step, path):
        if tag.expression or not tag.closed or not tag.trimmed.startswith(scope.root + "."):
            continue
        other, rest = split_node(tag.trimmed)
        node = scope.nodes.get(other)
        if node is None or not node.never or node.template is None or tag.path[below] in ("hooks", "inline"):
            continue
        if rest != "outputs.result":
            continue  # a declared output is known to be absent: the run errors, it does not wait
        if tag.path[below : below + 2] == ("arguments", "parameters") and isinstance(resolved, Template):
            index = tag.path[below + 2]
            arguments = listing(mapping(step.get("arguments")).get("parameters"))
            argument = mapping(arguments[index]) if isinstance(index, int) else {}
            pure = text(argument.get("value")).strip() == "{{" + tag.words + "}}"
            if pure and argument.get("name") not in resolved.required_parameters:
                continue  # the input's own default stands in
        template.base.source.add(
            severity, "never-there", tag.path,
            say(
                "{other!r} is always skipped, so its result is never there; Argo would wait for it for ever.",
                other=show(other),
            ),
            found="{{" + show(tag.trimmed) + "}}", allowed="the result of a step that may run",
            help_text="Give the input a default, or change the condition of the skipped step.",
        )  # fmt: skip


def _items(
    template: Template, path: Path, step: dict[str, Any], names: set[str], severity: Severity, most: int
) -> None:
    """Loops: at most one kind, within the limit; what {{item}} may be is added to `names`."""
    source = template.base.source
    items, parameter, sequence = step.get("withItems"), step.get("withParam"), step.get("withSequence")
    kinds = [k for k, v in (("withItems", listing(items)), ("withParam", parameter), ("withSequence", sequence)) if v]
    if sequence is not None and "withSequence" not in kinds:
        kinds.append("withSequence")
    if len(kinds) > 1:
        source.add(
            severity, "several-loops", (*path, kinds[1]), "A step has one loop.", found=" and ".join(kinds),
            allowed="one of withItems, withParam, withSequence", help_text="Delete all but one.",
        )  # fmt: skip
    if items is not None and not isinstance(items, list):
        source.error(
            "items-not-list", (*path, "withItems"), "withItems is a list; anything else stops Argo's controller.",
            found=show(items), allowed="a list",
            help_text="Use withParam for text that holds a JSON list."
            if isinstance(items, str)
            else "Begin each item with '- '.",
        )  # fmt: skip
    if isinstance(items, list):
        if len(items) > most:
            too_many(template.base.source, (*path, "withItems"), len(items), most)
        keys: set[str] = set()
        for item in items:
            if isinstance(item, dict):
                keys.update(item)
            elif isinstance(item, list):
                keys.update(f"[{i}]" for i in range(len(item)))
            else:
                names.add("item")
        names.update(f"item.{key}" for key in keys)
    elif text(parameter):
        names.update(("item", ANY_ITEM))
    elif isinstance(sequence, dict):
        names.add("item")
        length = sequence_length(sequence)
        if length is not None and length > most:
            too_many(template.base.source, (*path, "withSequence"), length, most)


def too_many(source: Source, path: Path, count: int, most: int) -> None:
    """A loop beyond the project's limit, which can be raised up to ours."""
    raised = (
        ""
        if most >= MOST_ITEMS
        else f", or ask an administrator to raise the project's max_items (to {MOST_ITEMS:,} at most)"
    )
    source.error(
        "too-many-items", path, "The loop has too many items.", found=f"{count:,} items",
        allowed=say("at most {most:,} (the project's max_items)", most=most),
        help_text=say("Split the loop, let each item do more{raised}.", raised=raised),
    )  # fmt: skip


def sequence_length(sequence: dict[str, Any]) -> int | None:
    """How many numbers a withSequence gives, if that can be seen."""

    def whole(value: Any) -> int | None:
        if isinstance(value, int):
            return value
        return int(value) if isinstance(value, str) and re.match(r"[-+]?[0-9]{1,18}\Z", value) else None

    count, end = whole(sequence.get("count")), whole(sequence.get("end"))
    start = 0 if sequence.get("start") is None else whole(sequence.get("start"))
    if sequence.get("count") is not None:
        return max(0, count) if count is not None else None
    if end is None or start is None:
        return None
    return abs(end - start) + 1


# --- dag ---------------------------------------------------------------------------------------------------------


def _dependency_field(task: dict[str, Any]) -> str:
    return "depends" if text(task.get("depends")) else "dependencies"


class _Dag:
    """The tasks of one dag by name, with their dependencies."""

    def __init__(self, semantics: Semantics, template: Template):
        self.tasks: dict[str, dict[str, Any]] = {}
        self.places: dict[str, int] = {}
        self.edges: dict[str, dict[str, bool]] = {}  # task -> dependency -> asks for item results
        body = mapping(template.body.get("dag"))
        for index, task in enumerate(listing(body.get("tasks"))):
            if isinstance(task, dict) and isinstance(task.get("name"), str) and task["name"]:
                self.tasks.setdefault(task["name"], task)
                self.places.setdefault(task["name"], index)
        for name, task in self.tasks.items():
            edges: dict[str, bool] = {}
            depends = semantics.references.substituted(text(task.get("depends")))
            if depends:
                if "{{" not in depends:
                    for other, result in names_in(depends):
                        edges[other] = edges.get(other, False) or result in ITEM_RESULTS
            else:
                for other in listing(task.get("dependencies")):
                    if isinstance(other, str):
                        edges.setdefault(other, False)
            self.edges[name] = edges


def check_dag(semantics: Semantics, template: Template, scope: Scope, severity: Severity) -> Check:
    """A dag template: its graph first, then each task in the order they may run."""
    source = template.base.source
    path: Path = (*template.path, "dag")
    listed = listing(mapping(template.body.get("dag")).get("tasks"))
    dag = _Dag(semantics, template)
    _graph(semantics, template, dag, listed, severity)
    cycle = find_cycle(dag.edges)
    if cycle:
        own = len(cycle) == 2
        source.add(
            severity, "cycle", (*path, "tasks", dag.places[cycle[0]], _dependency_field(dag.tasks[cycle[0]])),
            say(
                "The task {cycle!r} depends on itself.",
                cycle=show(cycle[0]),
            ) if own else "The tasks depend on each other in a circle.",
            found=" -> ".join(show(n) for n in cycle[:12]) + (" -> ..." if len(cycle) > 12 else ""),
            allowed="dependencies without a circle",
            help_text="Delete the dependency." if own else "Delete one of these dependencies.",
        )  # fmt: skip
        order, ancestry = list(dag.tasks), Ancestry({})
    else:
        order, ancestry = in_order(dag.edges), Ancestry(dag.edges)
    resolutions: dict[str, Resolution] = {}
    for name in order:
        task, at = dag.tasks[name], (*path, "tasks", dag.places[name])
        resolved = resolutions[name] = semantics.references.resolve(template, at, task, severity)
        yield from _call(semantics, template, resolved, at, None)
        loops = bool(listing(task.get("withItems")) or text(task.get("withParam")))
        if resolved == "unknown":
            _offer_everything(scope, "tasks", name)
        else:
            found = resolved if isinstance(resolved, Template) else None
            scope.nodes[name] = Node(found, True, False, loops, never=never_runs(task))
            if isinstance(resolved, Template):
                semantics.add_globals_of(resolved, scope)
        if source.collector.full:
            return
    _targets(semantics, template, dag, severity)
    for name in order:
        task, at = dag.tasks[name], (*path, "tasks", dag.places[name])
        _check_task(semantics, template, scope, name, task, at, resolutions[name], ancestry, severity, bool(cycle))
        yield from _call(semantics, template, resolutions[name], at, mapping(task.get("arguments")))
        if source.collector.full:
            return


def _check_task(
    semantics: Semantics, template: Template, scope: Scope, name: str, task: dict[str, Any], at: Path,
    resolved: Resolution, ancestry: Ancestry, severity: Severity, cyclic: bool,
) -> None:  # fmt: skip
    source = template.base.source
    if task.get("hooks") is not None:
        scope.nodes[name].status = True
    extra = _inline_inputs(resolved)
    _items(template, at, task, extra, severity, semantics.max_items)
    semantics.hooks(template, at, task, severity)
    judged: set[tuple[Path, str]] = set()
    for tag in semantics.tags(task, at):
        if tag.expression or (tag.path, tag.words) in judged:
            continue
        judged.add((tag.path, tag.words))
        trimmed = semantics.references.flat(tag)
        if trimmed.startswith("tasks."):
            other, rest = split_node(trimmed)
            if rest == "status" and (cyclic or ancestry.before(other, name)):
                continue
            if rest == "status" and other in scope.nodes and not scope.nodes[other].status:
                source.add(
                    severity, "not-an-ancestor", tag.path,
                    say("The task does not depend on {other!r}, whose status it asks for.", other=show(other)),
                    found="{{" + show(trimmed) + "}}", allowed="the status of tasks it depends on",
                    help_text=say("Add {other} to its depends or dependencies.", other=show(other)),
                )  # fmt: skip
                continue
        if not scope.has(trimmed, extra):
            semantics.unresolved(template, scope, tag, severity, extra)
        if source.collector.full:
            return
    check_arguments(source, (*at, "arguments"), task.get("arguments"), values_later=False, severity=severity)
    never_there(semantics, template, scope, task, at, resolved, severity)
    if not cyclic:
        _argument_dependencies(template, scope, name, task, at, ancestry, severity)


def _graph(semantics: Semantics, template: Template, dag: _Dag, listed: list[Any], severity: Severity) -> None:
    """Names, mixing of depends and dependencies, and that all that is depended on exists."""
    source = template.base.source
    path: Path = (*template.path, "dag", "tasks")
    using_depends = any(text(mapping(t).get("depends")) for t in listed)
    seen: dict[str, int] = {}
    for index, task in enumerate(listed):
        if not isinstance(task, dict) or not isinstance(task.get("name"), str):
            continue
        name, at = task["name"], (*path, index)
        if name in seen:
            source.add(
                severity, "duplicate", (*at, "name"), say("Two tasks are called {name!r}.", name=show(name)),
                found=f"{show(name)}, also item {seen[name]}", allowed="each name once in a dag",
                help_text="Rename one of the two.",
            )  # fmt: skip
            continue
        seen[name] = index
        if not name:
            source.add(
                severity, "missing", (*at, "name"), "The task has no name.", found="empty text", allowed="a name",
                help_text="Give it a name.",
            )  # fmt: skip
        elif not _FIELD_NAME.match(name):
            _bad_name(template, (*at, "name"), name, severity)
        elif name[0].isdigit() and (using_depends or listing(task.get("dependencies"))):
            source.add(
                severity, "digit-name", (*at, "name"), "In a dag with dependencies no name begins with a digit.",
                found=show(name), allowed="a name that begins with a letter", help_text=say(
                    "Call it 'task-{name}'.",
                    name=show(name),
                ),
            )  # fmt: skip
        if using_depends and listing(task.get("dependencies")):
            source.add(
                severity, "depends-and-dependencies", (*at, "dependencies"),
                "One dag cannot have both depends and dependencies.", found="dependencies, and depends in other tasks",
                allowed="one of them in all tasks",
                help_text="Write 'depends: " + " && ".join(show(d) for d in task["dependencies"][:8]) + "'.",
            )  # fmt: skip
        if using_depends and task.get("continueOn") is not None:
            source.add(
                severity, "continue-on-with-depends", (*at, "continueOn"),
                "A dag with depends cannot have continueOn.", found="continueOn", allowed="depends alone",
                help_text=say(
                    "Delete it; in the tasks that follow write '{name}.Succeeded || {name}.Failed'.",
                    name=show(name),
                ),
            )  # fmt: skip
        _dependencies(semantics, template, dag, name, task, at, severity)
        if source.collector.full:
            return


def _dependencies(
    semantics: Semantics, template: Template, dag: _Dag, name: str, task: dict[str, Any], at: Path, severity: Severity
) -> None:
    source = template.base.source
    written = text(task.get("depends"))
    field = (*at, "depends") if written else (*at, "dependencies")
    if "{{" in semantics.references.substituted(written):
        source.add(
            severity, "depends-variable", field, "depends must be known at submit.", found=show(written),
            allowed="names of tasks and their results", help_text="Use 'when' for conditions over values.",
        )  # fmt: skip
        return
    for other, items in dag.edges.get(name, {}).items():
        if other not in dag.tasks:
            source.add(
                severity, "unknown-dependency", field, say(
                    "There is no task {other!r} to depend on.",
                    other=show(other),
                ),
                found=show(other), allowed=", ".join(show(n) for n in list(dag.tasks)[:20]), close=other,
                known=dag.tasks, help_text="Use the name of a task of this dag.",
            )  # fmt: skip
        elif items:
            target = dag.tasks[other]
            loop = listing(target.get("withItems")) or text(target.get("withParam"))
            if not loop and target.get("withSequence") is None:
                source.add(
                    severity, "not-a-loop", field,
                    say(
                        "AnySucceeded and AllFailed are for loops; {other!r} is none.",
                        other=show(other),
                    ), found=show(written),
                    allowed="Succeeded, Failed, Errored, Skipped, Omitted, Daemoned",
                    help_text=say("Write '{other}.Succeeded' or '{other}.Failed'.", other=show(other)),
                )  # fmt: skip
    for match in _RESULT.finditer(written):
        if match.group(2) not in RESULTS:
            source.add(
                severity, "unknown-result", field, say("Tasks have no result {group!r}.", group=show(match.group(2))),
                found=show(match.group()), allowed=", ".join(RESULTS), close=match.group(2), known=RESULTS,
                help_text=say("Write '{group}.Succeeded' or one of the other results.", group=show(match.group(1))),
            )  # fmt: skip


def _targets(semantics: Semantics, template: Template, dag: _Dag, severity: Severity) -> None:
    target = semantics.references.substituted(text(mapping(template.body.get("dag")).get("target")))
    if not target:
        return
    source, path = template.base.source, (*template.path, "dag", "target")
    if "{{" in target:
        source.add(
            severity, "target-variable", path, "The target must be known at submit.", found=show(target),
            allowed="names of tasks, or a run parameter that has a value",
            help_text="Use {{workflow.parameters.NAME}}, and give it a value.",
        )  # fmt: skip
        return
    for name in target.split(" "):
        if name not in dag.tasks:
            source.add(
                severity, "unknown-target", path, say("There is no task {name!r} to reach.", name=show(name)),
                found=show(name) or "two spaces together", allowed=", ".join(show(n) for n in list(dag.tasks)[:20]),
                close=name, known=dag.tasks, help_text="Write names of tasks with one space between them.",
            )  # fmt: skip


def _argument_dependencies(
    template: Template, scope: Scope, name: str, task: dict[str, Any], at: Path, ancestry: Ancestry, severity: Severity
) -> None:
    """A task that takes another's output depends on it; only then is the output there."""
    arguments = mapping(task.get("arguments"))
    for kind, field in (("parameters", "value"), ("artifacts", "from")):
        for index, item in enumerate(listing(arguments.get(kind))):
            written = text(mapping(item).get(field))
            if not written.startswith("{{tasks."):
                continue
            other = written.split(".")[1]
            if other in scope.nodes and not ancestry.before(other, name):
                template.base.source.add(
                    severity, "missing-dependency", (*at, "arguments", kind, index, field),
                    say("The task takes an output of {other!r} and does not depend on it.", other=show(other))
                    if other != name
                    else "A task cannot take its own output.",
                    found=show(written), allowed="outputs of tasks it depends on",
                    help_text=say("Add {other} to its depends or dependencies.", other=show(other)),
                )  # fmt: skip
