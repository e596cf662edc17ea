"""Request bodies as manifests and submit options. Pure.

A manifest comes as JSON and stays as it came, but for what a server adds and what clients written in Go send of fields
that are empty; nothing passes through a model of Argo's types, which would drop what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.compat.argo.shapes import API_VERSION

# Set by servers, or for what only a cluster has; a manifest read back may carry them.
_SERVERS: Final = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink", "managedFields",
     "namespace", "finalizers", "ownerReferences"}
)  # fmt: skip


def manifest_in(body: Any, field: str, kind: str, *, namespaces: Sequence[str] = ()) -> dict[str, Any]:
    """The manifest in a request.

    Args:
        namespaces: what its own namespace may be where it has one.

    Raises:
        Invalid: there is none, of another kind, or for another namespace.
    """
    found = body.get(field) if isinstance(body, Mapping) else None
    if not isinstance(found, dict):
        raise Invalid(
            say("{field} body not specified", field=field), next_step=say("Send {{{field!r}: {{...}}}}.", field=field)
        )
    given_kind = found.get("kind") or kind
    if given_kind != kind:
        raise Invalid(
            say(
                "The manifest's kind is {given_kind!r}; this address takes a {kind}.",
                given_kind=str(given_kind)[:60],
                kind=kind,
            ),
            allowed=kind,
        )
    metadata = found.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    own = metadata.get("namespace")
    if namespaces and own and own not in namespaces:
        raise Invalid(
            say(
                "The manifest is for namespace {own!r}; the request is for {namespaces!r}.",
                own=str(own)[:60],
                namespaces=namespaces[0],
            ),
            next_step="Leave metadata.namespace out, or make both the same.",
        )
    rest = {k: v for k, v in found.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    kept = {k: v for k, v in metadata.items() if k not in _SERVERS and v is not None}
    return {"apiVersion": found.get("apiVersion") or API_VERSION, "kind": kind, "metadata": kept, **rest}


def name_in(body: Mapping[str, Any], field: str) -> str:
    """The manifest's own name; the `argo` CLI leaves it out of the address of an update."""
    found = body.get(field)
    metadata = found.get("metadata") if isinstance(found, Mapping) else None
    return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""


def text_of(manifest: Mapping[str, Any]) -> str:
    """A manifest as the text that is kept: JSON is YAML, and no scalar changes its type in it."""
    return json.dumps(manifest, indent=2, ensure_ascii=False)


def is_dry_run(body: Mapping[str, Any]) -> bool:
    """Does a create request ask for no more than a check?"""
    options = body.get("createOptions")
    return bool(body.get("serverDryRun") or (isinstance(options, Mapping) and options.get("dryRun")))


def pairs(value: Any, name: str) -> dict[str, str]:
    """``["a=b", ...]``, or ``"a=b,c=d"`` as labels are sent.

    Raises:
        Invalid: something else.
    """
    items = value.split(",") if isinstance(value, str) else value or []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise Invalid(say("{name} is a list of name=value.", name=name))
    found: dict[str, str] = {}
    for item in items:
        if not item:
            continue
        key, equals, text = item.partition("=")
        if not equals or not key:
            raise Invalid(say("{item!r} of {name} is not name=value.", item=item[:80], name=name))
        found[key] = text
    return found


def submitted(resource: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The Workflow of a `submit` request and the parameters it gives.

    Args:
        resource: the Workflow made of the template or schedule named.

    Raises:
        Invalid: an option that is not honoured.
    """
    for name in ("ownerReference", "artifacts", "podPriorityClassName"):
        if options.get(name):
            raise Invalid(say("submitOptions.{name} is not honoured.", name=name), next_step="Leave it out.")
    metadata = dict(resource["metadata"])
    if options.get("name"):
        metadata["name"] = str(options["name"])
    elif options.get("generateName"):
        metadata.pop("name", None)
        metadata["generateName"] = str(options["generateName"])
    for key in ("labels", "annotations"):
        metadata[key] = {**(metadata.get(key) or {}), **pairs(options.get(key) or "", f"submitOptions.{key}")}
    spec = dict(resource["spec"])
    if options.get("entryPoint"):
        spec["entrypoint"] = str(options["entryPoint"])
    if options.get("serviceAccount"):
        spec["serviceAccountName"] = str(options["serviceAccount"])
    if options.get("priority") is not None:
        spec["priority"] = options["priority"]
    return {**resource, "metadata": metadata, "spec": spec}, pairs(
        options.get("parameters"), "submitOptions.parameters"
    )
