"""A template that calls itself until a condition ends it."""

from hera.workflows import Parameter, Step, Steps, Workflow, script


@script(image="python:3.11")
def less(number: int):
    print(number - 1)


with Workflow(generate_name="recursion-", entrypoint="down", arguments={"number": 2}) as w:
    with Steps(name="down", inputs=[Parameter(name="number", value="{{workflow.parameters.number}}")]):
        made = less(name="less", arguments={"number": "{{inputs.parameters.number}}"})
        Step(name="again", template="down", arguments={"number": made.result}, when=f"{made.result} > 0")
