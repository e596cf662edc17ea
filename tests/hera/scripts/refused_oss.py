"""An artifact of a store the platform does not fetch from."""

from hera.workflows import Container, OSSArtifact, Workflow

refused = "spec.templates[0].inputs.artifacts[0].oss"
with Workflow(generate_name="refused-oss-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[OSSArtifact(name="x", path="/tmp/x", bucket="b", key="k", endpoint="https://example.org")],
    )
