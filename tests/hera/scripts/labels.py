"""Labels, annotations and the variables that read them."""

from hera.workflows import Container, Workflow

with Workflow(
    generate_name="labels-", entrypoint="main", labels={"team": "catalysis"}, annotations={"note": "of ours"}
) as w:
    Container(
        name="main", image="busybox", command=["echo"], args=["{{workflow.labels.team}} {{workflow.annotations.note}}"]
    )
