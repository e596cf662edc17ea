"""A global output parameter that a later step reads."""

from hera.workflows import Container, Parameter, Step, Steps, Workflow
from hera.workflows.models import ValueFrom

with Workflow(generate_name="output-global-", entrypoint="main") as w:
    Container(
        name="make",
        image="busybox",
        command=["sh", "-c"],
        args=["echo -n found > /tmp/x"],
        outputs=[Parameter(name="x", global_name="best", value_from=ValueFrom(path="/tmp/x"))],
    )
    Container(name="say", image="busybox", command=["echo"], args=["{{workflow.outputs.parameters.best}}"])
    with Steps(name="main"):
        Step(name="make", template="make")
        Step(name="say", template="say")
