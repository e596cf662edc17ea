"""A hook of the whole workflow, with its condition."""

from hera.workflows import Container, Workflow
from hera.workflows.models import LifecycleHook

with Workflow(
    generate_name="hooks-workflow-",
    entrypoint="main",
    hooks={
        "exit": LifecycleHook(template="bye"),
        "never": LifecycleHook(template="bye", expression='workflow.status == "Error"'),
    },
) as w:
    Container(name="main", image="busybox", command=["echo"], args=["x"])
    Container(name="bye", image="busybox", command=["echo"], args=["bye"])
