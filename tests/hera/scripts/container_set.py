"""Containers of one step, in an order."""

from hera.workflows import ContainerNode, ContainerSet, Workflow

with Workflow(generate_name="container-set-", entrypoint="main") as w, ContainerSet(name="main"):
    a = ContainerNode(name="a", image="busybox", command=["echo"], args=["a"])
    b = ContainerNode(name="b", image="busybox", command=["echo"], args=["b"])
    a >> b
