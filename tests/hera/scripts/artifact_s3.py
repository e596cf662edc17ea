"""An object of a bucket the platform may not reach."""

from hera.workflows import Container, S3Artifact, Workflow

phase = "Error"
with Workflow(generate_name="artifact-s3-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[S3Artifact(name="x", path="/tmp/x", bucket="b", key="k", endpoint="127.0.0.1:9")],
    )
