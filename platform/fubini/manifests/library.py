"""The manifests a submitted one may refer to, and how a reference finds its template.

A *base* is a manifest that owns templates: the submitted one, or a WorkflowTemplate or ClusterWorkflowTemplate of the
library. A template is found by name in its own base, by `templateRef` in another, or stands `inline` in its step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.findings import Collector
from fubini.manifests.load import Path
from fubini.manifests.structure import TEMPLATE_TYPES

LEAF_TYPES = frozenset({"container", "containerSet", "script", "resource", "data", "http", "plugin"})
_PARAMETER_LABEL = ("workflows.argoproj.io/configmap-type", "Parameter")


class Template:
    """One template where it stands, with what others ask of it worked out once."""

    def __init__(self, base: Base, path: Path, body: dict[str, Any], outer: Template | None = None):
        self.base = base
        self.path = path
        self.body = body
        self.outer = outer  # the template an inline one stands in
        name = body.get("name")
        if isinstance(name, bool | int | float):  # reported as a wrong type; meant is the word as it is written
            name = base.source.word((*path, "name"))
        self.name = text(name)
        self.types = [t for t in TEMPLATE_TYPES if body.get(t) is not None]
        self.inline = outer is not None
        inputs, outputs = mapping(body.get("inputs")), mapping(body.get("outputs"))
        self.input_parameters = _named(inputs.get("parameters"))
        self.input_artifacts = _named(inputs.get("artifacts"))
        self.output_parameters = _named(outputs.get("parameters"))
        self.output_artifacts = _named(outputs.get("artifacts"))
        self.required_parameters = [n for n, p in self.input_parameters.items() if not _has_value(p)]
        self.required_artifacts = [
            n for n, a in self.input_artifacts.items() if a.get("optional") is not True and not has_location(a)
        ]

    @property
    def type(self) -> str:
        return self.types[0] if self.types else ""

    @property
    def leaf(self) -> bool:
        return self.type in LEAF_TYPES

    @property
    def has_result(self) -> bool:
        """Does a node of it have outputs.result and exitCode?"""
        if self.type == "containerSet":
            containers = listing(mapping(self.body["containerSet"]).get("containers"))
            return any(mapping(c).get("name") == "main" for c in containers)
        return self.type in ("container", "script", "data", "http", "plugin")


@dataclass(eq=False, slots=True)
class Base:
    """A manifest that owns templates. `scope` tells bases apart as Argo does."""

    source: Source
    scope: str
    templates: dict[str, Template] = field(default_factory=dict)
    order: list[Template] = field(default_factory=list)

    @property
    def spec(self) -> dict[str, Any]:
        return mapping(self.source.document.get("spec"))

    def default_image(self, kind: str) -> bool:
        """Does templateDefaults give containers (or scripts) an image? Argo looks there except in cluster scope."""
        if self.scope.startswith("cluster/"):
            return False
        return bool(text(mapping(mapping(self.spec.get("templateDefaults")).get(kind)).get("image")))


def make_base(source: Source, scope: str) -> Base:
    base = Base(source, scope)
    for index, body in enumerate(listing(base.spec.get("templates"))):
        if isinstance(body, dict):
            template = Template(base, ("spec", "templates", index), body)
            base.order.append(template)
            if template.name:
                base.templates.setdefault(template.name, template)
    return base


class Library:
    """The library's manifests by kind and name. Odd entries are passed over: others have validated them."""

    def __init__(self, documents: Sequence[Any], collector: Collector):
        self._bases: dict[tuple[bool, str], Base] = {}
        self._config_maps: dict[str, dict[str, Any]] = {}
        for index, document in enumerate(documents):
            if not isinstance(document, dict):
                continue
            name = text(mapping(document.get("metadata")).get("name"))
            kind = document.get("kind")
            if kind in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
                cluster = kind == "ClusterWorkflowTemplate"
                source = Source(document, None, f"library[{index}]", collector)
                scope = f"{'cluster' if cluster else 'namespaced'}/{name}"
                self._bases.setdefault((cluster, name), make_base(source, scope))
            elif kind == "ConfigMap":
                self._config_maps.setdefault(name, document)

    def base(self, name: str, *, cluster: bool) -> Base | None:
        return self._bases.get((cluster, name))

    def names(self, *, cluster: bool) -> list[str]:
        return [name for is_cluster, name in self._bases if is_cluster == cluster]

    def config_map(self, name: str) -> dict[str, Any] | None:
        return self._config_maps.get(name)

    def config_map_names(self) -> Iterable[str]:
        return self._config_maps


def parameter_config_map(document: dict[str, Any]) -> bool:
    """Has the ConfigMap the label without which parameters may not come from it?"""
    labels = mapping(mapping(document.get("metadata")).get("labels"))
    return labels.get(_PARAMETER_LABEL[0]) == _PARAMETER_LABEL[1]


def referred(document: Mapping[str, Any], library: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The library without the ConfigMaps that neither the manifest nor a template of the library can mean."""
    names, any_name = set[str](), False
    stack: list[Any] = [document, *(entry for entry in library if entry.get("kind") != "ConfigMap")]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key in ("configMapKeyRef", "configMapRef", "configMap") and isinstance(inner, Mapping):
                    name = text(inner.get("name"))
                    any_name = any_name or "{{" in name
                    names.add(name)
                else:
                    stack.append(inner)
        elif isinstance(value, list):
            stack.extend(value)
    return [
        entry
        for entry in library
        if any_name or entry.get("kind") != "ConfigMap" or text(mapping(entry.get("metadata")).get("name")) in names
    ]


def has_location(artifact: dict[str, Any]) -> bool:
    """Has an artifact a place of its own: some store with a key, url or content?"""
    for store in ("s3", "oss", "gcs", "hdfs", "http", "artifactory", "git", "azure", "plugin"):
        place = mapping(artifact.get(store))
        if any(text(place.get(key)) for key in ("key", "url", "repo", "path", "blob")):
            return True
    return isinstance(artifact.get("raw"), dict)


def _named(items: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for item in listing(items):
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            found.setdefault(item["name"], item)
    return found


def _has_value(parameter: dict[str, Any]) -> bool:
    if parameter.get("value") is not None or parameter.get("default") is not None:
        return True
    return mapping(parameter.get("valueFrom")).get("configMapKeyRef") is not None
