"""A schedule: kept as it is written, and run by `submit --from`."""

from hera.workflows import Container, CronWorkflow

with CronWorkflow(
    name="nightly-hera",
    entrypoint="main",
    schedules=["30 2 * * *"],
    timezone="Europe/Berlin",
    concurrency_policy="Forbid",
    starting_deadline_seconds=300,
    successful_jobs_history_limit=2,
    failed_jobs_history_limit=2,
) as w:
    Container(name="main", image="busybox", command=["echo"], args=["night"])
