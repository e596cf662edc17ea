"""A fan-out over what a step has printed, and a reduce over all that came of it."""

from hera.workflows import DAG, Workflow, script


@script(image="python:3.11")
def numbers():
    import json

    print(json.dumps([2, 3, 5]))


@script(image="python:3.11")
def double(number: int):
    print(number * 2)


@script(image="python:3.11")
def total(values: list):
    print(sum(int(v) for v in values))


with Workflow(generate_name="loop-param-", entrypoint="main") as w, DAG(name="main"):
    made = numbers(name="numbers")
    each = double(name="double", arguments={"number": "{{item}}"}, with_param=made.result)
    made >> each >> total(name="total", arguments={"values": each.result})
