"""The archive strategies of outputs."""

from hera.workflows import Artifact, Container, NoneArchiveStrategy, TarArchiveStrategy, Workflow, ZipArchiveStrategy

with Workflow(generate_name="artifact-archives-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["sh", "-c"],
        args=["for n in a b c; do echo $n > /tmp/$n; done"],
        outputs=[
            Artifact(name="plain", path="/tmp/a", archive=NoneArchiveStrategy()),
            Artifact(name="tar", path="/tmp/b", archive=TarArchiveStrategy(compression_level=3)),
            Artifact(name="zip", path="/tmp/c", archive=ZipArchiveStrategy()),
        ],
    )
