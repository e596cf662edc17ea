"""A folder of the machine a step happens to run on."""

from hera.workflows import Container, HostPathVolume, Workflow

refused = "spec.volumes[0].hostPath"
with Workflow(
    generate_name="refused-host-path-",
    entrypoint="main",
    volumes=[HostPathVolume(name="etc", path="/etc", mount_path="/x")],
) as w:
    Container(name="main", image="busybox", command=["ls"], args=["/x"])
