"""A counted loop."""

from hera.workflows import Container, Parameter, Steps, Workflow
from hera.workflows.models import Sequence

with Workflow(generate_name="loop-sequence-", entrypoint="main") as w:
    say = Container(
        name="say", image="busybox", inputs=[Parameter(name="i")], command=["echo"], args=["{{inputs.parameters.i}}"]
    )
    with Steps(name="main"):
        say(name="count", arguments={"i": "{{item}}"}, with_sequence=Sequence(count=3))
