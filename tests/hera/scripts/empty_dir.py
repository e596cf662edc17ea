"""Scratch space of a step."""

from hera.workflows import Container, EmptyDirVolume, Workflow

with Workflow(generate_name="empty-dir-", entrypoint="main", volumes=[EmptyDirVolume(name="scratch")]) as w:
    Container(
        name="main",
        image="busybox",
        command=["sh", "-c"],
        args=["echo x > /scratch/file && cat /scratch/file"],
        volumes=[EmptyDirVolume(name="scratch", mount_path="/scratch")],
    )
