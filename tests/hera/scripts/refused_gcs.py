"""An artifact of a store the platform does not fetch from."""

from hera.workflows import Container, GCSArtifact, Workflow

refused = "spec.templates[0].inputs.artifacts[0].gcs"
with Workflow(generate_name="refused-gcs-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[GCSArtifact(name="x", path="/tmp/x", bucket="b", key="k")],
    )
