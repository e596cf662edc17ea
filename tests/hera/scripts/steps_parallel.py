"""Two steps side by side in one group."""

from hera.workflows import Container, Steps, Workflow

with Workflow(generate_name="steps-parallel-", entrypoint="main") as w:
    say = Container(name="say", image="busybox", command=["echo"], args=["x"])
    with Steps(name="main") as s:
        say(name="before")
        with s.parallel():
            say(name="left")
            say(name="right")
        say(name="after")
