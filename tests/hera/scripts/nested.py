"""A graph in steps in a graph."""

from hera.workflows import DAG, Container, Step, Steps, Task, Workflow

with Workflow(generate_name="nested-", entrypoint="outer") as w:
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    with DAG(name="inner"):
        Task(name="one", template="say") >> Task(name="two", template="say")
    with Steps(name="middle"):
        Step(name="first", template="say")
        Step(name="graph", template="inner")
    with DAG(name="outer"):
        Task(name="left", template="middle") >> Task(name="right", template="say")
