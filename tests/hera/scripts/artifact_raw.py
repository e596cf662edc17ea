"""A file whose text stands in the manifest."""

from hera.workflows import Container, RawArtifact, Workflow

with Workflow(generate_name="artifact-raw-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/table.csv"],
        inputs=[RawArtifact(name="table", path="/tmp/table.csv", data="a,b\n1,2\n")],
    )
