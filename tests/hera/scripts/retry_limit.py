"""A step that fails as often as it may."""

from hera.workflows import Container, RetryPolicy, RetryStrategy, Workflow

phase = "Failed"
with Workflow(generate_name="retry-limit-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["sh", "-c"],
        args=["exit 1"],
        retry_strategy=RetryStrategy(limit=2, retry_policy=RetryPolicy.on_failure),
    )
