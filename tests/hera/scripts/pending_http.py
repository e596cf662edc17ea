"""A request the platform makes."""

from hera.workflows import HTTP, Workflow

refused = "spec.templates[0].http"
with Workflow(generate_name="http-", entrypoint="main") as w:
    HTTP(name="main", url="http://127.0.0.1:9/", timeout_seconds=1)
