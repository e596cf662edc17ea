"""Arguments: those a run starts with, those a step passes, and whether they are what the template takes.

Only the arguments of the run are held to their `enum`, as in Argo; a step's are compared in `hints`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fubini.common.saying import say
from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.findings import nearest, show
from fubini.manifests.library import Library, Template, has_location, parameter_config_map
from fubini.manifests.load import Path

NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def check_names(source: Source, path: Path, items: Any, what: str, *, severity: Any = "error") -> None:
    """Every item has a name of allowed characters, and no two the same."""
    seen: dict[str, int] = {}
    for index, item in enumerate(listing(items)):
        if not isinstance(item, dict):
            continue
        name = item.get("name")
        if name is None or name == "":
            source.add(
                severity, "missing", (*path, index, "name"), say("The {what} has no name.", what=what), found="nothing",
                allowed="a name", help_text="Add 'name:'.",
            )  # fmt: skip
        elif not isinstance(name, str):
            continue
        elif name in seen:
            source.add(
                severity, "duplicate", (*path, index, "name"), say(
                    "Two {what}s are called {name!r}.",
                    what=what, name=show(name),
                ),
                found=f"{show(name)}, also item {seen[name]} of the list", allowed="each name once",
                help_text="Rename one of the two.",
            )  # fmt: skip
        else:
            seen[name] = index
            if what in ("parameter", "artifact") and not NAME_CHARS.issuperset(name):
                source.add(
                    severity, "name-pattern", (*path, index, "name"), say(
                        "The {what}'s name has other characters.",
                        what=what,
                    ),
                    found=show(name), allowed="letters, digits, '-' and '_'", help_text="Rename it.",
                )  # fmt: skip
        if source.collector.full:
            return


def check_arguments(source: Source, path: Path, arguments: Any, *, values_later: bool, severity: Any = "error") -> None:
    """The arguments of a run or of a step, by themselves: names, values, enums, artifact places."""
    held = mapping(arguments)
    check_names(source, (*path, "parameters"), held.get("parameters"), "parameter", severity=severity)
    check_names(source, (*path, "artifacts"), held.get("artifacts"), "artifact", severity=severity)
    for index, parameter in enumerate(listing(held.get("parameters"))):
        if isinstance(parameter, dict):
            at = (*path, "parameters", index)
            _check_value(source, at, parameter, values_later=values_later, severity=severity)
        if source.collector.full:
            return
    for index, artifact in enumerate(listing(held.get("artifacts"))):
        if not isinstance(artifact, dict):
            continue
        name = show(artifact.get("name"))
        if not text(artifact.get("from")) and not has_location(artifact):
            other = artifact.get("fromExpression") is not None
            source.add(
                severity, "artifact-without-place", (*path, "artifacts", index),
                say("The artifact argument {name!r} does not say where it comes from.", name=name),
                found="fromExpression, which is only for outputs" if other else "no from and no location",
                allowed="from, raw, or a store with a key",
                help_text="Pick it in an output of a steps or dag template, and pass that with from."
                if other
                else "Add from: '{{steps.NAME.outputs.artifacts.X}}', or a location.",
            )  # fmt: skip
        elif text(artifact.get("from")) and text(artifact.get("fromExpression")):
            source.add(
                severity, "from-twice", (*path, "artifacts", index, "fromExpression"),
                say("The artifact argument {name!r} has both from and fromExpression.", name=name), found="both",
                allowed="from", help_text="Delete fromExpression.",
            )  # fmt: skip


def _check_value(source: Source, at: Path, parameter: dict[str, Any], *, values_later: bool, severity: Any) -> None:
    name = show(parameter.get("name"))
    value, origin = parameter.get("value"), parameter.get("valueFrom")
    if value is None and origin is None and not values_later:
        source.add(
            severity, "no-value", at, say(
                "The argument {name!r} has no value.",
                name=name,
            ), found="neither value nor valueFrom",
            allowed="value or valueFrom",
            help_text="Add 'value:', or give it at submit."
            if at[:2] == ("spec", "arguments")
            else "Add 'value:', or delete the argument to use the template's default.",
        )  # fmt: skip
    if isinstance(origin, dict):
        good = any(origin.get(k) is not None for k in ("configMapKeyRef", "supplied")) or text(origin.get("event"))
        bad = [k for k in ("path", "jsonPath", "parameter", "expression") if text(origin.get(k))]
        if bad or not good:
            source.add(
                severity, "value-from", (*at, "valueFrom"), "An argument cannot take its value from there.",
                found=", ".join(bad or [show(k) for k in origin]) or "an empty valueFrom",
                allowed="configMapKeyRef (with default) or supplied",
                help_text="Write a value; '{{steps.NAME.outputs.parameters.X}}' passes an output on.",
            )  # fmt: skip
    words = parameter.get("enum")
    if isinstance(words, list) and words:
        if value is None and origin is not None and not values_later:
            source.add(
                severity, "no-value", at, say(
                    "The argument {name!r} has an enum and no value.",
                    name=name,
                ), found="no value",
                allowed="one of " + ", ".join(show(w) for w in words[:20]), help_text="Add 'value:'.",
            )  # fmt: skip
        elif isinstance(value, str) and value not in words:
            source.add(
                severity, "not-allowed", (*at, "value"), say(
                    "The argument {name!r} does not allow this value.",
                    name=name,
                ),
                found=show(value) or "empty text", allowed="one of " + ", ".join(show(w) for w in words[:20]),
                close=value, known=[w for w in words if isinstance(w, str)],
                help_text="Use one of the values, or add this one to enum.",
            )  # fmt: skip


def check_supplied(
    caller: Source,
    path: Path,
    template: Template,
    arguments: Mapping[str, Any],
    *,
    severity: Any = "error",
) -> None:
    """Does the caller at `path` give all the template takes and has no default for?

    `arguments` is the caller's `arguments` mapping. Inputs it does not know are `hints`' business.
    """
    given = {
        p["name"]
        for p in listing(arguments.get("parameters"))
        if isinstance(p, dict)
        and isinstance(p.get("name"), str)
        and (p.get("value") is not None or mapping(p.get("valueFrom")).get("configMapKeyRef") is not None)
    }
    for name in template.required_parameters:
        if name not in given:
            _not_supplied(caller, path, template, "parameter", name, given, severity)
            if caller.collector.full:
                return
    passed = {a["name"] for a in listing(arguments.get("artifacts")) if isinstance(a, dict) and text(a.get("name"))}
    for name in template.required_artifacts:
        if name not in passed:
            _not_supplied(caller, path, template, "artifact", name, passed, severity)
            if caller.collector.full:
                return


def _not_supplied(
    caller: Source, path: Path, template: Template, what: str, name: str, given: set[str], severity: Any
) -> None:
    called = f"template {show(template.name)!r}" if template.name else "the inline template"
    takes = template.input_parameters if what == "parameter" else template.input_artifacts
    slip = nearest(name, sorted(given - set(takes)))
    value = "value: ..." if what == "parameter" else "from: '{{...}}'"
    instead = "give the input a default" if what == "parameter" else "make the input optional"
    source_path = (*path, "arguments") if path and path[-1] not in ("entrypoint", "onExit") else path
    caller.add(
        severity, "not-supplied", source_path, say(
            "The input {what} {name!r} of {called} is not supplied.",
            what=what, name=show(name), called=called,
        ),
        found=", ".join(sorted(show(g) for g in given)[:10]) or f"no {what}s",
        allowed=", ".join(show(t) for t in list(takes)[:20]), close=slip, known=[name],
        help_text=say("Did you mean it by {slip!r}? Rename the argument to {name!r}.", slip=show(slip), name=show(name))
        if slip
        else say(
            "Pass it: arguments.{what}s, '- name: {name}' with {value}; or {instead}.",
            what=what, name=show(name), value=value, instead=instead,
        ),
    )  # fmt: skip


def check_config_maps(source: Source, library: Library, parameters: list[Any]) -> None:
    """Run parameters from ConfigMaps: the map must be there, labelled for parameters, and have the key."""
    for index, parameter in enumerate(parameters):
        origin = mapping(mapping(parameter).get("valueFrom"))
        reference = origin.get("configMapKeyRef")
        if not isinstance(reference, dict) or mapping(parameter).get("value") is not None:
            continue
        name, key = text(reference.get("name")), text(reference.get("key"))
        at: Path = ("spec", "arguments", "parameters", index, "valueFrom", "configMapKeyRef")
        if "{{" in name or "{{" in key:
            continue
        found = library.config_map(name)
        has_default = origin.get("default") is not None
        if found is None or not parameter_config_map(found):
            if has_default:
                continue
            source.error(
                "config-map", (*at, "name"), say("There is no ConfigMap {name!r} for parameters.", name=show(name)),
                found=f"a ConfigMap {show(name)!r} without the label" if found else "no such ConfigMap",
                allowed="a ConfigMap with the label workflows.argoproj.io/configmap-type: Parameter",
                close=name, known=[n for n in library.config_map_names() if n != name],
                help_text="Add the label to the ConfigMap." if found else "Upload the ConfigMap, or write a value.",
            )  # fmt: skip
        elif key not in mapping(found.get("data")) and not has_default:
            source.error(
                "config-map", (*at, "key"), say(
                    "The ConfigMap {name!r} has no key {key!r}.",
                    name=show(name), key=show(key),
                ), found=show(key),
                allowed=", ".join(show(k) for k in list(mapping(found.get("data")))[:20]) or "it is empty",
                close=key, known=list(mapping(found.get("data"))), help_text="Use one of its keys, or add a default.",
            )  # fmt: skip
