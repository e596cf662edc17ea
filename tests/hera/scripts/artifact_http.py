"""A file from a server the platform may not reach."""

from hera.workflows import Container, HTTPArtifact, Workflow

phase = "Error"
with Workflow(generate_name="artifact-http-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[HTTPArtifact(name="x", path="/tmp/x", url="http://127.0.0.1:9/x")],
    )
