"""Dependencies joined by operators."""

from hera.workflows import DAG, Container, Operator, Task, TaskResult, Workflow

with Workflow(generate_name="operators-", entrypoint="main") as w:
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    Container(name="fail", image="busybox", command=["sh", "-c"], args=["exit 2"])
    with DAG(name="main", fail_fast=False):
        a = Task(name="a", template="say")
        b = Task(name="b", template="fail")
        last = Task(name="last", template="say")
        a.next(last, operator=Operator.and_, on=TaskResult.succeeded)
        b.next(last, operator=Operator.or_, on=TaskResult.succeeded)
