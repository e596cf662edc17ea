"""Two workers that must not work at once."""

from hera.workflows import DAG, Container, Task, Workflow
from hera.workflows.models import Mutex, Synchronization

with Workflow(generate_name="mutex-", entrypoint="main") as w:
    Container(
        name="work",
        image="busybox",
        command=["echo"],
        args=["x"],
        synchronization=Synchronization(mutexes=[Mutex(name="table")]),
    )
    with DAG(name="main"):
        Task(name="a", template="work") >> Task(name="b", template="work")
