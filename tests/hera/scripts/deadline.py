"""A step that takes longer than it may."""

from hera.workflows import Container, Workflow

phase = "Failed"
with Workflow(generate_name="deadline-", entrypoint="main") as w:
    Container(name="main", image="busybox", command=["sleep"], args=["60"], active_deadline_seconds=1)
