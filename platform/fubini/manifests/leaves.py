"""What is wrong with a template that runs something itself: images, mounts, containers of a set, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from fubini.common.saying import say
from fubini.manifests.context import listing, mapping, text
from fubini.manifests.dependencies import find_cycle
from fubini.manifests.findings import Severity, show
from fubini.manifests.library import Template
from fubini.manifests.load import Path, path_text

_BESIDE = ("initContainers", "sidecars")
_RESERVED_CONTAINERS = ("wait", "supervisor")
_RESERVED_PREFIX = "artifact-plugin-"
_FIELD_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*\Z")
_WHOLE = re.compile(r"[-+]?[0-9]+\Z")
_VARIABLE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_MAX_OBJECT_CHARS = 256 * 1024
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class LeafCheck:
    """All checks of one leaf; `check` reports through the template's source."""

    def __init__(self, template: Template, severity: Severity):
        self._template = template
        self._source = template.base.source
        self._path = template.path
        self._body = template.body
        self._severity = severity

    def check(self) -> None:
        body = self._body
        for kind in ("container", "script"):
            if isinstance(body.get(kind), dict):
                self._image(kind, body[kind])
        if isinstance(body.get("container"), dict):
            self._mounts(body["container"])
        self._one_volume_a_path()
        if isinstance(body.get("containerSet"), dict):
            self._container_set(body["containerSet"])
        if isinstance(body.get("resource"), dict):
            self._resource(body["resource"])
        for index, sidecar in enumerate(listing(body.get("sidecars"))):
            self._reserved((*self._path, "sidecars", index, "name"), text(mapping(sidecar).get("name")))
        self._deadline(body.get("activeDeadlineSeconds"))
        if body.get("parallelism") is not None:
            self._add(
                "not-a-leaf", ("parallelism",), "parallelism is only for steps and dag templates.",
                found=f"parallelism on a {self._template.type} template", allowed="steps or dag",
                help_text="Move it to the steps or dag that runs this template, or use a mutex or semaphore.",
            )  # fmt: skip

    def _add(self, code: str, below: Path, message: str, **more: Any) -> None:
        self._source.add(self._severity, code, (*self._path, *below), message, **more)

    def _image(self, kind: str, container: dict[str, Any]) -> None:
        if not text(container.get("image")) and not self._template.base.default_image(kind):
            self._add(
                "no-image", (kind, "image"), say(
                    "The {kind} has no image.",
                    kind=kind,
                ), found="nothing", allowed="an image's name",
                help_text="Add 'image:', here or in spec.templateDefaults.",
            )  # fmt: skip

    def _mounts(self, container: dict[str, Any]) -> None:
        taken: dict[str, str] = {}
        for mount in listing(container.get("volumeMounts")):
            where = text(mapping(mount).get("mountPath"))
            taken.setdefault(where, f"volume {show(mapping(mount).get('name'))}")
        artifacts = listing(mapping(self._body.get("inputs")).get("artifacts"))
        for index, artifact in enumerate(artifacts):
            where = text(mapping(artifact).get("path"))
            if where and where in taken:
                self._add(
                    "path-taken", ("inputs", "artifacts", index, "path"), "Two things would be at one path.",
                    found=f"{show(where)}, also {taken[where]}", allowed="a path of its own",
                    help_text="Change one of the two paths.",
                )  # fmt: skip
            taken.setdefault(where, f"artifact {show(mapping(artifact).get('name'))}")

    def _one_volume_a_path(self) -> None:
        """The containers of a step share their files here, so a path can hold one volume: a limit of ours, not Argo's."""
        taken: dict[str, tuple[tuple[str, str], Path]] = {}
        for path, container in self._containers():
            for index, mount in enumerate(listing(container.get("volumeMounts"))):
                where, volume = text(mapping(mount).get("mountPath")), text(mapping(mount).get("name"))
                shown = (volume, text(mapping(mount).get("subPath")))
                at: Path = (*path, "volumeMounts", index)
                if not where or any("{{" in word for word in (where, *shown)):
                    continue  # known when the step starts, and an error of the step then
                other, first = taken.setdefault(where.rstrip("/"), (shown, at))
                if other != shown:
                    before = path_text((*self._path, *first, "mountPath"))
                    self._add(
                        "path-taken", (*at, "mountPath"),
                        "Two volumes would be at one path, and the containers of one step share their files here.",
                        found=f"{show(where)} for volume {show(volume)}; {before} has it for volume {show(other[0])}",
                        allowed="a path for each volume of a step", help_text="Change one of the two paths.",
                        kind="unsupported",
                    )  # fmt: skip

    def _containers(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """All that may mount something, with where it stands below the template."""
        body = self._body
        for name in ("container", "script", "containerSet"):
            if isinstance(body.get(name), dict):
                yield (name,), body[name]
        within = mapping(body.get("containerSet")).get("containers")
        for path, found in ((("containerSet", "containers"), within), *(((n,), body.get(n)) for n in _BESIDE)):
            for index, container in enumerate(listing(found)):
                yield (*path, index), mapping(container)

    def _container_set(self, body: dict[str, Any]) -> None:
        containers = [c for c in listing(body.get("containers")) if isinstance(c, dict)]
        path: Path = ("containerSet", "containers")
        if isinstance(body.get("containers"), list) and not containers:
            self._add(
                "too-few", path, "A container set has no containers.", found="an empty list", allowed="at least one",
                help_text="Add a container.",
            )  # fmt: skip
        names: dict[str, int] = {}
        for index, container in enumerate(containers):
            name = text(container.get("name"))
            if name and not _FIELD_NAME.match(name):
                self._add(
                    "name-pattern", (*path, index, "name"), "The container's name has other characters.",
                    found=show(name), allowed="letters, digits and '-'", help_text="Rename it.",
                )  # fmt: skip
            elif name in names:
                self._add(
                    "duplicate", (*path, index, "name"), say("Two containers are called {name!r}.", name=show(name)),
                    found=f"{show(name)}, also item {names[name]}", allowed="each name once", help_text="Rename one.",
                )  # fmt: skip
            names.setdefault(name, index)
            self._reserved((*self._path, *path, index, "name"), name)
        edges: dict[str, list[str]] = {}
        for index, container in enumerate(containers):
            wanted = [d for d in listing(container.get("dependencies")) if isinstance(d, str)]
            edges[text(container.get("name"))] = wanted
            for number, name in enumerate(wanted):
                if name not in names:
                    self._add(
                        "unknown-dependency", (*path, index, "dependencies", number),
                        say("There is no container {name!r} in the set.", name=show(name)), found=show(name),
                        allowed=", ".join(show(n) for n in list(names)[:20]), close=name, known=names,
                        help_text="Use the name of a container of this set.",
                    )  # fmt: skip
        cycle = find_cycle(edges)
        if cycle:
            self._add(
                "cycle", (*path, names.get(cycle[0], 0)), "The containers wait for each other in a circle.",
                found=" -> ".join(show(n) for n in cycle[:12]), allowed="dependencies without a circle",
                help_text="Delete one of these dependencies.",
            )  # fmt: skip
        template = self._template
        needs_main = template.input_artifacts or template.output_parameters or template.output_artifacts
        if needs_main and "main" not in names:
            self._add(
                "no-main", path, "A container set with inputs or outputs has a container called 'main'.",
                found=", ".join(show(n) for n in list(names)[:20]), allowed="one container called main",
                help_text="Call the container that reads and writes them 'main'.",
            )  # fmt: skip

    def _reserved(self, path: Path, name: str) -> None:
        if name in _RESERVED_CONTAINERS or name.startswith(_RESERVED_PREFIX):
            self._source.add(
                self._severity, "reserved-name", path, "Argo keeps this container name for itself.", found=show(name),
                allowed="any other name", help_text="Rename the container.",
            )  # fmt: skip

    def _resource(self, body: dict[str, Any]) -> None:
        action = text(body.get("action"))
        manifest = body.get("manifest")
        if action not in ("delete", "get") and not text(manifest) and body.get("manifestFrom") is None:
            self._add(
                "no-manifest", ("resource",), "The resource template has no manifest.", found="nothing",
                allowed="manifest or manifestFrom", help_text="Add 'manifest:' with the object's YAML.",
            )  # fmt: skip
        artifact = text(mapping(mapping(body.get("manifestFrom")).get("artifact")).get("name"))
        if artifact and artifact not in self._template.input_artifacts:
            self._add(
                "unknown-artifact", ("resource", "manifestFrom", "artifact", "name"),
                say("There is no input artifact {artifact!r}.", artifact=show(artifact)), found=show(artifact),
                allowed=", ".join(self._template.input_artifacts) or "the template has no input artifacts",
                close=artifact, known=self._template.input_artifacts, help_text="Declare it in inputs.artifacts.",
            )  # fmt: skip
        if action not in ("delete", "get") and isinstance(manifest, str) and self._affordable(len(manifest)):
            try:
                depth = 0
                for event in yaml.parse(_VARIABLE.sub("x", manifest), Loader=_Loader):
                    depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                    if depth > 64:
                        break
            except yaml.YAMLError:
                self._add(
                    "resource-yaml", ("resource", "manifest"), "The resource's manifest is not YAML.",
                    found=show(manifest.strip().split("\n", 1)[0]), allowed="one Kubernetes object",
                    help_text="Check its indentation.",
                )  # fmt: skip

    def _affordable(self, chars: int) -> bool:
        """Objects are read up to a budget for the whole manifest; what is beyond is noticed when it is created."""
        self._source.object_chars += chars
        return self._source.object_chars <= _MAX_OBJECT_CHARS

    def _deadline(self, value: Any) -> None:
        if value is None:
            return
        whole = isinstance(value, int) or (isinstance(value, str) and _WHOLE.match(value) is not None)
        variable = isinstance(value, str) and value.startswith("{{") and value.endswith("}}")
        if (not whole and not variable) or (whole and int(value) < 0):
            self._add(
                "deadline", ("activeDeadlineSeconds",), "This is not a number of seconds.", found=show(value),
                allowed="a whole number above 0, or a {{variable}}", help_text="Write seconds, such as 3600.",
            )  # fmt: skip
