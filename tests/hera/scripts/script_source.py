"""A script by its text, with an interpreter of its own."""

from hera.workflows import Script, Workflow

with Workflow(generate_name="script-source-", entrypoint="main") as w:
    Script(name="main", image="busybox", command=["sh"], source="echo from a shell script")
