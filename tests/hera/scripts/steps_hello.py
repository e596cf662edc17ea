"""Steps that call a script twice, one after the other."""

from hera.workflows import Steps, Workflow, script


@script(image="python:3.11")
def hello(who: str):
    print(f"hello {who}")


with Workflow(generate_name="steps-hello-", entrypoint="main") as w, Steps(name="main"):
    hello(name="first", arguments={"who": "a"})
    hello(name="second", arguments={"who": "b"})
