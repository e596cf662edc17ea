"""Check one manifest: text in, report out.

Puts the parts in order: reading under limits (`load`), structure (`structure`), what the engine honours (`supported`),
annotations of ours (`annotations`), what the controller would refuse (`semantics`) and what would only go wrong later
(`hints`, warnings). All errors at once, up to `MAX_FINDINGS`. Pure: no clock, no database, no settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fubini.common.saying import say
from fubini.manifests.annotations import Claims, check_annotations, check_values
from fubini.manifests.cluster_fields import cluster_field
from fubini.manifests.context import Source, listing, mapping
from fubini.manifests.crons import as_workflow, check_cron
from fubini.manifests.findings import Collector, DeclaredParameter, Report, show
from fubini.manifests.graphs import MAX_ITEMS
from fubini.manifests.hints import add_hints
from fubini.manifests.import_rules import NO_RULES, ImportRules
from fubini.manifests.library import Library
from fubini.manifests.load import Path, load, path_text
from fubini.manifests.remote import check_remote
from fubini.manifests.resources import check_resources
from fubini.manifests.secrets import Known, check_secrets
from fubini.manifests.semantics import Semantics
from fubini.manifests.structure import check_structure
from fubini.manifests.supported import SupportedFields

MAX_TEMPLATES = 4_000
MAX_STEPS = 12_000
RESOURCE = "spec.templates[].resource.action"  # an engine that names it makes runs and no other object


def check_manifest(
    text: str | bytes,
    *,
    supported: SupportedFields,
    library: Sequence[Mapping[str, Any]] = (),
    parameters: Mapping[str, str] | None = None,
    values_later: bool = False,
    rules: ImportRules = NO_RULES,
    secrets: Known | None = None,
    claims: Claims | None = None,
    max_items: int = MAX_ITEMS,
) -> Report:
    """Judge a manifest for one engine.

    Args:
        text: the manifest, YAML or JSON.
        supported: the fields that the engine honours; the others become findings of kind ``unsupported``.
        library: parsed manifests it may refer to (WorkflowTemplate, ClusterWorkflowTemplate, ConfigMap).
        parameters: values given at submit. None for a definition that is only stored: then a WorkflowTemplate need
            not have values for its parameters, while a Workflow must, unless `values_later`.
        values_later: parameters without a value are fine, because each run will give them.
        rules: the project's; the cluster-only fields it ignores are warnings.
        secrets: the project's secrets and their keys; None where they are not to be judged.
        claims: which of some claims mean a dataset version of the project; None where that is not to be judged.
        max_items: the longest loop the project runs.

    Returns:
        The report. Never raises for what is in the text.
    """
    loaded = load(text)
    if loaded.document is None:
        return Report(None, tuple(loaded.findings))
    collector = Collector()
    source = Source(loaded.document, loaded.positions, "", collector)
    if not check_structure(source):
        return Report(loaded.document, collector.result(), (), collector.truncated)
    if source.kind == "CronWorkflow":
        check_cron(source)
        source = as_workflow(source)
    known = Library(library, collector)
    given = dict(parameters or {})
    semantics = Semantics(
        source, known, given, submit=parameters is not None, values_later=values_later,
        max_items=max_items,
    )  # fmt: skip
    spec = mapping(source.document.get("spec"))
    if not _affordable(source, spec):
        return Report(loaded.document, collector.result(), (), collector.truncated)
    if spec.get("templates") is None or isinstance(spec["templates"], list):
        semantics.check()
    forms = check_annotations(source)
    declared = _declared(spec, semantics, given, forms)
    _given(source, declared, given)
    check_values(source, forms, {p.name: p.value for p in declared if p.value is not None}, claims=claims, submit=parameters is not None)
    add_hints(source, semantics)
    check_remote(source, spec, ("spec",))
    if secrets is not None:
        check_secrets(source, spec, ("spec",), secrets)
        for other, paths in semantics.reached_in_library().items():
            for path in sorted(paths, key=str):
                check_secrets(other, _at(other.document, path), path, secrets)
    if RESOURCE in supported.paths:
        check_resources(source, spec.get("templates"), ("spec", "templates"))
        for other, paths in semantics.reached_in_library().items():
            for path in sorted(paths, key=str):
                check_resources(other, _at(other.document, path), path)
    _unsupported(source, semantics, supported, rules, collector)
    findings = collector.result()
    return Report(loaded.document, findings, declared, collector.truncated)


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _affordable(source: Source, spec: dict[str, Any]) -> bool:
    """Keeps the checks that follow within a second: a manifest with more parts than this is made by a program, and
    that program can use a loop."""
    templates: list[Any] = [*listing(spec.get("templates"))]
    count = steps = 0
    while templates:
        template = mapping(templates.pop())
        count += 1
        groups = [*listing(template.get("steps")), listing(mapping(template.get("dag")).get("tasks"))]
        for group in groups:
            steps += len(listing(group))
            templates.extend(s["inline"] for s in listing(group) if isinstance(s, dict) and s.get("inline") is not None)
    for what, found, most in (("templates", count, MAX_TEMPLATES), ("steps and tasks", steps, MAX_STEPS)):
        if found > most:
            source.error(
                "too-many-parts", ("spec", "templates"), say("The manifest writes out too many {what}.", what=what),
                found=f"{found:,}", allowed=say("at most {most:,}", most=most),
                help_text="Use withItems, withParam or withSequence, or split the manifest.",
            )  # fmt: skip
            return False
    return True


def _unsupported(
    source: Source,
    semantics: Semantics,
    supported: SupportedFields,
    rules: ImportRules,
    collector: Collector,
) -> None:
    document = {k: v for k, v in source.document.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    for path, value in supported.unsupported(document):
        if collector.blames(path_text(source.placed(path))):
            continue  # an unknown field is no unsupported one
        _report_unsupported(source, path, value, rules)
        if collector.full:
            return
    for other, paths in semantics.reached_in_library().items():
        for path, value in supported.unsupported(other.document, paths):
            _report_unsupported(other, path, value, rules)
            if collector.full:
                return


def _report_unsupported(source: Source, path: Path, value: Any, rules: ImportRules) -> None:
    field = cluster_field(path)
    if field is not None and field.name in rules.ignored:
        source.warn(
            "cluster-field-ignored", path, say(
                "only a cluster acts on it; it is ignored here: {means}.",
                means=field.means,
            ),
            found=show(value), allowed="a manifest without it", kind="unsupported",
            help_text=say(
                "The project's import rules let {name} pass; delete it where it should not.",
                name=field.name,
            ),
        )  # fmt: skip
        return
    source.error(
        "unsupported", path,
        "this engine does not honour the field." if field is None else say(
            "only a cluster acts on it; {means}.",
            means=field.means,
        ),
        found=show(value), kind="unsupported", allowed="a manifest without it",
        help_text="Delete it, or run the manifest on an Argo cluster."
        if field is None
        else say(
            "Delete it; or a maintainer of the project lets it pass with a warning: fubini project "
            "import-rules --ignore {name}",
            name=field.name,
        ),
    )  # fmt: skip


def _declared(
    spec: dict[str, Any], semantics: Semantics, given: Mapping[str, str], forms: Mapping[str, dict[str, Any]]
) -> tuple[DeclaredParameter, ...]:
    found: dict[str, DeclaredParameter] = {}
    for parameter in (*listing(mapping(spec.get("arguments")).get("parameters")), *semantics.inherited_parameters()):
        name = mapping(parameter).get("name")
        if not isinstance(name, str) or not name or name in found:
            continue
        value, default = parameter.get("value"), parameter.get("default")
        value = value if isinstance(value, str) else None
        found[name] = DeclaredParameter(
            name=name,
            value=given.get(name, value),
            default=default if isinstance(default, str) else None,
            enum=tuple(w for w in listing(parameter.get("enum")) if isinstance(w, str)),
            description=parameter["description"] if isinstance(parameter.get("description"), str) else "",
            required=value is None and parameter.get("valueFrom") is None,
            form=forms.get(name, {}),
        )
    return tuple(found.values())


def _given(source: Source, declared: Sequence[DeclaredParameter], given: Mapping[str, str]) -> None:
    """Values given at submit: a name nobody declared is most likely a slip."""
    names = [p.name for p in declared]
    for name in given:
        if name not in names:
            source.warn(
                "unknown-parameter", ("spec", "arguments"), say(
                    "The manifest declares no parameter {name!r}.",
                    name=show(name),
                ),
                found=show(name), allowed=", ".join(names[:20]) or "no parameters", close=name, known=names,
                help_text=say(
                    "Check its spelling; templates can still read it as {{{{workflow.parameters.{name}}}}}.",
                    name=show(name),
                ),
            )  # fmt: skip
