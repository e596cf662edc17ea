"""Secrets through a real agent, keeper and step: given, used, hidden, gone; and nowhere on the agent's disk meanwhile."""

from __future__ import annotations

import base64
from collections.abc import Callable

from fubini_protocol.v1.messages import Cause, ContainerSecrets, OutcomeKind, SecretFile, SecretsReply
from tests.support.agents import AgentProcess
from tests.support.canaries import files_with
from tests.support.fake_platform import FakePlatform

CANARY = "canary-of-a-secret"
FILE_CANARY = "canary-in-a-file"


def given(attempt_id: str, platform: FakePlatform, *, error: str = "") -> None:
    encoded = base64.b64encode(FILE_CANARY.encode()).decode()
    platform.secrets[attempt_id] = SecretsReply(
        env=(("TOKEN", CANARY),),
        files=(SecretFile(mount_path="/etc/creds", path="db/password", content=encoded, mode=0o644),),
        values=tuple(base64.b64encode(v.encode()).decode() for v in (CANARY, FILE_CANARY)),
        error=error,
    )


def test_a_step_reads_its_secrets_and_what_it_prints_of_them_is_hidden(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    given("a1", platform)
    script = (
        "test ${#TOKEN} -eq 18; stat -c %a /etc/creds/db/password; cat /etc/creds/db/password; echo;"
        "! echo x 2>/dev/null > /etc/creds/db/new; printf %s ${TOKEN%-a-secret}; sleep 0.6; echo ${TOKEN#canary-of};"
        "echo $TOKEN > /tmp/p; echo end"
    )
    platform.lease(
        "a1", argv=("sh", "-e"), source=script, needs_secrets=True, secret_mounts=("/etc/creds",), capture_result=True,
        parameters_out=({"name": "p", "path": "/tmp/p"},),
    )  # fmt: skip
    report = platform.outcome("a1")
    assert report.outcome is not None, report
    assert report.outcome.result == "600\n***\n***\nend"
    assert report.outcome.parameters == {"p": "***"}
    want = b"600\n" + b"*" * len(FILE_CANARY) + b"\n" + b"*" * len(CANARY) + b"\nend\n"
    platform.wait_log("a1", want)
    platform.wait(lambda: not list((agent.folder / "attempts").iterdir()), "the work directory gone")
    assert files_with(agent.folder, FILE_CANARY) == []
    assert files_with(agent.folder, CANARY) == []
    assert CANARY not in agent.log_text()


def test_the_journal_never_has_a_secret_and_a_restart_before_the_start_asks_again(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    site = "[images]\nhost = { host = true }\n[offer]\ncpu_millis = 1000\nsteps_max = 1\n"
    agent = make_agent(site=site).start()
    platform.lease("first", argv=("sleep", "4"))
    platform.wait_running("first")
    given("second", platform)
    platform.lease(
        "second", argv=("sh",), source="echo is $TOKEN", needs_secrets=True,
        secret_mounts=("/etc/creds",), capture_result=True,
    )  # fmt: skip
    platform.wait(lambda: platform.secret_asks == 1, "the secrets asked for")
    agent.kill()
    assert files_with(agent.folder, CANARY) == []
    assert all(path.startswith("attempts/") for path in files_with(agent.folder, FILE_CANARY))
    agent.start()
    report = platform.outcome("second")
    assert report.outcome is not None
    assert (report.outcome.exit_code, report.outcome.result) == (0, "is ***")
    assert platform.secret_asks >= 2


def test_a_running_step_stays_masked_over_a_restart_of_the_agent(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    agent = make_agent().start()
    given("a1", platform)
    script = 'echo one; sleep 3; echo "two $TOKEN"'
    platform.lease("a1", argv=("sh",), source=script, needs_secrets=True, capture_result=True)
    platform.wait_running("a1")
    agent.kill()
    agent.start()
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert report.outcome.result == "one\ntwo ***"
    want = b"one\ntwo " + b"*" * len(CANARY) + b"\n"
    platform.wait_log("a1", want)


def test_a_secret_that_is_not_there_is_the_steps_fault_and_it_never_runs(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    given("a1", platform, error="the project has no secret 'db'")
    platform.lease("a1", argv=("touch", "/tmp/ran"), needs_secrets=True)
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.outcome.kind, report.cause) == (OutcomeKind.INPUT_ERROR, Cause.USER)
    assert report.outcome.error == "the project has no secret 'db'"


def test_a_secret_under_a_path_that_climbs_is_refused(agent: AgentProcess, platform: FakePlatform) -> None:
    content = base64.b64encode(b"value").decode()
    platform.secrets["a1"] = SecretsReply(
        files=(SecretFile(mount_path="/etc/creds", path="../x", content=content),), values=(content,)
    )
    platform.lease("a1", argv=("true",), needs_secrets=True, secret_mounts=("/etc/creds",))
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert "climbs" in report.outcome.error


def test_each_container_has_its_own_secrets_and_each_log_is_masked(agent: AgentProcess, platform: FakePlatform) -> None:
    other = "canary-of-a-sidecar"
    platform.secrets["a1"] = SecretsReply(
        env=(("TOKEN", CANARY),),
        containers=(
            ContainerSecrets(name="main", env=(("TOKEN", CANARY),)),
            ContainerSecrets(name="first", env=(("OTHER", other),)),
        ),
        values=tuple(base64.b64encode(v.encode()).decode() for v in (CANARY, other)),
    )
    show = ("sh", "-c", 'echo "<$TOKEN|$OTHER>"')
    platform.lease(
        "a1", argv=show, needs_secrets=True, capture_result=True, principal="main",
        containers=(
            {"name": "main", "kind": "main", "image": "host", "argv": show},
            {"name": "first", "kind": "init", "image": "host", "argv": show},
        ),
    )  # fmt: skip
    report = platform.outcome("a1")
    assert report.outcome is not None, report
    assert report.outcome.result == "<***|>"
    platform.wait(lambda: b"|>" in b"".join(map(bytes, list(platform.logs.values()))), "the main log")
    platform.wait(lambda: b"<|***" in b"".join(map(bytes, list(platform.logs.values()))), "the other log")
    assert b"canary" not in b"".join(map(bytes, platform.logs.values()))
