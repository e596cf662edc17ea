"""Resources and plain environment variables."""

from hera.workflows import Container, Env, Resources, Workflow

with Workflow(generate_name="resources-env-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["sh", "-c"],
        args=['test "$GREETING" = hello'],
        env=[Env(name="GREETING", value="hello")],
        resources=Resources(cpu_request=0.1, memory_request="16Mi"),
    )
