"""A step with its template written in place."""

from hera.workflows import Container, Step, Steps, Workflow

here = Container(image="busybox", command=["echo"], args=["x"])
with Workflow(generate_name="inline-", entrypoint="main") as w, Steps(name="main"):
    Step(name="here", inline=here)
