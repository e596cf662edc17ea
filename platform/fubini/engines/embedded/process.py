"""Arguments into a template: which value each input gets, and the passes in which tags are replaced.

A template's texts are replaced in two passes, first names that hold everywhere (`workflow.*`, the node's own), then
its inputs, because a globally replaced value may be an input's. An attempt of a retry adds two passes of its own.
Texts are replaced when they are needed, not all at once: a step group sees the outputs of the groups before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fubini.engines.embedded.program import Template, has_tags
from fubini.engines.embedded.scope import References, VariableScope, evaluate_any
from fubini.language import gojson, tags
from fubini.language.errors import LanguageError

ABSENT = "\x00absent"  # an argument that refers to a skipped step's output: as if it were not given

# Where a file comes from or goes to; anything else in an artifact says what it is called and how it is handled.
LOCATIONS = ("s3", "gcs", "http", "git", "artifactory", "hdfs", "oss", "raw", "azure", "plugin", "key")


class EngineError(Exception):
    """What a node shows as its message; `missing` says that Argo would wait for ever."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.missing = missing


def walk(value: Any, change: Callable[[str], str]) -> Any:
    """A value with every text in it changed; unchanged parts are shared with the original."""
    kind = type(value)
    if kind is str:
        return change(value) if tags.OPEN in value else value
    if kind is dict:
        out: dict[str, Any] | None = None
        for key, element in value.items():
            new_key = change(key) if tags.OPEN in key else key
            new = walk(element, change)
            if new is not element or new_key is not key:
                if out is None:
                    out = dict(value)
                if new_key is not key:
                    del out[key]
                out[new_key] = new
        return value if out is None else out
    if kind is list:
        changed: list[Any] | None = None
        for n, element in enumerate(value):
            new = walk(element, change)
            if new is not element:
                if changed is None:
                    changed = list(value)
                changed[n] = new
        return value if changed is None else changed
    return value


def replace(text: str, scope: VariableScope, strict: tags.Strict = tags.never) -> str:
    """One pass.

    Raises:
        EngineError: the sentence of the failing tag.
    """
    try:
        return tags.replace(text, scope, strict)
    except tags.SubstitutionError as error:
        raise EngineError(error.message, missing=error.missing) from None
    except LanguageError as error:
        raise EngineError(error.message) from None


class Processed:
    """A template with its arguments: inputs resolved, texts replaced on demand by `sub`."""

    __slots__ = ("artifacts", "globals", "locals", "parameters", "passes", "template")

    def __init__(
        self,
        template: Template,
        globals_: Mapping[str, Any],
        locals_: Mapping[str, str],
        parameters: list[tuple[str, str]],
        artifacts: list[dict[str, Any]],
    ) -> None:
        self.template = template
        self.globals = globals_
        self.locals = locals_
        self.passes: list[VariableScope] = []
        self.parameters = parameters
        self.artifacts = artifacts
        self._add_passes(locals_)

    def _add_passes(self, locals_: Mapping[str, str]) -> None:
        first = VariableScope(self.globals, locals_)
        self.passes.append(first)
        if self.template.has_tags:
            self.parameters = [
                (name, replace(value, first) if tags.OPEN in value else value) for name, value in self.parameters
            ]
            second = VariableScope(self.globals, {**locals_, **self._inputs()})
            self.passes.append(second)
        self.parameters = [
            (name, self._again(value) if tags.OPEN in value else value) for name, value in self.parameters
        ]

    def _again(self, value: str) -> str:
        return replace(value, self.passes[-1])

    def _inputs(self) -> dict[str, str]:
        values = {f"inputs.parameters.{name}": value for name, value in self.parameters}
        body = self.template
        if _wants_all(body):
            declared = {p["name"]: p for p in body.inputs.get("parameters") or ()}
            values["inputs.parameters"] = parameters_json(
                [{**declared.get(name, {}), "name": name, "value": value} for name, value in self.parameters]
            )
        for artifact in body.inputs.get("artifacts") or ():
            if artifact.get("path"):
                values[f"inputs.artifacts.{artifact['name']}.path"] = self._path(artifact["path"])
        for artifact in body.outputs.get("artifacts") or ():
            if artifact.get("path"):
                values[f"outputs.artifacts.{artifact['name']}.path"] = self._path(artifact["path"])
        for parameter in body.outputs.get("parameters") or ():
            path = (parameter.get("valueFrom") or {}).get("path")
            if path:
                values[f"outputs.parameters.{parameter['name']}.path"] = self._path(path)
        return values

    def _path(self, text: str) -> str:
        return replace(text, self.passes[0]) if tags.OPEN in text else text

    def attempt(self, locals_: Mapping[str, str]) -> Processed:
        """The same template for one try of a retry: two more passes with the try's own variables."""
        out = Processed.__new__(Processed)
        out.template = self.template
        out.globals = self.globals
        out.locals = {**self.locals, **locals_}
        out.passes = list(self.passes)
        out.parameters = self.parameters
        out.artifacts = self.artifacts
        out._add_passes(locals_)
        return out

    def sub(self, value: Any) -> Any:
        """A text, list or map of the template with all passes made."""
        if not self.template.has_tags or self.template.is_plain(value):
            return value
        if type(value) is dict:
            plain = self.template.is_plain
            return {
                (self.text(key) if tags.OPEN in key else key): part if plain(part) else walk(part, self.text)
                for key, part in value.items()
            }
        return walk(value, self.text)

    def leaf(self, value: Any) -> Any:
        """A part of a leaf's own specification: one more pass, over tags that values brought in."""
        if self.template.is_plain(value):
            return value
        value = self.sub(value)
        if not has_tags(value):
            return value
        inputs = {f"inputs.parameters.{name}": text for name, text in self.parameters}
        last = VariableScope(self.globals, {**inputs, "pod.name": self.locals.get("pod.name", "")})
        return walk(value, lambda text: replace(text, last))

    def text(self, text: str) -> str:
        for scope in self.passes:
            if tags.OPEN not in text:
                return text
            text = replace(text, scope)
        return text

    @property
    def values(self) -> dict[str, Any]:
        """`inputs.*` as the steps and tasks inside see them."""
        found: dict[str, Any] = {f"inputs.parameters.{name}": value for name, value in self.parameters}
        for artifact in self.artifacts:
            found[f"inputs.artifacts.{artifact['name']}"] = artifact
        return found

    def shown(self) -> dict[str, Any] | None:
        """The node's `inputs`."""
        if not self.template.has_inputs:
            return None
        out: dict[str, Any] = {}
        if self.parameters:
            out["parameters"] = [{"name": name, "value": value} for name, value in self.parameters]
            if self.template.kind == "suspend":  # whoever answers reads there what is asked, and what may be said
                declared = {p["name"]: p for p in self.template.inputs["parameters"]}
                for shown in out["parameters"]:
                    about = declared.get(shown["name"], {})
                    shown.update({field: about[field] for field in _ASKED if about.get(field) is not None})
        if self.artifacts:
            out["artifacts"] = self.artifacts
        return out


_ASKED = ("enum", "description")
_PARAMETER_FIELDS = ("name", "default", "value", "valueFrom", "globalName", "enum", "description")


def parameters_json(parameters: Sequence[Mapping[str, Any]]) -> str:
    """Parameters as the JSON list that `{{inputs.parameters}}` and `{{workflow.parameters}}` are."""
    return (
        "["
        + ",".join(
            "{"
            + ",".join(
                f'"{field}":{gojson.dumps(parameter[field])}'
                for field in _PARAMETER_FIELDS
                if parameter.get(field) is not None
            )
            + "}"
            for parameter in parameters
        )
        + "]"
    )


def _wants_all(template: Template) -> bool:
    return any(
        part.name == "inputs.parameters"
        for text in template_texts(template)
        for part in tags.split(text)
        if isinstance(part, tags.Tag)
    ) or any("inputs.parameters" in text and "{{=" in text for text in template_texts(template))


_TEXTS: dict[int, tuple[Template, tuple[str, ...]]] = {}


def template_texts(template: Template) -> tuple[str, ...]:
    """The texts with tags in a template, found once."""
    found = _TEXTS.get(id(template))
    if found is None or found[0] is not template:
        from fubini.engines.embedded.program import _texts

        if len(_TEXTS) > 4096:
            _TEXTS.clear()
        found = (template, tuple(_texts(template.body)))
        _TEXTS[id(template)] = found
    return found[1]


def process(
    template: Template,
    arguments: Mapping[str, Any],
    globals_: Mapping[str, Any],
    locals_: Mapping[str, str],
    config_maps: Mapping[str, Mapping[str, str]],
) -> Processed:
    """Give a template its arguments.

    Raises:
        EngineError: an input without a value, or a text that cannot be replaced.
    """
    given = {p["name"]: p for p in arguments.get("parameters") or ()} if arguments else {}
    parameters = [
        (parameter["name"], _input_value(parameter, given.get(parameter["name"]), globals_, config_maps))
        for parameter in template.inputs.get("parameters") or ()
    ]
    artifacts = _input_artifacts(template, arguments.get("artifacts") or () if arguments else ())
    if template.syntax_error:
        raise EngineError(template.syntax_error)
    processed = Processed(template, globals_, locals_, parameters, artifacts)
    if artifacts:
        processed.artifacts = processed.sub(artifacts)
    return processed


def restore(
    template: Template, inputs: Mapping[str, Any] | None, globals_: Mapping[str, Any], locals_: Mapping[str, str]
) -> Processed:
    """A processed template from what its node keeps."""
    found = inputs or {}
    parameters = [(p["name"], p["value"]) for p in found.get("parameters") or ()]
    return Processed(template, globals_, locals_, parameters, list(found.get("artifacts") or ()))


def _input_value(
    parameter: Mapping[str, Any],
    argument: Mapping[str, Any] | None,
    globals_: Mapping[str, Any],
    config_maps: Mapping[str, Mapping[str, str]],
) -> str:
    name = parameter["name"]
    value = parameter.get("value", parameter.get("default"))
    source = parameter.get("valueFrom")
    if argument is not None and argument.get("value") == ABSENT:
        if value is None and source is None:
            raise EngineError(
                f"inputs.parameters.{name}: argument references an absent optional "
                "(skipped/omitted node output with no default)"
            )
    elif argument is not None:
        if argument.get("value") is not None:
            value, source = argument["value"], None
        else:
            value, source = None, argument.get("valueFrom")
    if source and source.get("configMapKeyRef"):
        return config_map_value(name, source, globals_, config_maps)
    if value is None:
        raise EngineError(f"inputs.parameters.{name} was not supplied")
    return str(value)


def config_map_value(
    name: str, source: Mapping[str, Any], globals_: Mapping[str, Any], config_maps: Mapping[str, Mapping[str, str]]
) -> str:
    """A parameter's value from a ConfigMap of the library.

    Raises:
        EngineError: no such map or key, and no default.
    """
    scope = VariableScope(globals_, {})
    reference = source["configMapKeyRef"]
    map_name = replace(reference.get("name") or "", scope, tags.always)
    key = replace(reference.get("key") or "", scope, tags.always)
    found = config_maps.get(map_name)
    if found is not None and key in found:
        return str(found[key])
    if source.get("default") is not None:
        return str(source["default"])
    problem = (
        f"ConfigMap '{map_name}' does not exist. Please make sure it has the label workflows.argoproj.io/configmap-type:"
        " Parameter to be detectable by the controller"
        if found is None
        else f"ConfigMap '{map_name}' does not have the key '{key}'"
    )
    raise EngineError(f"unable to retrieve inputs.parameters.{name} from ConfigMap: {problem}")


def has_location(artifact: Mapping[str, Any]) -> bool:
    return any(artifact.get(name) for name in LOCATIONS)


def _input_artifacts(template: Template, arguments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    given = {artifact["name"]: artifact for artifact in arguments}
    for declared in template.inputs.get("artifacts") or ():
        argument = given.get(declared["name"])
        if not declared.get("optional") and not has_location(declared):
            if argument is None:
                raise EngineError(f"inputs.artifacts.{declared['name']} was not supplied")
            if not has_location(argument):
                raise EngineError(f"inputs.artifacts.{declared['name']} missing location information")
        artifact = dict(declared if argument is None else argument)
        if argument is not None:
            for field in ("path", "mode", "recurseMode"):
                if declared.get(field) is not None:
                    artifact[field] = declared[field]
                else:
                    artifact.pop(field, None)
        out.append(artifact)
    return out


# --- what steps and tasks pass on -------------------------------------------------------------------------------


def resolve_artifact(artifact: Mapping[str, Any], scope: VariableScope) -> dict[str, Any]:
    """The artifact that a `from` or `fromExpression` means.

    Raises:
        EngineError: there is none; the message starts "Unable to resolve" where only the variable is unknown.
    """
    if artifact.get("fromExpression"):
        try:
            found = evaluate_any(artifact["fromExpression"], scope)
        except LanguageError as error:
            raise EngineError(error.message) from None
    else:
        name = artifact["from"].removeprefix(tags.OPEN).removesuffix(tags.CLOSE).strip()
        if name.startswith("="):
            try:
                found = evaluate_any(name[1:], scope)
            except LanguageError:
                raise EngineError(f'Unable to compile: "{name[1:]}"') from None
        else:
            found = artifact_variable(name, scope)
            if found is tags.MISSING:
                raise EngineError(f'Unable to resolve: "{name}"')
    if not isinstance(found, Mapping):
        raise EngineError(f"Variable {{{{{artifact['name']}}}}} is not an artifact")
    out = {key: value for key, value in found.items() if key not in ("globalName", "path", "optional")}
    if found.get("optional"):
        out["optional"] = True
    if artifact.get("subPath"):
        path = replace(artifact["subPath"], scope)
        out["subPath"] = f"{out['subPath'].rstrip('/')}/{path}" if out.get("subPath") else path
    out["name"] = artifact["name"]
    return out


def artifact_variable(name: str, scope: VariableScope) -> Any:
    """A variable that may be an artifact."""
    for layer in (scope.local, scope.globals):
        if name in layer:
            return layer[name]
    if scope.references is not None:
        return scope.references.lookup(name)
    return tags.MISSING


def absent(value: str, references: References) -> bool:
    """Whether an argument is nothing but a reference to a skipped step's output without a default."""
    if not (value.startswith(tags.OPEN) and value.endswith(tags.CLOSE)):
        return False
    return references.lookup(value[2:-2].strip()) is None


def resolve_holder(
    holder: Mapping[str, Any], scope: VariableScope, references: References, *, loop: bool
) -> tuple[dict[str, Any], bool]:
    """Replace what a step or task says of earlier ones; -> (it, whether `when` has already said no).

    Raises:
        EngineError: a reference that cannot be resolved.
    """
    from fubini.language import govaluate

    body = {key: value for key, value in holder.items() if key != "hooks"}
    when = body.get("when") or ""
    if when:
        resolved = replace(when, scope, tags.step_references)
        try:
            if not govaluate.should_execute(resolved):
                return {**holder, "when": resolved}, True
        except LanguageError as error:
            if not loop:
                raise EngineError(error.message) from None
    arguments = body.get("arguments")
    if arguments and arguments.get("parameters"):
        marked = [
            {**p, "value": ABSENT} if p.get("value") and absent(p["value"], references) else p
            for p in arguments["parameters"]
        ]
        body["arguments"] = {**arguments, "parameters": marked}
    body = walk(body, lambda text: replace(text, scope, tags.step_references))
    if "hooks" in holder:
        body["hooks"] = holder["hooks"]
    return body, False


def resolve_artifacts(
    arguments: Mapping[str, Any], scope: VariableScope, *, skip: Callable[[EngineError, Mapping[str, Any]], bool]
) -> Mapping[str, Any]:
    """Arguments with every artifact reference resolved; `skip` says which failures only leave the artifact out."""
    artifacts = arguments.get("artifacts")
    if not artifacts:
        return arguments
    out: list[Mapping[str, Any]] = []
    for artifact in artifacts:
        if not artifact.get("from") and not artifact.get("fromExpression"):
            out.append(artifact)
            continue
        try:
            out.append(resolve_artifact(artifact, scope))
        except EngineError as error:
            if not skip(error, artifact):
                raise
    return {**arguments, "artifacts": out}
