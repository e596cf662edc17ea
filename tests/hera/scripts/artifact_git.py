"""A repository at a revision, at an address the platform may not reach."""

from hera.workflows import Container, GitArtifact, Workflow

phase = "Error"
with Workflow(generate_name="artifact-git-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["ls"],
        args=["/tmp/x"],
        inputs=[GitArtifact(name="x", path="/tmp/x", repo="http://127.0.0.1:9/x.git", revision="main")],
    )
