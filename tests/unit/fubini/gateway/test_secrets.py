"""Who is given a step's secrets: the agent that holds the attempt's lease, while the attempt lives; nobody else."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.common.errors import NotFound
from fubini.gateway.secrets import secrets_deliver
from fubini.gateway.specs import exec_specs
from fubini.runs.engine import SecretEnv, SecretFile, SecretFiles, TaskSpec
from fubini.runs.models import Attempt, Lease, Task
from fubini.secrets.services import secret_delete, secret_set
from fubini_protocol.v1 import messages as wire
from tests.support.canaries import tables_with
from tests.support.rows import Place, make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db
CANARY = "canary-for-the-step"


@pytest.fixture
def place() -> Place:
    return make_place()


def attempt_of(place: Place, **spec: Any) -> Attempt:
    project = make_project()
    secret_set(project=project, name="db", values={"password": CANARY.encode(), "9lives": b"nine"}, actor="test")
    secret_set(project=project, name="raw", values={"bytes": b"\xff\x00"}, actor="test")
    fields = {"template": "work", "image": "busybox", "argv": ("true",), **spec}
    return make_attempt(make_task(make_run(project), spec=TaskSpec(**fields)), place)


def ask(place: Place, attempt: Attempt, fence: int | None = None) -> wire.SecretsReply:
    request = wire.SecretsRequest(attempt_id=attempt.pk, fence=attempt.fence if fence is None else fence)
    return secrets_deliver(place.agent, request)


def files(reply: wire.SecretsReply) -> dict[str, bytes]:
    return {f"{f.mount_path}:{f.path}": base64.b64decode(f.content) for f in reply.files}


def test_the_offer_says_that_there_are_secrets_and_none_of_them(place: Place) -> None:
    attempt = attempt_of(
        place, secret_env=(SecretEnv("P", "db", "password"),), secret_files=(SecretFiles("db", "/etc/db"),)
    )
    spec = exec_specs(place.agent, [attempt])[attempt.pk]
    assert (spec.needs_secrets, spec.secret_mounts) == (True, ("/etc/db",))
    assert CANARY not in spec.model_dump_json()


def test_the_holder_gets_variables_and_files_and_the_trail_says_so(place: Place) -> None:
    attempt = attempt_of(
        place,
        secret_env=(
            SecretEnv("", "db", prefix="DB_"),
            SecretEnv("P", "db", "password"),
            SecretEnv("N", "no", "k", optional=True),
        ),
        secret_files=(
            SecretFiles("db", "/etc/db", mode=0o400),
            SecretFiles("db", "/etc/one", items=(SecretFile("password", "sub/pass", 0o440),)),
            SecretFiles("raw", "/etc/raw.bin", items=(SecretFile("bytes", "b"),), sub_path="b"),
        ),
    )
    reply = ask(place, attempt)
    assert dict(reply.env) == {"DB_password": CANARY, "DB_9lives": "nine", "P": CANARY}
    assert files(reply) == {
        "/etc/db:9lives": b"nine",
        "/etc/db:password": CANARY.encode(),
        "/etc/one:sub/pass": CANARY.encode(),
        "/etc/raw.bin:": b"\xff\x00",
    }
    assert sorted(base64.b64decode(v) for v in reply.values) == sorted({CANARY.encode(), b"nine", b"\xff\x00"})
    entry = AuditEntry.objects.get(action="secret.deliver")
    assert (entry.actor, entry.target) == (f"agent:{place.agent.name}", f"attempt:{attempt.pk}")
    assert entry.data == {"secrets": ["db", "raw"], "run_id": attempt.run_id}
    assert list(tables_with([CANARY])) == []


def test_a_key_that_is_no_variables_name_is_passed_over_as_kubernetes_does(place: Place) -> None:
    assert dict(ask(place, attempt_of(place, secret_env=(SecretEnv("", "db"),))).env) == {"password": CANARY}


@pytest.mark.parametrize("end", ["cancelled", "another fence", "ended", "another agent", "lease revoked"])
def test_nobody_else_and_no_longer(place: Place, end: str) -> None:
    attempt = attempt_of(place, secret_env=(SecretEnv("P", "db", "password"),))
    asking, fence = place, attempt.fence
    if end == "cancelled":
        Task.objects.filter(pk=attempt.task_id).update(state="cancelled")
    elif end == "another fence":
        Task.objects.filter(pk=attempt.task_id).update(fence=attempt.fence + 1)
    elif end == "ended":
        Attempt.objects.filter(pk=attempt.pk).update(state="succeeded")
    elif end == "another agent":
        asking = make_place("other")
    else:
        Lease.objects.filter(pk=attempt.pk).update(state="revoked")
    with pytest.raises(NotFound):
        ask(asking, attempt, fence)
    if end == "another fence":
        with pytest.raises(NotFound):
            ask(place, attempt, fence + 1)
    assert not AuditEntry.objects.filter(action="secret.deliver").exists()


@pytest.mark.parametrize(
    ("wanted", "want"),
    [
        (SecretEnv("P", "nix", "k"), "the project has no secret 'nix'"),
        (SecretEnv("P", "db", "nix"), "the project's secret 'db' has no key 'nix'"),
        (SecretEnv("P", "raw", "bytes"), "is not text, so it cannot be a variable"),
    ],
)
def test_what_is_not_there_or_not_text_is_a_sentence_without_a_value(
    place: Place, wanted: SecretEnv, want: str
) -> None:
    reply = ask(place, attempt_of(place, secret_env=(wanted,)))
    assert want in reply.error
    assert (reply.env, reply.files, reply.values) == ((), (), ())


def test_a_secret_deleted_after_the_submit_is_missing_at_the_start(place: Place) -> None:
    attempt = attempt_of(place, secret_env=(SecretEnv("P", "db", "password"),))
    secret_delete(project=attempt.task.run.project, name="db", actor="test")
    assert ask(place, attempt).error == "the project has no secret 'db'"
