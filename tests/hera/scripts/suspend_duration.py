"""A pause of a second."""

from hera.workflows import Container, Step, Steps, Suspend, Workflow

with Workflow(generate_name="suspend-duration-", entrypoint="main") as w:
    Suspend(name="pause", duration="1")
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    with Steps(name="main"):
        Step(name="pause", template="pause")
        Step(name="say", template="say")
