"""A run of a stored template, with a value of its own."""

from hera.workflows import Container, Parameter, Workflow, WorkflowTemplate
from hera.workflows.models import WorkflowTemplateRef

with WorkflowTemplate(name="stored", entrypoint="main", arguments=[Parameter(name="who", value="nobody")]) as template:
    Container(name="main", image="busybox", command=["echo"], args=["{{workflow.parameters.who}}"])

before = [template]
w = Workflow(
    generate_name="of-template-",
    workflow_template_ref=WorkflowTemplateRef(name="stored"),
    arguments=[Parameter(name="who", value="me")],
)
