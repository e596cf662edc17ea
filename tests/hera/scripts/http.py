"""A request the platform makes itself, to where it may not."""

from hera.workflows import HTTP, Workflow

phase = "Failed"
with Workflow(generate_name="http-", entrypoint="main") as w:
    HTTP(name="main", url="http://127.0.0.1:9/", timeout_seconds=1)
