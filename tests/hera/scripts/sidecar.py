"""A container before the step and one beside it."""

from hera.workflows import Container, UserContainer, Workflow

with Workflow(generate_name="sidecar-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["echo"],
        args=["x"],
        init_containers=[UserContainer(name="before", image="busybox", command=["echo"], args=["first"])],
        sidecars=[UserContainer(name="beside", image="busybox", command=["sleep"], args=["60"])],
    )
