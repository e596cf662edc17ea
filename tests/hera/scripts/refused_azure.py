"""An artifact of a store the platform does not fetch from."""

from hera.workflows import AzureArtifact, Container, Workflow

refused = "spec.templates[0].inputs.artifacts[0].azure"
with Workflow(generate_name="refused-azure-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[AzureArtifact(name="x", path="/tmp/x", container="c", blob="b", endpoint="https://example.org")],
    )
