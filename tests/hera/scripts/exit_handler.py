"""An exit handler that reads the workflow's status."""

from hera.workflows import Container, Workflow

phase = "Failed"
with Workflow(generate_name="exit-handler-", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["sh", "-c"], args=["exit 1"])
    bye = Container(name="bye", image="busybox", command=["echo"], args=["{{workflow.status}} {{workflow.failures}}"])
    w.on_exit = bye
