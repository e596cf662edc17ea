"""Fields that only a Kubernetes cluster can act on and that a project may choose to pass over with a warning.

Chosen by safety: leaving one of these out changes neither what a step computes nor what it may reach, only how a cluster
would look after it. Not here, and so always refused, are fields whose loss would change the result or a step's rights
in silence: `podSpecPatch` (it may change anything), `hostAliases` and `dnsConfig` (a name would mean another machine),
`lifecycle` (its commands would not run), `resourceClaims` and `podResources` (they are needs), volumes of a machine.
A name of this table is the name in a project's setting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fubini.manifests.load import Path

_CONTAINERS = ("container", "script", "containerSet.containers[]", "initContainers[]", "sidecars[]")


@dataclass(frozen=True, slots=True)
class ClusterField:
    """Where the field stands, as paths of `supported`'s form below spec, and what its loss means, as a clause."""

    name: str
    paths: tuple[str, ...]
    means: str


def _template(*fields: str) -> tuple[str, ...]:
    return tuple(f"templates[].{field}" for field in fields)


def _everywhere(*fields: str) -> tuple[str, ...]:
    return (*fields, *_template(*fields))


def _container(*fields: str) -> tuple[str, ...]:
    return tuple(f"templates[].{where}.{field}" for where in _CONTAINERS for field in fields)


_TABLE = (
    ClusterField(
        "serviceAccountName",
        (*_everywhere("serviceAccountName", "executor"), "artifactGC.serviceAccountName"),
        "steps have no identity in a cluster",
    ),
    ClusterField(
        "automountServiceAccountToken",
        _everywhere("automountServiceAccountToken"),
        "steps have no identity in a cluster, so there is no token to mount",
    ),
    ClusterField("tolerations", _everywhere("tolerations"), "our places have no taints"),
    ClusterField("imagePullSecrets", ("imagePullSecrets",), "each site gets its images itself"),
    ClusterField(
        "securityContext",
        (*_everywhere("securityContext"), *_container("securityContext")),
        "each step runs without privileges, as its site decides",
    ),
    ClusterField("hostNetwork", ("hostNetwork",), "a step has the network that its site gives it"),
    ClusterField("dnsPolicy", ("dnsPolicy",), "a step has the network that its site gives it"),
    ClusterField("schedulerName", _everywhere("schedulerName"), "there is one scheduler here"),
    ClusterField(
        "priorityClassName",
        (*_template("priorityClassName"), "podPriorityClassName"),
        "fubini.dev/priority says how urgent a step is",
    ),
    ClusterField("podDisruptionBudget", ("podDisruptionBudget",), "nothing is evicted here"),
    ClusterField("podAffinity", _everywhere("affinity.podAffinity"), "steps are not placed beside each other"),
    ClusterField(
        "podAntiAffinity",
        _everywhere("affinity.podAntiAffinity"),
        "steps are not kept apart; fubini.dev/exclusive gives one a machine of its own",
    ),
    ClusterField(
        "retryAffinity",
        ("retryStrategy.affinity", *_template("retryStrategy.affinity")),
        "a retry may come to the same machine again",
    ),
    ClusterField("archiveLocation", _template("archiveLocation"), "logs and outputs are kept by the project"),
    ClusterField(
        "artifactGC",
        (
            "artifactGC",
            *_template("outputs.artifacts[].artifactGC", "inputs.artifacts[].artifactGC"),
            "arguments.artifacts[].artifactGC",
        ),
        "artifacts are kept as long as their run",
    ),
    ClusterField("artifactRepositoryRef", ("artifactRepositoryRef",), "artifacts are kept by the project"),
    ClusterField("metrics", _everywhere("metrics"), "the metrics are not emitted; the project has its own"),
    ClusterField(
        "livenessProbe",
        _container("livenessProbe", "startupProbe"),
        "a step that hangs ends only by its walltime or timeout",
    ),
    ClusterField("ports", _container("ports"), "ports of a step are not published"),
    ClusterField(
        "terminationMessage",
        _container("terminationMessagePath", "terminationMessagePolicy"),
        "messages come from exit codes and logs",
    ),
)

CLUSTER_FIELDS: dict[str, ClusterField] = {field.name: field for field in _TABLE}
_BY_PATH: dict[str, ClusterField] = {f"spec.{path}": field for field in _TABLE for path in field.paths}
_INLINE = re.compile(r"^(.*\.inline)(?=\.|$)")


def general_path(path: Path) -> str:
    """A field's path with ``[]`` for any item; a template written in a step counts as one of ``spec.templates``, and
    so do the defaults of templates."""
    text = ""
    for step in path:
        text += "[]" if isinstance(step, int) else (f".{step}" if text else step)
    text = text.replace("spec.workflowSpec.", "spec.", 1)
    text = text.replace("spec.workflowSpec.", "spec.", 1)
    if text.startswith("spec.templateDefaults."):
        text = "spec.templates[]." + text.removeprefix("spec.templateDefaults.")
    return _INLINE.sub("spec.templates[]", text)


def cluster_field(path: Path) -> ClusterField | None:
    """The field of the table that stands at `path` or that `path` is a part of."""
    text = general_path(path)
    while text:
        found = _BY_PATH.get(text)
        if found is not None:
            return found
        text = text[: max(text.rfind("."), text.rfind("[]"), 0)]
    return None
