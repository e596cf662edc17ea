"""Tasks that follow a success, a failure and an error."""

from hera.workflows import DAG, Container, Task, Workflow

phase = "Failed"
with Workflow(generate_name="task-outcomes-", entrypoint="main") as w:
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    Container(name="fail", image="busybox", command=["sh", "-c"], args=["exit 2"])
    with DAG(name="main", fail_fast=False):
        good = Task(name="good", template="say")
        bad = Task(name="bad", template="fail")
        good.on_success(Task(name="after-success", template="say"))
        bad.on_failure(Task(name="after-failure", template="say"))
        bad.on_error(Task(name="after-error", template="say"))
