"""A diamond of containers."""

from hera.workflows import DAG, Container, Parameter, Workflow

with Workflow(generate_name="dag-diamond-", entrypoint="diamond") as w:
    echo = Container(
        name="echo",
        image="busybox",
        inputs=[Parameter(name="message")],
        command=["echo"],
        args=["{{inputs.parameters.message}}"],
    )
    with DAG(name="diamond"):
        a = echo(name="A", arguments={"message": "A"})
        b = echo(name="B", arguments={"message": "B"})
        c = echo(name="C", arguments={"message": "C"})
        d = echo(name="D", arguments={"message": "D"})
        a >> [b, c] >> d
