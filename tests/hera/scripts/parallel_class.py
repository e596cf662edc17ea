"""The same group by the Parallel class."""

from hera.workflows import Container, Parallel, Step, Steps, Workflow

with Workflow(generate_name="parallel-class-", entrypoint="main") as w:
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    with Steps(name="main"), Parallel():
        Step(name="left", template="say")
        Step(name="right", template="say")
