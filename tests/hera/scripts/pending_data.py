"""A list of files as a step."""

from hera.workflows import Data, S3Artifact, Workflow

refused = "spec.templates[0].data"
with Workflow(generate_name="data-", entrypoint="main") as w:
    Data(name="main", source=S3Artifact(name="source", bucket="b", key="k"), transformations=["filter(data, {# endsWith 'x'})"])
