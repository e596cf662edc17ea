"""A loop from a number to a number, backwards, with a format."""

from hera.workflows import Container, Parameter, Steps, Workflow
from hera.workflows.models import Sequence

with Workflow(generate_name="loop-format-", entrypoint="main") as w:
    say = Container(
        name="say", image="busybox", inputs=[Parameter(name="i")], command=["echo"], args=["{{inputs.parameters.i}}"]
    )
    with Steps(name="main"):
        say(name="down", arguments={"i": "{{item}}"}, with_sequence=Sequence(start="3", end="1", format="run-%02d"))
