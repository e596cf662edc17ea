"""Hooks of tasks, with an argument from the task itself."""

from hera.workflows import DAG, Container, Parameter, Task, Workflow
from hera.workflows.models import Arguments, LifecycleHook
from hera.workflows.models import Parameter as ModelParameter

with Workflow(generate_name="hooks-task-", entrypoint="main") as w:
    Container(
        name="say",
        image="busybox",
        inputs=[Parameter(name="text", default="-")],
        command=["echo"],
        args=["{{inputs.parameters.text}}"],
    )
    hook = LifecycleHook(
        template="say", arguments=Arguments(parameters=[ModelParameter(name="text", value="{{tasks.a.status}}")])
    )
    with DAG(name="main"):
        Task(name="a", template="say", hooks={"exit": hook})
