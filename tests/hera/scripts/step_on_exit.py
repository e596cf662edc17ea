"""A template that runs when a step has ended."""

from hera.workflows import Container, Step, Steps, Workflow

with Workflow(generate_name="step-on-exit-", entrypoint="main") as w:
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    clean = Container(name="clean", image="busybox", command=["echo"], args=["clean"])
    with Steps(name="main"):
        Step(name="work", template="say", on_exit=clean)
