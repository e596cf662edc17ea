"""An output that need not be there, and an input that does not mind."""

from hera.workflows import Artifact, Container, Step, Steps, Workflow

with Workflow(generate_name="artifact-optional-", entrypoint="main") as w:
    maybe = Container(name="maybe", image="busybox", command=["echo"], args=["x"], outputs=[Artifact(name="log", path="/tmp/log", optional=True)])
    Container(name="use", image="busybox", command=["sh", "-c"], args=["test ! -e /tmp/log"], inputs=[Artifact(name="log", path="/tmp/log", optional=True)])
    with Steps(name="main"):
        made = maybe(name="maybe")
        Step(name="use", template="use", arguments=[made.get_artifact("log")])
