"""Output parameters from files, one with a default."""

from hera.workflows import Container, Parameter, Step, Steps, Workflow
from hera.workflows.models import ValueFrom

with Workflow(generate_name="output-file-", entrypoint="main") as w:
    make = Container(
        name="make",
        image="busybox",
        command=["sh", "-c"],
        args=["echo 42 > /tmp/answer"],
        outputs=[
            Parameter(name="answer", value_from=ValueFrom(path="/tmp/answer")),
            Parameter(name="missing", value_from=ValueFrom(path="/tmp/none", default="7")),
        ],
    )
    Container(
        name="say",
        image="busybox",
        inputs=[Parameter(name="text")],
        command=["echo"],
        args=["{{inputs.parameters.text}}"],
    )
    with Steps(name="main"):
        made = make(name="make")
        Step(name="say", template="say", arguments={"text": made.get_parameter("answer")})
        Step(name="default", template="say", arguments={"text": made.get_parameter("missing")})
