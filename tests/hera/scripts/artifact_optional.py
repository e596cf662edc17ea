"""An output that need not be there, and an input that does not mind."""

from hera.workflows import Artifact, Container, Step, Steps, Workflow

with Workflow(generate_name="artifact-optional-", entrypoint="main") as w:
    log = Artifact(name="log", path="/tmp/log", optional=True)
    maybe = Container(name="maybe", image="busybox", command=["echo"], args=["x"], outputs=[log])
    Container(name="use", image="busybox", command=["sh", "-c"], args=["test ! -e /tmp/log"], inputs=[log])
    with Steps(name="main"):
        maybe(name="maybe")
        given = Artifact(name="log", from_="{{steps.maybe.outputs.artifacts.log}}", optional=True)
        Step(name="use", template="use", arguments=[given])
