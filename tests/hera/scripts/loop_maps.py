"""A loop over mappings."""

from hera.workflows import DAG, Container, Parameter, Workflow

with Workflow(generate_name="loop-maps-", entrypoint="main") as w:
    say = Container(
        name="say",
        image="busybox",
        inputs=[Parameter(name="os"), Parameter(name="ver")],
        command=["echo"],
        args=["{{inputs.parameters.os}}-{{inputs.parameters.ver}}"],
    )
    with DAG(name="main"):
        say(
            name="each",
            arguments={"os": "{{item.os}}", "ver": "{{item.ver}}"},
            with_items=[{"os": "debian", "ver": "12"}, {"os": "alpine", "ver": "3"}],
        )
