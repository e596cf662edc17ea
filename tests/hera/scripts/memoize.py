"""A step whose result is looked up before it runs again."""

from hera.workflows import Container, Parameter, Step, Steps, Workflow
from hera.workflows.models import Cache, LocalObjectReference, Memoize, ValueFrom

with Workflow(generate_name="memoize-", entrypoint="main") as w:
    Container(
        name="work",
        image="busybox",
        command=["sh", "-c"],
        args=["echo -n 42 > /tmp/x"],
        outputs=[Parameter(name="x", value_from=ValueFrom(path="/tmp/x"))],
        memoize=Memoize(
            key="{{workflow.name}}", max_age="1h", cache=Cache(config_map=LocalObjectReference(name="hera-cache"))
        ),
    )
    with Steps(name="main"):
        Step(name="first", template="work")
        Step(name="again", template="work")
