"""An artifact of a store the platform does not fetch from."""

from hera.workflows import Container, HDFSArtifact, Workflow

refused = "spec.templates[0].inputs.artifacts[0].hdfs"
with Workflow(generate_name="refused-hdfs-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[HDFSArtifact(name="x", path="/tmp/x", hdfs_path="/x", hdfs_user="me", addresses=["example.org:8020"])],
    )
