"""A file from one task to the next."""

from hera.workflows import DAG, Artifact, Container, NoneArchiveStrategy, Task, Workflow

with Workflow(generate_name="artifacts-", entrypoint="main") as w:
    writer = Container(
        name="write",
        image="busybox",
        command=["sh", "-c"],
        args=["seq 3 > /tmp/out.txt"],
        outputs=[Artifact(name="numbers", path="/tmp/out.txt", archive=NoneArchiveStrategy())],
    )
    Container(
        name="read",
        image="busybox",
        command=["sh", "-c"],
        args=["wc -l < /tmp/in.txt"],
        inputs=[Artifact(name="numbers", path="/tmp/in.txt")],
    )
    with DAG(name="main"):
        write = writer(name="write")
        read = Task(name="read", template="read", arguments=[write.get_artifact("numbers")])
        write >> read
