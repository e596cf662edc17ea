"""One branch of two, by what a step has printed."""

from hera.workflows import Container, Steps, Workflow, script


@script(image="python:3.11")
def flip():
    print("heads")


with Workflow(generate_name="conditions-", entrypoint="main") as w:
    say = Container(name="say", image="busybox", command=["echo"], args=["x"])
    with Steps(name="main") as s:
        coin = flip(name="flip")
        with s.parallel():
            say(name="heads", when=f"{coin.result} == heads")
            say(name="tails", when=f"{coin.result} == tails")
