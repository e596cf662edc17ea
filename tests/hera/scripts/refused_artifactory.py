"""An artifact of a store the platform does not fetch from."""

from hera.workflows import ArtifactoryArtifact, Container, Workflow

refused = "spec.templates[0].inputs.artifacts[0].artifactory"
with Workflow(generate_name="refused-artifactory-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[ArtifactoryArtifact(name="x", path="/tmp/x", url="https://example.org/x")],
    )
