"""A retry by the cause of the failure: it succeeds the second time."""

from hera.workflows import Container, RetryStrategy, Workflow
from hera.workflows.models import Backoff

with Workflow(generate_name="retry-cause-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["sh", "-c"],
        args=["test {{retries}} -gt 0 || exit 75"],
        retry_strategy=RetryStrategy(
            limit="3",
            expression="asInt(lastRetry.exitCode) == 75",
            backoff=Backoff(duration="1", factor="1", max_duration="1m"),
        ),
    )
