"""A list of a bucket's files as a step: here a list is of an artifact or a dataset, which have no bucket."""

from hera.workflows import Data, S3Artifact, Workflow

refused = "spec.templates[0].data.source.artifactPaths.s3.bucket"
with Workflow(generate_name="data-", entrypoint="main") as w:
    Data(
        name="main",
        source=S3Artifact(name="source", bucket="b", key="k"),
        transformations=["filter(data, {# endsWith 'x'})"],
    )
