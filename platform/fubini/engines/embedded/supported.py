"""Which fields of a manifest the embedded engine honours; the check refuses any other by its path.

Paths are written as `manifests.supported` reads them: ``[]`` is any item, ``*`` any one name, ``**`` everything below.
A field is named here only when some module of this engine reads it, or when it says something about Argo's own
bookkeeping that has nothing to act on here (pod garbage collection, archived logs, service accounts of hooks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fubini.engines.embedded import podpatch
from fubini.engines.embedded.environment import FIELDS
from fubini.manifests.supported import SupportedFields

_PARAMETER = ("name", "value", "default", "description", "enum", "globalName")
_SOURCE = ("default", "path", "parameter", "expression", "supplied", "configMapKeyRef.**")
_ARTIFACT = ("name", "path", "raw.data", "optional", "from", "fromExpression", "subPath", "mode", "globalName")
_STORED = ("archive.**", "s3.key", "deleted")
_SECRET = ("name", "key", "optional")
# Where an input artifact may be fetched from; what of it needs an identity of the cluster's own is not here.
_FETCHED = (
    "http.url",
    "http.headers[].name",
    "http.headers[].value",
    *(f"http.auth.basicAuth.usernameSecret.{field}" for field in _SECRET),
    *(f"http.auth.basicAuth.passwordSecret.{field}" for field in _SECRET),
    *(f"git.{field}" for field in ("repo", "revision", "branch", "depth", "fetch", "singleBranch")),
    *(f"git.{field}" for field in ("disableSubmodules", "insecureSkipTLS")),
    *(f"git.usernameSecret.{field}" for field in _SECRET),
    *(f"git.passwordSecret.{field}" for field in _SECRET),
    *(f"s3.{field}" for field in ("endpoint", "bucket", "region", "insecure")),
    *(f"s3.accessKeySecret.{field}" for field in _SECRET),
    *(f"s3.secretKeySecret.{field}" for field in _SECRET),
    *(f"s3.sessionTokenSecret.{field}" for field in _SECRET),
)
_REQUEST = (
    *("url", "method", "body", "bodyFrom.bytes", "timeoutSeconds", "successCondition", "insecureSkipVerify"),
    "headers[].name",
    "headers[].value",
    *(f"headers[].valueFrom.secretKeyRef.{field}" for field in _SECRET),
)
_DATA = ("source.artifactPaths.name", "source.artifactPaths.s3.key", "transformation[].expression")
_HOOK = ("template", "templateRef.**", "expression")
_MOUNT = ("name", "mountPath", "readOnly", "subPath")
_RESOURCES = ("requests.*", "limits.*")
_CONTAINER = (
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "workingDir",
    "env[].name",
    "env[].value",
    "env[].valueFrom.fieldRef.apiVersion",
    "env[].valueFrom.fieldRef.fieldPath",
    "env[].valueFrom.configMapKeyRef.**",
    *(f"env[].valueFrom.secretKeyRef.{field}" for field in ("name", "key", "optional")),
    "envFrom[].prefix",
    "envFrom[].configMapRef.**",
    "envFrom[].secretRef.name",
    "envFrom[].secretRef.optional",
    *(f"resources.{field}" for field in _RESOURCES),
    *(f"volumeMounts[].{field}" for field in _MOUNT),
)
_VOLUME = (
    "name",
    "persistentVolumeClaim.claimName",
    "persistentVolumeClaim.readOnly",
    "emptyDir.**",
    *(f"secret.{field}" for field in ("secretName", "optional", "defaultMode")),
    *(f"secret.items[].{field}" for field in ("key", "path", "mode")),
)
_EXPRESSION = ("key", "operator", "values")
_PLACE = (
    "nodeSelector.*",
    *(
        f"affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchExpressions[].{f}"
        for f in _EXPRESSION
    ),
    "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight",
    *(
        f"affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchExpressions[].{f}"
        for f in _EXPRESSION
    ),
)
_LOCKS = (
    "mutexes[].name",
    "mutexes[].database",
    "semaphores[].configMapKeyRef.name",
    "semaphores[].configMapKeyRef.key",
    "semaphores[].database.key",
)
_RETRY = (
    "limit",
    "retryPolicy",
    "expression",
    "backoff.duration",
    "backoff.factor",
    "backoff.maxDuration",
    "backoff.cap",
)


def _io(start: str) -> Iterator[str]:
    for field in _PARAMETER:
        yield f"{start}.parameters[].{field}"
    for field in _SOURCE:
        yield f"{start}.parameters[].valueFrom.{field}"
    for field in (*_ARTIFACT, *_STORED):
        yield f"{start}.artifacts[].{field}"


def _hooks(start: str) -> Iterator[str]:
    for field in _HOOK:
        yield f"{start}.hooks.*.{field}"
    yield from _io(f"{start}.hooks.*.arguments")
    yield from (f"{start}.hooks.*.arguments.artifacts[].{field}" for field in _FETCHED)


def _holder(start: str) -> Iterator[str]:
    for field in ("name", "template", "templateRef.**", "inline.**", "when", "onExit", "withParam", "withItems.**"):
        yield f"{start}.{field}"
    for field in ("count", "start", "end", "format"):
        yield f"{start}.withSequence.{field}"
    yield f"{start}.continueOn.error"
    yield f"{start}.continueOn.failed"
    yield from _io(f"{start}.arguments")
    yield from (f"{start}.arguments.artifacts[].{field}" for field in _FETCHED)
    yield from _hooks(start)


def _template(start: str) -> Iterator[str]:
    yield from (f"{start}.{field}" for field in ("name", "parallelism", "failFast", "timeout", "activeDeadlineSeconds"))
    yield f"{start}.pendingTimeout"
    yield from (f"{start}.resource.{field}" for field in ("action", "manifest", "successCondition", "failureCondition"))
    yield f"{start}.outputs.parameters[].valueFrom.jsonPath"
    yield from (f"{start}.memoize.{field}" for field in ("key", "maxAge", "cache.configMap.name"))
    yield from (f"{start}.synchronization.{field}" for field in _LOCKS)
    yield f"{start}.annotations.*"
    yield f"{start}.metadata.annotations.*"
    yield f"{start}.metadata.labels.*"
    yield from _io(f"{start}.inputs")
    yield from (f"{start}.inputs.artifacts[].{field}" for field in _FETCHED)
    yield from _io(f"{start}.outputs")
    for field in _CONTAINER:
        yield f"{start}.container.{field}"
        yield f"{start}.script.{field}"
        yield f"{start}.containerSet.containers[].{field}"
        yield f"{start}.initContainers[].{field}"
        yield f"{start}.sidecars[].{field}"
    yield f"{start}.script.source"
    yield f"{start}.containerSet.containers[].dependencies"
    yield f"{start}.containerSet.retryStrategy.retries"
    yield f"{start}.containerSet.retryStrategy.duration"
    yield from (f"{start}.containerSet.volumeMounts[].{field}" for field in _MOUNT)
    yield f"{start}.initContainers[].mirrorVolumeMounts"
    yield f"{start}.sidecars[].mirrorVolumeMounts"
    yield f"{start}.daemon"
    yield f"{start}.podSpecPatch"
    yield from (f"{start}.podResources.{field}" for field in _RESOURCES)
    yield f"{start}.suspend.duration"
    yield from (f"{start}.http.{field}" for field in _REQUEST)
    yield from (f"{start}.data.{field}" for field in _DATA)
    yield from _holder(f"{start}.steps[][]")
    yield from _holder(f"{start}.dag.tasks[]")
    yield from (f"{start}.dag.tasks[].{field}" for field in ("depends", "dependencies"))
    yield f"{start}.dag.target"
    yield f"{start}.dag.failFast"
    yield from (f"{start}.retryStrategy.{field}" for field in _RETRY)
    yield from (f"{start}.volumes[].{field}" for field in _VOLUME)
    yield from (f"{start}.{field}" for field in _PLACE)


def _paths() -> Iterator[str]:
    yield from ("apiVersion", "kind", "metadata.**")
    yield from (f"spec.{f}" for f in ("entrypoint", "onExit", "parallelism", "suspend", "activeDeadlineSeconds"))
    yield from (f"spec.{f}" for f in ("priority", "archiveLogs", "workflowTemplateRef.**"))
    yield from ("spec.podGC.**", "spec.ttlStrategy.**", "spec.volumeClaimGC.**")
    yield from (f"spec.synchronization.{field}" for field in _LOCKS)
    yield "spec.podMetadata.annotations.*"
    yield "spec.podMetadata.labels.*"
    yield "spec.workflowMetadata.labels.*"
    yield "spec.workflowMetadata.annotations.*"
    yield from _io("spec.arguments")
    yield from (f"spec.arguments.artifacts[].{field}" for field in _FETCHED)
    yield from _hooks("spec")
    yield from (f"spec.retryStrategy.{field}" for field in _RETRY)
    yield from (f"spec.volumes[].{field}" for field in _VOLUME)
    yield from (f"spec.{field}" for field in _PLACE)
    yield from ("spec.volumeClaimTemplates[].apiVersion", "spec.volumeClaimTemplates[].kind")
    yield "spec.volumeClaimTemplates[].metadata.**"
    yield from (f"spec.volumeClaimTemplates[].spec.{f}" for f in ("accessModes", "volumeMode", "resources.**"))
    yield "spec.podSpecPatch"
    yield from (f"spec.podResources.{field}" for field in _RESOURCES)
    yield "spec.templateDefaults"
    yield from _template("spec.templates[]")


def _unknown_field(path: str) -> str:
    return "" if path in FIELDS else path


def _values() -> Iterator[tuple[str, Callable[[str], str]]]:
    """Fields that are honoured only as far as their text says nothing else."""
    yield "spec.podSpecPatch", podpatch.refused
    template = "spec.templates[]"
    yield f"{template}.podSpecPatch", podpatch.refused
    for container in ("container", "script", "containerSet.containers[]", "initContainers[]", "sidecars[]"):
        yield f"{template}.{container}.env[].valueFrom.fieldRef.fieldPath", _unknown_field


SUPPORTED = SupportedFields(_paths(), dict(_values()))
