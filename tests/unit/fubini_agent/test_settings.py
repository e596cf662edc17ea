"""Site files, state folders, environments, names and the command line: what is refused says why."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fubini_agent import cli, facts
from fubini_agent.config import Identity, SiteFile, StateFolder, site_file_parse
from fubini_agent.environments import Environments, default_site_text
from fubini_agent.errors import ConfigError, StepFault
from fubini_agent.staging import names
from fubini_protocol.v1.messages import HostFacts
from tests.support.agents import AgentProcess
from tests.support.fake_platform import CREDENTIAL, TOKEN, FakePlatform

BAD_SITE_FILES = [
    ("offer = 3", "offer"),
    ("[offer]\ncpu_millis = 0", "offer.cpu_millis"),
    ("[offer]\ncores = 2", "offer.cores"),
    ('[images]\n"a" = { }', "images.'a'"),
    ('[images]\n"a" = { prefix = "/x", host = true }', "images.'a'"),
    ("[[offer.devices]]\nname = 'd'", "offer.devices.0.count"),
    ("nonsense", "TOML"),
    ("allow_on_slurm_hosts = true", "allow_on_slurm_hosts"),
]


@pytest.mark.parametrize(("text", "want"), BAD_SITE_FILES, ids=[want for _text, want in BAD_SITE_FILES])
def test_a_wrong_site_file_is_refused_with_the_key(text: str, want: str) -> None:
    with pytest.raises(ConfigError) as caught:
        site_file_parse(text)
    assert want in str(caught.value)


def test_the_site_file_that_a_join_writes_is_valid() -> None:
    assert site_file_parse(default_site_text()).image("python:3.12") is not None


def test_the_longest_matching_image_wins_and_an_exact_name_first() -> None:
    site = site_file_parse('[images]\n"*" = {host=true}\n"py*" = {host=true}\n"python:3" = {host=true}\n')
    assert [found[0] for name in ("python:3", "python:4", "x") if (found := site.image(name))] == [
        "python:3",
        "py*",
        "*",
    ]


def test_an_unknown_image_is_refused_with_all_known_names() -> None:
    environments = Environments(site_file_parse('[images]\n"alpine*" = {host=true}\n'))
    with pytest.raises(StepFault, match=r"'pytorch:9'.*alpine\*"):
        environments.for_image("pytorch:9")


def test_a_broken_environment_is_refused_when_asked_for_and_leaves_the_others(tmp_path: Path) -> None:
    environments = Environments(
        site_file_parse(f'[images]\n"good" = {{host=true}}\n"bad" = {{prefix="{tmp_path}/none"}}\n')
    )
    assert environments.for_image("good").image == "good"
    with pytest.raises(StepFault, match="no bin folder"):
        environments.for_image("bad")


def test_a_fingerprint_names_interpreter_and_packages_and_changes_with_a_program(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    site = site_file_parse(f'[images]\n"env" = {{prefix="{tmp_path}"}}\n')
    [first] = Environments(site).records()
    [same] = Environments(site).records()
    assert first == same
    assert first.interpreter.startswith("3.")
    assert first.fingerprint.startswith("sha256:")
    (tmp_path / "bin" / "tool").write_text("new")
    [changed] = Environments(site).records()
    assert changed.fingerprint != first.fingerprint
    assert changed.packages == first.packages


def test_caps_lower_the_offer_and_never_raise_it() -> None:
    host = HostFacts(hostname="h", machine_id="m", cores=4, memory_bytes=8 << 30, disk_bytes=1, arch="x86_64")
    low = facts.offer(host, site_file_parse("[offer]\ncpu_millis = 1500\nmemory_bytes = 1000\n"))
    high = facts.offer(host, site_file_parse("[offer]\ncpu_millis = 99000\n"))
    assert (low.cpu_millis, low.memory_bytes, high.cpu_millis) == (1500, 1000, 4000)
    assert low.labels["kubernetes.io/arch"] == "amd64"


def test_the_state_folder_is_closed_to_others_and_the_credential_to_all_but_us(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "s")
    (tmp_path / "s").mkdir(mode=0o755)
    folder.make()
    identity = Identity(url="u", agent_id="a", agent_name="n", site="s", credential="top-secret")
    folder.identity_write(identity)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.credential_path.stat().st_mode) == 0o600
    assert "top-secret" not in folder.identity_path.read_text() + repr(identity)
    assert folder.identity_read() == identity


def test_a_folder_that_never_joined_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fubini-agent join"):
        StateFolder(tmp_path).identity_read()


def test_join_reads_the_token_from_a_file_prints_the_offer_and_uses_the_token_up(
    platform: FakePlatform, tmp_path: Path
) -> None:
    agent = AgentProcess(
        platform, tmp_path / "s", site="[images]\nhost = { host = true }\n[offer]\ncpu_millis = 1500\n"
    )
    (tmp_path / "token").write_text(TOKEN + "\n")
    done = agent.cli("join", "--url", platform.url, "--token-file", str(tmp_path / "token"))
    assert done.returncode == 0, done.stderr
    assert "1.5 of" in done.stdout
    assert "testsite" in done.stdout
    assert CREDENTIAL not in done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    [request] = platform.joins
    assert request.offer.cpu_millis == 1500
    assert request.host.machine_id
    assert [environment.image for environment in request.environments] == ["host"]
    again = agent.cli("join", "--url", platform.url, "--token-file", str(tmp_path / "token"))
    assert again.returncode == 1
    assert "already holds an agent" in again.stderr
    other = AgentProcess(platform, tmp_path / "other")
    used = other.cli("join", "--url", platform.url, "--token-file", str(tmp_path / "token"))
    assert used.returncode == 1
    assert "unknown or used" in used.stderr


def test_run_refuses_a_host_with_slurms_commands_unless_told(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "sbatch").write_text("#!/bin/sh\n")
    (fake / "sbatch").chmod(0o755)
    agent = make_agent()
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    done = agent.cli("run")
    assert done.returncode == 1
    assert "allow_on_slurm_host" in done.stderr
    agent.start("--allow-on-slurm-host")
    platform.lease("a1", argv=("true",))
    assert platform.outcome("a1").state.value == "succeeded"


def test_status_tells_what_runs_and_that_a_killed_agent_does_not(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease("a1", argv=("sleep", "100"))
    platform.wait_running("a1")

    def shown() -> str:
        return agent.cli("status", "--json").stdout

    platform.wait(lambda: '"a1"' in shown(), "the status")
    data = json.loads(shown())
    assert (data["running"], data["attempts"][0]["state"], data["pid"]) == (True, "running", agent.pid)
    agent.kill()
    done = agent.cli("status")
    assert done.returncode == 1
    assert "does not run" in done.stdout


def test_doctor_and_offer_say_what_this_host_can_do(make_agent: Callable[..., AgentProcess]) -> None:
    agent = make_agent()
    checks = {check["check"]: check for check in json.loads(agent.cli("doctor", "--json").stdout)}
    assert checks["joined"]["ok"]
    assert "image host" in checks
    given = json.loads(agent.cli("offer", "--json", "--cpu-millis", "700").stdout)
    assert given["offer"]["cpu_millis"] == 700
    assert given["host"]["private_root"] == checks["private root"]["ok"]


def test_a_wrong_cap_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["offer", "--dir", str(tmp_path / "s"), "--cpu-millis", "0"]) == 1
    assert "at least 1" in capsys.readouterr().err


INSIDE = [("/a/b", "/a/b"), ("rel/x", "/step/rel/x"), ("/a//b/./c/", "/a/b/c"), ("./x", "/step/x")]


@pytest.mark.parametrize(("path", "want"), INSIDE)
def test_paths_become_absolute_and_plain(path: str, want: str) -> None:
    assert names.inside_path(path, "/step") == want


@pytest.mark.parametrize("path", ["", " ", "/", "//", "/..", "a/../b", "x\0y", "a" * 300, "/a" * 2500, "\ud800"])
def test_paths_that_cannot_be_are_refused(path: str) -> None:
    with pytest.raises(names.BadName):
        names.inside_path(path)


@pytest.mark.parametrize("paths", [["a", "a"], ["a", "a/b"], ["a/b", "a"], ["a/b/c", "a/b"], ["ok", ".."]])
def test_entries_that_collide_are_refused(paths: list[str]) -> None:
    with pytest.raises(names.BadName):
        names.entry_paths_check(paths)


def test_twins_in_case_and_normal_form_are_different_files() -> None:
    twins = ["A", "a", "\u00e9", "e\u0301", "CON", "x.", "x "]
    assert names.entry_paths_check(twins) == twins


def test_an_empty_site_file_offers_the_whole_host() -> None:
    assert SiteFile().offer.cpu_millis is None
