"""A script function whose inputs and outputs are annotated."""

from typing import Annotated

from hera.workflows import Artifact, Parameter, Steps, Workflow, script


@script(image="python:3.11", outputs=[Artifact(name="out", path="/tmp/out")])
def write(count: Annotated[int, Parameter(name="count")]):
    with open("/tmp/out", "w") as file:
        file.write("x" * count)


@script(image="python:3.11", inputs=[Artifact(name="in", path="/tmp/in")])
def size():
    with open("/tmp/in") as file:
        print(len(file.read()))


with Workflow(generate_name="script-artifacts-", entrypoint="main") as w, Steps(name="main"):
    made = write(name="write", arguments={"count": 5})
    size(name="size", arguments=[made.get_artifact("out").with_name("in")])
