"""A failure that the steps after it do not mind."""

from hera.workflows import Container, Step, Steps, Workflow
from hera.workflows.models import ContinueOn

with Workflow(generate_name="continue-on-", entrypoint="main") as w:
    Container(name="fail", image="busybox", command=["sh", "-c"], args=["exit 3"])
    Container(name="say", image="busybox", command=["echo"], args=["x"])
    with Steps(name="main"):
        Step(name="fails", template="fail", continue_on=ContinueOn(failed=True))
        Step(name="goes-on", template="say")
