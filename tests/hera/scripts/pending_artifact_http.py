"""A file from a server."""

from hera.workflows import Container, HTTPArtifact, Workflow

refused = "spec.templates[0].inputs.artifacts[0].http"
with Workflow(generate_name="artifact-http-", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["cat"], args=["/tmp/x"], inputs=[HTTPArtifact(name="x", path="/tmp/x", url="http://127.0.0.1:9/x")])
