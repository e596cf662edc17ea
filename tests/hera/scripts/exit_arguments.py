"""A workflow with an enum parameter and a description, chosen by a condition."""

from hera.workflows import Container, Parameter, Step, Steps, Workflow

with Workflow(
    generate_name="choices-",
    entrypoint="main",
    arguments=[Parameter(name="mode", value="fast", enum=["fast", "exact"], description="how to work")],
) as w:
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    with Steps(name="main"):
        Step(name="fast", template="say", when="{{workflow.parameters.mode}} == fast")
        Step(name="exact", template="say", when="{{workflow.parameters.mode}} == exact")
