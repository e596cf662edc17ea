"""A graph whose own output is an expression over its tasks."""

from hera.workflows import DAG, Parameter, Workflow, script
from hera.workflows.models import ValueFrom


@script(image="python:3.11")
def value(number: int):
    print(number)


total = ValueFrom(expression="asInt(tasks.a.outputs.result) + asInt(tasks.b.outputs.result)")
with Workflow(generate_name="output-expression-", entrypoint="main") as w:
    with DAG(name="main", outputs=[Parameter(name="sum", value_from=total)]):
        value(name="a", arguments={"number": 20})
        value(name="b", arguments={"number": 22})
