"""TaskResult's states of a loop: any succeeded, all failed."""

from hera.workflows import DAG, Container, Parameter, Task, Workflow

phase = "Failed"
with Workflow(generate_name="task-results-", entrypoint="main") as w:
    Container(
        name="exits",
        image="busybox",
        inputs=[Parameter(name="code")],
        command=["sh", "-c"],
        args=["exit {{inputs.parameters.code}}"],
    )
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    with DAG(name="main", fail_fast=False):
        some = Task(name="some", template="exits", arguments={"code": "{{item}}"}, with_param=["0", "1"])
        some.when_any_succeeded(Task(name="any", template="say"))
        some.when_all_failed(Task(name="none", template="say"))
