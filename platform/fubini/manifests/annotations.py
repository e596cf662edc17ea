"""Our own annotations, ``fubini.dev/...``: how long, how many, how urgent, and how a parameter looks in a form.

They stand on the manifest (defaults for its templates, and the ``input.NAME`` descriptions) and on a template's
metadata. An annotation that we do not know is a warning, a value that we cannot read is an error; values with a
{{variable}} are read when the step starts. The values given at submit are held to the forms.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

import yaml

from fubini.common.saying import say
from fubini.language import durations
from fubini.language.errors import LanguageError
from fubini.manifests.about import PICTURES, SUMMARY_MAX, TITLE_MAX, is_picture_name, tags_of, words_of
from fubini.manifests.context import Source, listing, mapping
from fubini.manifests.findings import show
from fubini.manifests.load import Path

PREFIX = "fubini.dev/"
PRIORITIES = ("interactive", "normal", "opportunistic")
OBJECTIVES = ("fastest", "cheapest", "balanced")
PLACES = ("accelerator", "site", "pool", "region")
LANGUAGES = frozenset({"en", "zh"})
FORM_KEYS = ("type", "unit", "range", "choices", "help", "title", "required", "dataset", "default", "step", "multiline", "group")
FORM_TYPES = ("text", "number", "integer", "boolean", "choice", "dataset", "file", "date", "list", "json")
DATA_TYPES = ("dataset", "file")  # a volume claim: a dataset's name, or NAME-vNUMBER
Claims = Callable[[Collection[str]], Collection[str]]
MAX_FORM_CHARS = 16_384
MAX_FORMS = 300
MAX_COUNT = 1_000_000

MAX_CHARS = {"title": 4 * TITLE_MAX, "summary": 4 * SUMMARY_MAX, "tags": 512}  # others: 256

_COUNT = re.compile(r"[1-9][0-9]{0,6}\Z")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?\Z")


def _is_duration(value: str) -> bool:
    try:
        durations.parse_walltime_s(value)
    except LanguageError:
        return False
    return True


def _is_deadline(value: str) -> bool:
    return _TIME.match(value) is not None or _is_duration(value)


def _is_count(value: str) -> bool:
    return _COUNT.match(value) is not None and int(value) <= MAX_COUNT


def _is_speedup(value: str) -> bool:
    """One number, or ``kind: number`` pairs: how much faster than on one CPU core a kind of machine is."""
    parts = [part.partition(":")[2] or part for part in re.split(r"[,;]\s*", value.strip())]
    return all(_NUMBER.match(part.strip()) and float(part) > 0 for part in parts)


def _is_title(value: str) -> bool:
    return words_of(value, most=TITLE_MAX) is not None


def _is_summary(value: str) -> bool:
    return words_of(value, most=SUMMARY_MAX) is not None


def _are_tags(value: str) -> bool:
    return tags_of(value) is not None


# name -> (test, allowed, example)
KNOWN: dict[str, tuple[Callable[[str], bool], str, str]] = {
    "walltime": (_is_duration, "a time longer than zero: 1h30m, 01:30:00 or seconds", "1h30m"),
    "nodes": (_is_count, "a whole number above 0", "2"),
    "tasks-per-node": (_is_count, "a whole number above 0", "8"),
    "priority": (PRIORITIES.__contains__, "one of " + ", ".join(PRIORITIES), "normal"),
    "exclusive": (("true", "false").__contains__, "true or false, in quotes", "true"),
    "checkpoint": (lambda v: v.startswith("/") and ".." not in v.split("/"), "an absolute path", "/data/checkpoint"),
    "objective": (OBJECTIVES.__contains__, "one of " + ", ".join(OBJECTIVES), "balanced"),
    "deadline": (_is_deadline, "a time such as 2027-01-31T18:00:00Z, or a duration from submit", "24h"),
    "title": (_is_title, f"at most {TITLE_MAX} characters of text, or {{en: text, zh: text}}", "Ising model"),
    "summary": (_is_summary, f"at most {SUMMARY_MAX} characters of text, or {{en: text, zh: text}}", "{en: A sweep}"),
    "tags": (_are_tags, "at most 12 words between commas", "chemistry, sweep"),
    "picture": (is_picture_name, f"a file beside the manifest that ends in {', '.join(PICTURES)}", "picture.png"),
    "speedup": (_is_speedup, "a number above 0, or KIND:NUMBER pairs with commas", "gpu:12"),
}


def check_annotations(source: Source) -> dict[str, dict[str, Any]]:
    """Check all our annotations; returns the parsed ``input.NAME`` forms by parameter."""
    document = source.document
    spec = mapping(document.get("spec"))
    declared = {
        p["name"]: None
        for p in listing(mapping(spec.get("arguments")).get("parameters"))
        if isinstance(p, dict) and isinstance(p.get("name"), str)
    }
    forms = _at(source, ("metadata", "annotations"), mapping(document.get("metadata")).get("annotations"), declared)
    _at(source, ("spec", "podMetadata", "annotations"), mapping(spec.get("podMetadata")).get("annotations"), None)
    defaults = mapping(spec.get("templateDefaults"))
    _template(source, ("spec", "templateDefaults"), defaults)
    _place_labels(source, ("spec",), spec)
    for index, template in enumerate(listing(spec.get("templates"))):
        if isinstance(template, dict):
            _template(source, ("spec", "templates", index), template)
        if source.collector.full:
            break
    return forms


def _template(source: Source, path: Path, template: dict[str, Any]) -> None:
    _at(source, (*path, "metadata", "annotations"), mapping(template.get("metadata")).get("annotations"), None)
    _at(source, (*path, "annotations"), template.get("annotations"), None)
    _place_labels(source, path, template)


def _at(source: Source, path: Path, annotations: Any, declared: Mapping[str, None] | None) -> dict[str, dict[str, Any]]:
    """The annotations at one place. `declared` are the parameters that may have a form, None where forms are not."""
    forms: dict[str, dict[str, Any]] = {}
    for key, value in mapping(annotations).items():
        if not key.startswith(PREFIX) or not isinstance(value, str):
            continue
        name, at = key[len(PREFIX) :], (*path, key)
        if name.startswith("input."):
            if declared is None:
                source.warn(
                    "annotation-place", at, "A form stands on the manifest, not on a template; it is ignored.",
                    found=show(key), allowed="metadata.annotations of the manifest", help_text="Move it there.",
                )  # fmt: skip
            else:
                form = _form(source, at, name[6:], value, declared)
                if form is not None:
                    forms[name[6:]] = form
            continue
        known = KNOWN.get(name)
        if known is None:
            source.warn(
                "unknown-annotation", at, say(
                    "There is no annotation {key!r}; it is ignored.",
                    key=show(key),
                ), found=show(key),
                allowed=", ".join(PREFIX + k for k in (*KNOWN, "input.NAME")), close=key,
                known=[PREFIX + k for k in KNOWN], help_text="Correct its name, or delete it.",
            )  # fmt: skip
            continue
        good, allowed, example = known
        if "{{" not in value and (len(value) > MAX_CHARS.get(name, 256) or not good(value.strip())):
            source.error(
                "annotation-value", at, say(
                    "{prefix}{name} cannot be read.",
                    prefix=PREFIX, name=name,
                ), found=show(value) or "empty text",
                allowed=allowed, close=value, known=(*PRIORITIES, *OBJECTIVES) if "one of" in allowed else (),
                help_text=say(
                    "Write it like \"{prefix}{name}: '{example}'\".",
                    prefix=PREFIX, name=name, example=example,
                ),
            )  # fmt: skip
        if source.collector.full:
            break
    return forms


def _place_labels(source: Source, path: Path, holder: dict[str, Any]) -> None:
    """Place conditions on labels of ours that no place has would never be met."""

    def look(at: Path, key: Any) -> None:
        if isinstance(key, str) and key.startswith(PREFIX) and key[len(PREFIX) :] not in PLACES:
            source.warn(
                "unknown-place-label", at, say("No place has a label {key!r}; nothing will match.", key=show(key)),
                found=show(key), allowed=", ".join(PREFIX + p for p in PLACES), close=key,
                known=[PREFIX + p for p in PLACES], help_text="Use one of the labels.",
            )  # fmt: skip

    for key in mapping(holder.get("nodeSelector")):
        look((*path, "nodeSelector", key), key)
    affinity: Path = (*path, "affinity", "nodeAffinity")
    node = mapping(mapping(holder.get("affinity")).get("nodeAffinity"))
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    terms: list[tuple[Path, Any]] = [
        ((*affinity, required, "nodeSelectorTerms", i), term)
        for i, term in enumerate(listing(mapping(node.get(required)).get("nodeSelectorTerms")))
    ] + [
        ((*affinity, preferred, i, "preference"), mapping(term).get("preference"))
        for i, term in enumerate(listing(node.get(preferred)))
    ]
    for at, term in terms:
        for index, condition in enumerate(listing(mapping(term).get("matchExpressions"))):
            look((*at, "matchExpressions", index, "key"), mapping(condition).get("key"))


# --- forms -------------------------------------------------------------------------------------------------------


class _FormLoader(yaml.SafeLoader):
    """YAML without dates: a form's choices stay the words they are."""


_FormLoader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _form(source: Source, at: Path, name: str, value: str, declared: Mapping[str, None]) -> dict[str, Any] | None:
    if name not in declared:
        source.warn(
            "unknown-parameter", at, say(
                "The form describes a parameter {name!r} that is not declared.",
                name=show(name),
            ),
            found=show(name), allowed=", ".join(show(d) for d in list(declared)[:20]) or "no parameters are declared",
            close=name, known=declared, help_text="Declare it in spec.arguments.parameters, or correct the name.",
        )  # fmt: skip
    if name not in declared or source.forms_read >= MAX_FORMS:
        return None
    source.forms_read += 1
    form = _parse_form(value)
    if form is None:
        _bad_form(source, at, "The form cannot be read.", value, "a mapping such as {type: number, range: [0, 1]}")
        return None
    problem = _form_problem(form)
    if problem:
        _bad_form(source, at, *problem)
        return None
    return form


def _bad_form(source: Source, at: Path, message: str, found: Any, allowed: str, close: str = "") -> None:
    known = FORM_KEYS if allowed.startswith("one of type") else FORM_TYPES
    source.error(
        "form", at, message, found=show(found) or "empty text", allowed=allowed, close=close, known=known,
        help_text="Write YAML in one line: '{type: number, unit: eV, range: [0, 10], help: Energy}'.",
    )  # fmt: skip


def _parse_form(value: str) -> dict[str, Any] | None:
    """The mapping in an annotation; None for anything else. Anchors, tags and deep nesting are not for forms."""
    if len(value) > MAX_FORM_CHARS:
        return None
    try:
        depth = 0
        for event in yaml.parse(value, Loader=_FormLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
                return None
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > 6:
                return None
        form = yaml.load(value, Loader=_FormLoader)  # noqa: S506 - a SafeLoader
        json.dumps(form, allow_nan=False)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    return form if isinstance(form, dict) and all(isinstance(k, str) for k in form) else None


def _form_problem(form: Mapping[str, Any]) -> tuple[str, Any, str] | tuple[str, Any, str, str] | None:
    for key in form:
        if key not in FORM_KEYS:
            return f"A form has no {show(key)!r}.", key, "one of " + ", ".join(FORM_KEYS), key
    kind = form.get("type", "text")
    if kind not in FORM_TYPES:
        return "The form's type is not known.", kind, "one of the types " + ", ".join(FORM_TYPES), str(kind)
    if "range" in form:
        ends = form["range"]
        good = isinstance(ends, list) and len(ends) == 2 and all(_finite(e) or e is None for e in ends)
        if not good:
            return "The form's range is not two numbers.", ends, "[lowest, highest]; null for no end"
        if None not in ends and ends[0] > ends[1]:
            return "The form's range is empty.", f"[{ends[0]}, {ends[1]}]", "the lowest number first"
    if "choices" in form:
        choices = form["choices"]
        if not isinstance(choices, list) or not choices or not all(isinstance(c, str | int | float) for c in choices):
            return "The form's choices are not a list.", choices, "a list of words or numbers"
    if not isinstance(form.get("unit", ""), str):
        return "The form's unit is not text.", form["unit"], "text"
    for key in ("help", "title", "group"):
        text = form.get(key, "")
        if not isinstance(text, str) and not _translated(text):
            return f"The form's {key} is not text.", text, "text, or {en: text, zh: text}"
    return None


def _translated(text: Any) -> bool:
    """The same text by language."""
    return (
        isinstance(text, dict)
        and bool(text)
        and set(text) <= LANGUAGES
        and all(isinstance(t, str) for t in text.values())
    )


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_values(
    source: Source,
    forms: Mapping[str, dict[str, Any]],
    values: Mapping[str, str],
    *,
    claims: Claims | None = None,
    submit: bool = True,
) -> None:
    """Hold the values a run would start with to the forms of their parameters.

    Args:
        claims: which of some claims mean a dataset version now; None where that is not to be judged.
        submit: a run is to start. Otherwise a dataset that is not there yet is a warning: it may be by then.
    """
    spec = mapping(source.document.get("spec"))
    places = {
        p["name"]: index
        for index, p in enumerate(listing(mapping(spec.get("arguments")).get("parameters")))
        if isinstance(p, dict) and isinstance(p.get("name"), str)
    }
    for name, form in forms.items():
        value = values.get(name)
        if value is None or "{{" in value:
            continue
        path: Path = ("spec", "arguments")
        if name in places:
            path = (*path, "parameters", places[name], "value")
        if form.get("type") in DATA_TYPES and value and claims is not None and value not in claims([value]):
            (source.error if submit else source.warn)(
                "parameter-dataset", path, f"The parameter {show(name)!r} names a dataset that is not in this project.",
                found=show(value), allowed="the name of a dataset, or NAME-vNUMBER for one of its versions",
                help_text="Upload it first (fubini data upload PATH --name NAME), or see `fubini data list`.",
            )  # fmt: skip
            continue
        problem = _value_problem(form, value)
        if problem:
            source.error(
                "parameter-value", path, say("The parameter {name!r} does not take this value.", name=show(name)),
                found=show(value) or "empty text", allowed=problem, help_text="Give another value, or change the form.",
            )  # fmt: skip


def _value_problem(form: Mapping[str, Any], value: str) -> str:
    """What is allowed instead of `value`; "" when it is fine."""
    kind = form.get("type", "text")
    unit = f" {form['unit']}" if form.get("unit") else ""
    if kind == "boolean" and value not in ("true", "false"):
        return "true or false"
    if kind in ("number", "integer"):
        try:
            number = float(value) if len(value) < 64 else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (kind == "integer" and not re.match(r"[-+]?[0-9]+\Z", value)):
            return "a whole number" if kind == "integer" else "a number"
        low, high = form.get("range") or (None, None)
        if (low is not None and number < low) or (high is not None and number > high):
            ends = (
                f"{low} to {high}" if None not in (low, high) else f"{low} or more" if high is None else f"up to {high}"
            )
            return ends + unit
    if kind == "date" and not _is_date(value):
        return "a date such as 2027-01-31"
    if kind in ("json", "list") and not _is_json(value, list if kind == "list" else object):
        return "a JSON list such as [1, 2]" if kind == "list" else "JSON"
    choices = form.get("choices")
    if choices and kind != "list" and value not in [_choice(c) for c in choices]:
        return "one of " + ", ".join(show(c) for c in choices[:20])
    return ""


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_json(value: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(value), kind)
    except (ValueError, RecursionError):
        return False


def _choice(choice: Any) -> str:
    return ("true" if choice else "false") if isinstance(choice, bool) else str(choice)
