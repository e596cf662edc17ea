"""A list of files as a step, of a dataset that is not there."""

from hera.workflows import Data, S3Artifact, Workflow

phase = "Failed"
with Workflow(generate_name="data-", entrypoint="main") as w:
    Data(
        name="main",
        source=S3Artifact(name="source", key="dataset/nowhere@1"),
        transformations=["filter(data, {# endsWith 'x'})"],
    )
