"""A Kubernetes object: there is no cluster to make it in."""

from hera.workflows import Resource, Workflow

refused = "spec.templates[0].resource"
with Workflow(generate_name="refused-resource-", entrypoint="main") as w:
    Resource(name="main", action="create", manifest="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
