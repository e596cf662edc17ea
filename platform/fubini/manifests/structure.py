"""Structural check: is every field known, of the right type and within its limits?

Judges as a Kubernetes API server with Argo's full CRDs and strict field validation does, with the nearest known name
and our own next step. Templates written `inline` are opaque to the CRDs: there only what the controller cannot decode
is an error, an unknown field is a warning. A field whose value is null is as good as absent.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from fubini.common.saying import ours, say
from fubini.manifests.argo_fields import PATTERN_WORDS, PATTERNS
from fubini.manifests.context import Source, listing, mapping
from fubini.manifests.findings import nearest, show
from fubini.manifests.load import Path
from fubini.manifests.schema import (
    API_VERSION,
    KINDS,
    FieldType,
    ObjectType,
    describe,
    object_type,
    object_types,
    type_of_kind,
)

_COMPILED = {name: re.compile(pattern.removesuffix("$") + r"\Z") for name, pattern in PATTERNS.items()}
_QUANTITY = re.compile(
    r"(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?\Z"
)
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")
_LABEL_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
MAX_NAME_CHARS = 63
MAX_LABEL_CHARS = 63
MAX_ANNOTATION_BYTES = 256 * 1024

TEMPLATE_TYPES = (
    "container", "script", "dag", "steps", "suspend", "containerSet", "resource", "data", "http", "plugin"
)  # fmt: skip
ARTIFACT_STORES = ("s3", "git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure", "plugin")


def check_structure(source: Source) -> bool:
    """Check the whole manifest; False when it is not a kind that can be looked into further."""
    document = source.document
    kind = document.get("kind")
    version = document.get("apiVersion")
    if not isinstance(kind, str) or kind not in KINDS:
        source.error(
            "kind", ("kind",), "The manifest's kind is not a pipeline's." if kind is not None else "kind is missing.",
            found=show(kind) if kind is not None else "nothing", allowed="one of " + ", ".join(KINDS),
            close=kind if isinstance(kind, str) else "", known=KINDS, help_text="Write 'kind: Workflow'.",
        )  # fmt: skip
        return False
    if version != API_VERSION:
        source.error(
            "api-version", ("apiVersion",),
            "There is no such version." if version is not None else "apiVersion is missing.",
            found=show(version) if version is not None else "nothing", allowed=API_VERSION,
            help_text=say("Write 'apiVersion: {api_version}'.", api_version=API_VERSION),
        )  # fmt: skip
    known = type_of_kind(kind)
    assert known is not None
    shown = dict(document)
    if shown.pop("status", None) is not None:
        source.warn(
            "status-ignored", ("status",), "status is written by the engine; the one in the manifest is ignored.",
            found="status", allowed="apiVersion, kind, metadata, spec", help_text="Delete it.",
        )  # fmt: skip
    _Walk(source).object((), known, shown, strict=True)
    _metadata(source)
    return isinstance(document.get("spec"), dict)


class _Walk:
    def __init__(self, source: Source):
        self._source = source

    def object(self, path: Path, known: ObjectType, value: dict[str, Any], *, strict: bool) -> None:
        fields = known.fields
        for name, inner in value.items():
            field = fields.get(name)
            if field is None:
                self._unknown(path, known, name, value, strict=strict)
            elif inner is not None:
                self.value((*path, name), field.type, inner, strict=strict)
            if self._source.collector.full:
                return
        if strict:
            for name in known.required:
                if value.get(name) is None:
                    help_text = known.fields[name].help
                    self._source.error(
                        "missing", (*path, name), say("{name} is missing.", name=name), found="nothing",
                        allowed=describe(fields[name].type), help_text=say("Add '{name}:'. {help}", name=name, help=ours(help_text)),
                    )  # fmt: skip
            rule = _RULES.get(known.name)
            if rule is not None:
                rule(self._source, path, value)

    def value(self, path: Path, expected: FieldType, value: Any, *, strict: bool) -> None:
        if expected.shape == "type":
            if isinstance(value, dict):
                self.object(path, object_type(expected.name), value, strict=strict)
            else:
                self._wrong(path, expected, value)
        elif expected.shape == "list":
            self._list(path, expected, value, strict=strict)
        elif expected.shape == "map":
            self._map(path, expected, value, strict=strict)
        else:
            self._scalar(path, expected, value, strict=strict)

    def _list(self, path: Path, expected: FieldType, value: Any, *, strict: bool) -> None:
        inner = expected.inner
        assert inner is not None
        if not isinstance(value, list):
            self._wrong(path, expected, value)
            return
        if expected.least is not None and len(value) < expected.least and strict:
            self._source.error(
                "too-few", path, "The list is empty.", found="an empty list", allowed=say(
                    "at least {least}",
                    least=expected.least,
                ),
                help_text="Add an item, or delete the field.",
            )  # fmt: skip
        if expected.most is not None and len(value) > expected.most and strict:
            self._source.warn(
                "many-items", path, say("Argo's API server takes at most {most} here.", most=expected.most),
                found=f"{len(value)} items", allowed=say(
                    "at most {most} on a cluster with Argo's full CRDs",
                    most=expected.most,
                ),
                help_text="Use a loop, or split the template, if the manifest is to run on Argo too.",
            )  # fmt: skip
        if inner.name == "s" and not inner.pattern:
            # The commonest list, kept fast.
            for index, item in enumerate(value):
                if type(item) is not str:
                    self._wrong((*path, index), inner, item)
                    if self._source.collector.full:
                        return
            return
        for index, item in enumerate(value):
            self.value((*path, index), inner, item, strict=strict) if item is not None else self._wrong(
                (*path, index), inner, item
            )
            if self._source.collector.full:
                return
        if expected.unique_by and strict:
            self._unique(path, expected.unique_by, value)

    def _unique(self, path: Path, keys: tuple[str, ...], value: list[Any]) -> None:
        seen: dict[tuple[str, ...], int] = {}
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                continue
            identity = tuple(str(item.get(k, "TCP" if k == "protocol" else "")) for k in keys)
            if identity in seen:
                self._source.error(
                    "duplicate", (*path, index, keys[0]), say(
                        "Two items of the list have the same {names}.",
                        names=' and '.join(keys),
                    ),
                    found=f"{show(identity[0])}, also in item {seen[identity]}", allowed=say(
                        "each {keys} once",
                        keys=keys[0],
                    ),
                    help_text="Delete one of the two, or change it.",
                )  # fmt: skip
            else:
                seen[identity] = index

    def _map(self, path: Path, expected: FieldType, value: Any, *, strict: bool) -> None:
        inner = expected.inner
        assert inner is not None
        if not isinstance(value, dict):
            self._wrong(path, expected, value)
            return
        for name, item in value.items():
            if item is not None or inner.name == "s":
                self.value((*path, name), inner, item, strict=strict)
            if self._source.collector.full:
                return

    def _scalar(self, path: Path, expected: FieldType, value: Any, *, strict: bool) -> None:
        name = expected.name
        kind = type(value)
        if name == "s":
            if kind is not str:
                self._wrong(path, expected, value)
                return
            if strict:
                self._text(path, expected, value)
        elif name in ("i32", "i64"):
            bits = 31 if name == "i32" else 63
            if kind is not int:
                self._wrong(path, expected, value)
            elif not -(1 << bits) <= value < (1 << bits):
                self._source.error(
                    "number-range", path, "The number is too large.", found=show(value),
                    allowed=say("a whole number below {what:,}", what=1 << bits), help_text="Write a smaller number.",
                )  # fmt: skip
            elif strict:
                self._range(path, expected, value)
        elif name == "b":
            if kind is not bool:
                self._wrong(path, expected, value)
        elif name == "n":
            if kind not in (int, float):
                self._wrong(path, expected, value)
        elif name == "is":
            if kind not in (int, str):
                self._wrong(path, expected, value)
        elif name == "q":
            if kind is str and not _QUANTITY.match(value):
                tags = "{{" in value
                self._source.error(
                    "quantity", path, "This is not a quantity.", found=show(value), allowed=describe(expected),
                    help_text=(
                        "A quantity cannot hold a {{variable}}; write a number, or set it by podSpecPatch."
                        if tags
                        else "Write a number with an optional unit: m, k, M, G, Ki, Mi, Gi."
                    ),
                )  # fmt: skip
            elif kind not in (int, str):
                self._wrong(path, expected, value)
        elif name == "obj":
            if kind is not dict:
                self._wrong(path, expected, value)
        elif path and path[-1] == "inline":
            if kind is dict:
                self.object(path, object_type("Template"), value, strict=False)
            else:
                self._wrong(path, FieldType("type", "Template"), value)

    def _text(self, path: Path, expected: FieldType, value: str) -> None:
        if expected.words and value not in expected.words:
            self._source.error(
                "not-allowed", path, say(
                    "{path} does not know this word.",
                    path=path[-1],
                ), found=show(value) or "empty text",
                allowed=describe(expected), close=value, known=expected.words, help_text="Use one of the words.",
            )  # fmt: skip
        elif expected.pattern and not _COMPILED[expected.pattern].match(value):
            self._source.error(
                "name-pattern", path, "The name has characters that are not allowed here.",
                found=show(value) or "empty text", allowed=PATTERN_WORDS[expected.pattern],
                help_text=_valid_name(value, expected.pattern),
            )  # fmt: skip
        elif expected.max_length is not None and len(value) > expected.max_length:
            self._source.error(
                "too-long", path, "The text is too long.", found=f"{len(value):,} characters",
                allowed=say("at most {max_length}", max_length=expected.max_length), help_text="Use a shorter text.",
            )  # fmt: skip
        elif expected.least is not None and len(value) < expected.least:
            self._source.error(
                "empty-text", path, say("{path} is empty.", path=path[-1]), found="empty text", allowed="text",
                help_text="Write a value, or delete the field.",
            )  # fmt: skip

    def _range(self, path: Path, expected: FieldType, value: int) -> None:
        low, high = expected.minimum, expected.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            allowed = f"at least {low}" if high is None else f"{low} to {high}"
            octal = path[-1] == "mode"
            self._source.error(
                "number-range", path, "The number is out of range.", found=show(value), allowed=allowed,
                help_text="File modes are decimal: 0755 is 493, or write 0755 with its leading zero."
                if octal
                else "Write a number in that range.",
            )  # fmt: skip

    def _unknown(self, path: Path, known: ObjectType, name: str, value: dict[str, Any], *, strict: bool) -> None:
        absent = [n for n in known.fields if n not in value]
        suggestion = nearest(name, absent)
        elsewhere = "" if suggestion else _home_of(name, known.name)
        if suggestion:
            advice: str = say("Did you mean {name!r}? {help}", name=suggestion, help=ours(known.fields[suggestion].help))
        elif elsewhere:
            advice = elsewhere
        elif name in ("true", "false"):
            advice = "YAML reads y, n, yes, no, on and off as true or false: put the name in quotes."
        else:
            advice = "Delete it, or check its indentation."
        names = list(known.fields)
        self._source.add(
            "error" if strict else "warning",
            "unknown-field", (*path, name),
            say(
                "There is no field {name!r} here.",
                name=show(name),
            ) if strict else say(
                "Argo ignores the field {name!r} here.",
                name=show(name),
            ),
            found=show(name), allowed=", ".join(names[:40]) + (" and others" if len(names) > 40 else ""),
            close=suggestion, known=[suggestion], help_text=advice,
        )  # fmt: skip

    def _wrong(self, path: Path, expected: FieldType, value: Any) -> None:
        found = show(value)
        advice = "Change the value."
        if expected.name == "s" and isinstance(value, bool | int | float):
            word = self._source.word(path) or found
            found = word if word == found else f"{word}, which YAML reads as {found}"
            advice = f"Quote it: '{word}'."
        elif expected.name == "s" and value is None:
            advice = "Quote it if the word null is meant, write '' for an empty text, or delete the item."
        elif expected.name == "s" and isinstance(value, dict) and len(value) == 1 and None in value.values():
            advice = "Quote it if a {{variable}} is meant: '{{...}}'."
        elif expected.name == "s" and isinstance(value, dict | list):
            advice = "Write text; JSON goes in single quotes."
        elif expected.name in ("i32", "i64", "b", "n") and isinstance(value, str):
            advice = "Take the quotes away." if _looks_like(expected.name, value) else f"Write {describe(expected)}."
            if "{{" in value:
                advice = "A {{variable}} is text and cannot stand here: write the value itself."
        elif expected.name in ("i32", "i64", "is") and isinstance(value, float):
            advice = "Write a whole number."
        elif expected.shape == "list" and not isinstance(value, list):
            advice = "Begin each item with '- '." if isinstance(value, dict) else f"Write a list: [{found}]."
            if path and path[-1] == "steps" and isinstance(value, dict):
                advice = "steps is a list of lists: begin the first step of each group with '- - '."
        elif expected.shape in ("type", "map") and isinstance(value, list):
            advice = "Write 'name: value' lines, without '- '."
        if len(path) > 1 and path[-2] == "steps" and expected.shape == "list" and isinstance(value, dict):
            advice = "steps is a list of lists: begin the first step of each group with '- - '."
        self._source.error(
            "wrong-type", path, say(
                "{sentence} is wanted here, not {kind_of}.",
                sentence=_sentence(describe(expected)), kind_of=_kind_of(value),
            ),
            found=found, allowed=describe(expected), help_text=advice,
        )  # fmt: skip


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else "null"


def _looks_like(name: str, value: str) -> bool:
    if name == "b":
        return value.lower() in ("true", "false")
    return re.match(r"[-+]?[0-9]+\Z", value) is not None


def _valid_name(name: str, pattern: str) -> str:
    allowed = "-a-zA-Z0-9" if pattern == "field" else "-a-zA-Z0-9_"
    cleaned = re.sub(f"[^{allowed}]+", "-", name).strip("-")[:60]
    return f"Write it as '{cleaned}'." if cleaned else "Give it a name."


def _home_of(name: str, here: str) -> str:
    """Where a field that is unknown here belongs, if there is one clear place."""
    places = {
        "Workflow": "at the top",
        "WorkflowSpec": "in spec",
        "Template": "in a template",
        "Step": "in a step",
        "Task": "in a task",
        "Container": "in container",
        "DAG": "in dag",
        "RetryStrategy": "in retryStrategy",
        "ObjectMeta": "in metadata",
        "Arguments": "in arguments",
        "Backoff": "in retryStrategy.backoff",
        "ValueFrom": "in valueFrom",
        "Sequence": "in withSequence",
    }
    homes = [
        words for type_name, words in places.items() if type_name != here and name in object_type(type_name).fields
    ]
    return f"'{name}' belongs {' or '.join(homes[:3])}: check the indentation." if homes else ""


# --- rules over several fields of one object ---------------------------------------------------------------------


def _has(value: dict[str, Any], name: str) -> bool:
    return value.get(name) is not None


def _artifact(source: Source, path: Path, value: dict[str, Any]) -> None:
    stores = [name for name in ARTIFACT_STORES if _has(value, name)]
    if len(stores) > 1:
        source.error(
            "several-locations", path, "An artifact has one location.", found=", ".join(stores), allowed="one of them",
            help_text="Delete all but one.",
        )  # fmt: skip


def _task(source: Source, path: Path, value: dict[str, Any]) -> None:
    if _has(value, "depends") and _has(value, "dependencies"):
        source.error(
            "depends-and-dependencies", (*path, "dependencies"), "A task cannot have both depends and dependencies.",
            found="both", allowed="one of them",
            help_text="Write the dependencies into depends, joined by '&&'.",
        )  # fmt: skip
    if _has(value, "depends") and _has(value, "continueOn"):
        source.error(
            "continue-on-with-depends", (*path, "continueOn"), "A task with depends cannot have continueOn.",
            found="both", allowed="one of them",
            help_text="Delete continueOn; in the tasks that follow write 'NAME.Succeeded || NAME.Failed'.",
        )  # fmt: skip

    name = value.get("name")
    if (_has(value, "depends") or _has(value, "dependencies")) and isinstance(name, str) and name[:1].isdigit():
        source.error(
            "digit-name", (*path, "name"), "In a dag with dependencies no name begins with a digit.",
            found=show(name), allowed="a name that begins with a letter", help_text=say(
                "Call it 'task-{name}'.",
                name=show(name),
            ),
        )  # fmt: skip


def _http_body(source: Source, path: Path, value: dict[str, Any]) -> None:
    written = value.get("bytes")
    if not isinstance(written, str):
        return
    try:
        base64.b64decode("".join(written.split()), validate=True)
    except ValueError:
        source.error(
            "base64", (*path, "bytes"), "The body's bytes are not base64.", found=show(written),
            allowed="base64, of letters, digits, '+', '/' and '=' at the end",
            help_text="Encode them, or write text in http.body.",
        )  # fmt: skip


def _exit_codes(source: Source, path: Path, value: dict[str, Any]) -> None:
    codes = listing(value.get("values"))
    for index, code in enumerate(codes):
        if code in codes[:index]:
            source.error(
                "duplicate", (*path, "values", index), "The list names an exit code twice.", found=show(code),
                allowed="each code once", help_text="Delete one of the two.",
            )  # fmt: skip
            return


def _sequence(source: Source, path: Path, value: dict[str, Any]) -> None:
    if _has(value, "count") and _has(value, "end"):
        source.error(
            "count-and-end", (*path, "end"), "withSequence has both count and end.", found="both",
            allowed="one of them", help_text="Delete one: count says how many numbers, end the last of them.",
        )  # fmt: skip


def _gauge(source: Source, path: Path, value: dict[str, Any]) -> None:
    if value.get("realtime") is True and "resourcesDuration." in str(value.get("value") or ""):
        source.error(
            "realtime-resources", (*path, "value"), "A real-time gauge cannot show resourcesDuration.",
            found=show(value.get("value")), allowed="a value that is known while the step runs, such as duration",
            help_text="Set realtime to false.",
        )  # fmt: skip


def _resource(source: Source, path: Path, value: dict[str, Any]) -> None:
    if _has(value, "manifest") and _has(value, "manifestFrom"):
        source.error(
            "two-manifests", (*path, "manifestFrom"), "A resource has both manifest and manifestFrom.", found="both",
            allowed="one of them", help_text="Delete one.",
        )  # fmt: skip


def _spec(source: Source, path: Path, value: dict[str, Any]) -> None:
    templates = value.get("templates")
    for index, template in enumerate(templates if isinstance(templates, list) else ()):
        if isinstance(template, dict):
            check_template_shape(source, (*path, "templates", index), template)


def check_template_shape(source: Source, path: Path, template: dict[str, Any]) -> None:
    """At most one type; timeouts of the right sort of template. (Inline ones are checked through the same door.)"""
    types = [name for name in TEMPLATE_TYPES if _has(template, name)]
    if len(types) > 1:
        source.error(
            "several-types", (*path, types[1]), "A template has exactly one type.", found=" and ".join(types),
            allowed="one of " + ", ".join(TEMPLATE_TYPES),
            help_text="Split it into two templates, and call both from steps or a dag.",
        )  # fmt: skip
    for name in ("timeout", "activeDeadlineSeconds"):
        if template.get(name) not in (None, "") and ("steps" in types or "dag" in types):
            source.error(
                "leaf-only", (*path, name), say(
                    "{name} is only for templates that run something themselves.",
                    name=name,
                ),
                found=f"{name} on a {'steps' if 'steps' in types else 'dag'} template",
                allowed="container, script and other leaf templates",
                help_text="Move it to the leaf templates, or to spec.activeDeadlineSeconds for the whole run.",
            )  # fmt: skip


_RULES: dict[str, Callable[[Source, Path, dict[str, Any]], None]] = {
    "Artifact": _artifact,
    "ArtifactLocation": _artifact,
    "Task": _task,
    "Sequence": _sequence,
    "Gauge": _gauge,
    "Resource": _resource,
    "HTTPBody": _http_body,
    "ExitCodes": _exit_codes,
    "WorkflowSpec": _spec,
}
assert all(name in object_types() for name in _RULES)


# --- metadata ----------------------------------------------------------------------------------------------------


def _metadata(source: Source) -> None:
    metadata = mapping(source.document.get("metadata"))
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if isinstance(name, str) and name:
        if not _DNS_NAME.match(name):
            cleaned = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:MAX_NAME_CHARS]
            source.error(
                "object-name", ("metadata", "name"), "This cannot be a manifest's name.", found=show(name),
                allowed="lower case letters, digits, '-' and '.', beginning and ending with a letter or digit",
                help_text=say("Write it as '{cleaned}'.", cleaned=cleaned) if cleaned else "Give it a name.",
            )  # fmt: skip
        elif len(name) > MAX_NAME_CHARS:
            source.error(
                "object-name", ("metadata", "name"), "The name is too long.", found=f"{len(name)} characters",
                allowed=say("at most {max_name_chars}", max_name_chars=MAX_NAME_CHARS), help_text="Use a shorter name.",
            )  # fmt: skip
    elif isinstance(prefix, str) and prefix:
        if not _DNS_NAME.match(prefix.rstrip("-.") or prefix):
            source.error(
                "object-name", ("metadata", "generateName"), "This cannot be the begin of a manifest's name.",
                found=show(prefix), allowed="lower case letters, digits, '-' and '.'", help_text="Change it.",
            )  # fmt: skip
    elif "metadata" in source.document and name in (None, "") and prefix in (None, ""):
        source.warn(
            "no-name", ("metadata",), "The manifest has no name; Argo would refuse it.", found="neither",
            allowed="name or generateName", help_text="Add 'name:' under metadata.",
        )  # fmt: skip
    check_labels(source, ("metadata", "labels"), metadata.get("labels"))
    _annotations(source, ("metadata", "annotations"), metadata.get("annotations"))


def check_labels(source: Source, path: Path, labels: Any) -> None:
    for key, value in mapping(labels).items():
        _qualified(source, (*path, key), key, "label")
        if isinstance(value, str) and not (len(value) <= MAX_LABEL_CHARS and _LABEL_VALUE.match(value)):
            source.error(
                "label-value", (*path, key), "This cannot be a label's value.", found=show(value),
                allowed="at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
                help_text="Use an annotation for free text.",
            )  # fmt: skip


def _annotations(source: Source, path: Path, annotations: Any) -> None:
    total = 0
    for key, value in mapping(annotations).items():
        _qualified(source, (*path, key), key.lower(), "annotation")
        total += len(key) + (len(value.encode("utf-8", "replace")) if isinstance(value, str) else 0)
    if total > MAX_ANNOTATION_BYTES:
        source.error(
            "annotations-size", path, "The annotations are too large.", found=f"{total:,} bytes",
            allowed=say(
                "at most {max_annotation_bytes:,} bytes",
                max_annotation_bytes=MAX_ANNOTATION_BYTES,
            ), help_text="Move long text into a parameter or a file.",
        )  # fmt: skip


def _qualified(source: Source, path: Path, key: str, what: str) -> None:
    prefix, slash, name = key.rpartition("/")
    good = bool(_LABEL_NAME.match(name)) and len(name) <= MAX_LABEL_CHARS
    if slash:
        good = good and bool(_DNS_NAME.match(prefix)) and len(prefix) <= 253
    if not good:
        source.error(
            say(
                "{what}-name",
                what=what,
            ), path, f"This cannot be a {what}'s name.".replace("a a", "an a"), found=show(key),
            allowed="NAME or DOMAIN/NAME, of letters, digits, '-', '_' and '.'", help_text="Change the name.",
        )  # fmt: skip
