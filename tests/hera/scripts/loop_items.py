"""A loop over plain items."""

from hera.workflows import Steps, Workflow, script


@script(image="python:3.11")
def square(number: int):
    print(number * number)


with Workflow(generate_name="loop-items-", entrypoint="main") as w, Steps(name="main"):
    square(name="squares", arguments={"number": "{{item}}"}, with_items=[1, 2, 3])
