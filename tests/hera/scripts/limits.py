"""Parallelism of the workflow and of a template, deadlines, and a graph that does not fail fast."""

from hera.workflows import DAG, Container, Task, Workflow

with Workflow(generate_name="limits-", entrypoint="main", parallelism=2, active_deadline_seconds=600) as w:
    Container(name="say", image="busybox", command=["echo"], args=["x"], active_deadline_seconds=60)
    with DAG(name="main", fail_fast=False, parallelism=1):
        for name in "abc":
            Task(name=name, template="say")
