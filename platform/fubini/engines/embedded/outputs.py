"""The outputs of steps and DAG templates, taken from what ran inside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fubini.engines.embedded.process import EngineError, Processed, artifact_variable, resolve_artifact
from fubini.engines.embedded.program import Program, ProgramError, TemplateBase
from fubini.engines.embedded.scope import References, VariableScope, evaluate_any
from fubini.engines.embedded.tree import Node
from fubini.language import gojson, tags
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase


def composite_outputs(
    processed: Processed, globals_: Mapping[str, Any], references: References
) -> dict[str, Any] | None:
    """The declared outputs of a steps or DAG template; None where it declares none.

    Raises:
        EngineError: one cannot be resolved and has no default.
    """
    declared = processed.template.outputs
    if not declared.get("parameters") and not declared.get("artifacts"):
        return None
    shared = {k: v for k, v in globals_.items() if k.startswith("workflow.outputs.")}
    scope = VariableScope(shared, processed.values, references)
    out: dict[str, Any] = {}
    if declared.get("parameters"):
        out["parameters"] = [_parameter(processed.sub(p), scope) for p in declared["parameters"]]
    if declared.get("artifacts"):
        artifacts = [_artifact(processed.sub(a), scope) for a in declared["artifacts"]]
        out["artifacts"] = [artifact for artifact in artifacts if artifact is not None]
    return out


def _parameter(parameter: Mapping[str, Any], scope: VariableScope) -> dict[str, Any]:
    source = parameter.get("valueFrom")
    if source is None:
        raise EngineError("output parameters must have a valueFrom specified")
    default = source.get("default")
    try:
        value = _value(source, scope)
    except EngineError:
        if default is None:
            raise
        value = default
    if value is None:
        value = default
    if value is None:
        raise EngineError(
            f'output parameter "{parameter["name"]}": "{source.get("parameter") or ""}" is an absent optional '
            "(skipped/omitted node output with no default)"
        )
    out: dict[str, Any] = {"name": parameter["name"], "value": gojson.format_value(value)}
    if parameter.get("globalName"):
        out["globalName"] = parameter["globalName"]
    return out


def _value(source: Mapping[str, Any], scope: VariableScope) -> Any:
    if source.get("expression"):
        try:
            value = evaluate_any(source["expression"], scope)
        except LanguageError as error:
            raise EngineError(error.message) from None
        if value is None:
            raise EngineError(f"failed to evaluate expression {gojson.dump_string(source['expression'])}")
        return value
    reference = source.get("parameter")
    if not reference:
        return ""
    name = reference.removeprefix(tags.OPEN).removesuffix(tags.CLOSE).strip()
    if name.startswith("="):
        try:
            value = evaluate_any(name[1:], scope)
        except LanguageError:
            raise EngineError(f'Unable to compile: "{name[1:]}"') from None
        if value is None:
            raise EngineError(f'Unable to resolve: "{name}"')
        return value
    value = artifact_variable(name, scope)
    if value is tags.MISSING:
        raise EngineError(f'Unable to resolve: "{name}"')
    return value


def _artifact(artifact: Mapping[str, Any], scope: VariableScope) -> dict[str, Any] | None:
    if not artifact.get("from") and not artifact.get("fromExpression"):
        return None
    try:
        found = resolve_artifact(artifact, scope)
    except EngineError as error:
        if "Unable to resolve" in error.message and artifact.get("optional"):
            return None
        raise EngineError(f"unable to resolve outputs from scope: {error.message}") from None
    if artifact.get("globalName"):
        found["globalName"] = artifact["globalName"]
    return found


def declared_outputs(
    program: Program, holder: Mapping[str, Any], base: TemplateBase, node: Node, *, artifacts: bool
) -> dict[str, Any]:
    """What a skipped or omitted step's template says its outputs are: defaults, or None for absent ones."""
    if node.outputs is not None or node.phase not in (NodePhase.SKIPPED, NodePhase.OMITTED):
        return {}
    try:
        template = program.resolve(holder, base)
    except ProgramError:
        return {}
    out: dict[str, Any] = {}
    for parameter in template.outputs.get("parameters") or ():
        default = (parameter.get("valueFrom") or {}).get("default")
        out[f"outputs.parameters.{parameter['name']}"] = default
    if artifacts:
        for artifact in template.outputs.get("artifacts") or ():
            out[f"outputs.artifacts.{artifact['name']}"] = {"name": artifact["name"]}
    if template.outputs.get("result") is not None:
        out["outputs.result"] = None
    return out
