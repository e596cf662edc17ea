"""Tasks that call templates of a stored and of a cluster template."""

from hera.workflows import DAG, ClusterWorkflowTemplate, Container, Task, Workflow, WorkflowTemplate
from hera.workflows.models import TemplateRef

with WorkflowTemplate(name="tools") as tools:
    Container(name="say", image="busybox", command=["echo"], args=["x"])
with ClusterWorkflowTemplate(name="shared-tools") as shared:
    Container(name="say", image="busybox", command=["echo"], args=["y"])

before = [tools, shared]
with Workflow(generate_name="template-ref-", entrypoint="main") as w, DAG(name="main"):
    Task(name="own", template_ref=TemplateRef(name="tools", template="say")) >> Task(
        name="cluster", template_ref=TemplateRef(name="shared-tools", template="say", cluster_scope=True)
    )
