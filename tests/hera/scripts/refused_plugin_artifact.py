"""An artifact of a driver plugin."""

from hera.workflows import Container, PluginArtifact, Workflow

refused = "spec.templates[0].inputs.artifacts[0].plugin"
with Workflow(generate_name="refused-plugin-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["cat"],
        args=["/tmp/x"],
        inputs=[PluginArtifact(name="x", path="/tmp/x", plugin_name="p", configuration="{}", key="k")],
    )
