"""Revisions of real repositories over loopback HTTP: what is read, what is not done, and where the limits end it."""

from __future__ import annotations

import functools
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fubini.remote import git
from fubini.remote.git import Repository
from fubini.remote.guard import Policy, Refused, RemoteError, policy_from
from tests.support.web import Asked, Reply, web

ENV = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}  # fmt: skip


def run(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, env=ENV, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Two commits on main, a branch, a tag; a program, a link, a hook that would leave a mark."""
    work = tmp_path / "work"
    work.mkdir()
    run(work, "init", "-q", "-b", "main")
    (work / "data").mkdir()
    (work / "data" / "one.txt").write_bytes(b"first\n")
    (work / "run.sh").write_text("#!/bin/sh\necho hi\n")
    (work / "run.sh").chmod(0o755)
    (work / "link").symlink_to("/etc/passwd")
    run(work, "add", "-A")
    run(work, "commit", "-q", "-m", "one")
    run(work, "tag", "v1")
    (work / "data" / "one.txt").write_bytes(b"second\n")
    run(work, "commit", "-q", "-a", "-m", "two")
    run(work, "branch", "side", "v1")
    served = tmp_path / "served"
    served.mkdir()
    run(tmp_path, "clone", "-q", "--bare", "work", "served/repo.git")
    run(served / "repo.git", "update-server-info")
    return served


@pytest.fixture
def served(origin: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(origin)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def policy_of(url: str) -> Policy:
    return policy_from({"allow": [url.removeprefix("http://")]})


def read(
    tmp_path: Path, repository: Repository, policy: Policy, **more: Any
) -> tuple[str, dict[str, tuple[int, bytes]], int]:
    folder = tmp_path / "scratch"
    folder.mkdir()
    limits = {"timeout_s": 30.0, "max_bytes": 10_000_000, "max_files": 100, **more}
    with git.read(repository, folder, policy=policy, **limits) as found:
        content = {file.path: (file.mode, b"".join(pieces)) for file, pieces in found.contents()}
        commit, left_out = found.commit, found.left_out
    assert not folder.exists()
    return commit, content, left_out


@pytest.mark.parametrize(
    ("wanted", "text"),
    [("", b"second\n"), ("main", b"second\n"), ("side", b"first\n"), ("v1", b"first\n"), ("main~1", b"first\n")],
)
def test_a_revision_is_read_by_branch_tag_or_expression(
    served: str, origin: Path, tmp_path: Path, wanted: str, text: bytes
) -> None:
    repository = Repository(f"{served}/repo.git", revision=wanted)
    commit, content, left_out = read(tmp_path, repository, policy_of(served))
    assert commit == run(origin / "repo.git", "rev-parse", wanted or "main")
    assert content == {"data/one.txt": (0o644, text), "run.sh": (0o755, b"#!/bin/sh\necho hi\n")}
    assert left_out == 1  # the link


def test_a_full_commit_is_that_commit_for_ever(served: str, origin: Path, tmp_path: Path) -> None:
    commit = run(origin / "repo.git", "rev-parse", "v1")
    assert read(tmp_path, Repository(f"{served}/repo.git", revision=commit), policy_of(served))[0] == commit


def test_a_depth_and_a_branch_are_honoured_over_the_file_protocol_where_it_is_allowed(
    origin: Path, tmp_path: Path
) -> None:
    url = f"file://{origin}/repo.git"
    with pytest.raises(Refused, match="FUBINI_REMOTE_SCHEMES"):
        read(tmp_path, Repository(url), Policy())
    (tmp_path / "scratch").rmdir()
    policy = policy_from({"schemes": ["https", "file"]})
    commit, content, _ = read(tmp_path, Repository(url, branch="side", depth=1, single_branch=True), policy)
    assert (commit, content["data/one.txt"][1]) == (run(origin / "repo.git", "rev-parse", "side"), b"first\n")


@pytest.mark.parametrize("revision", ["--upload-pack=touch /tmp/x", "-x", "a..b", "a b", "$(id)", "a\nb", "no-such"])
def test_a_revision_that_is_none_is_an_error_and_no_option(served: str, tmp_path: Path, revision: str) -> None:
    with pytest.raises(RemoteError):
        read(tmp_path, Repository(f"{served}/repo.git", revision=revision), policy_of(served))


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c touch% /tmp/x", "ssh://git@example.org/x", "git@example.org:x", "git://example.org/x", "/etc", "-x",
     "http://127.0.0.1:9/x", "http://u:canary@example.org/x"],
)  # fmt: skip
def test_no_other_protocol_and_no_private_address(tmp_path: Path, url: str) -> None:
    with pytest.raises(Refused) as raised:
        read(tmp_path, Repository(url), Policy())
    assert "canary" not in raised.value.message


def test_a_repository_beyond_the_limits_is_refused(served: str, tmp_path: Path) -> None:
    repository = Repository(f"{served}/repo.git")
    with pytest.raises(RemoteError, match="more than 1 files"):
        read(tmp_path, repository, policy_of(served), max_files=1)
    (tmp_path / "scratch").mkdir(exist_ok=True)
    with pytest.raises(RemoteError, match="allowed"):
        (tmp_path / "scratch").rmdir()
        read(tmp_path, repository, policy_of(served), max_bytes=10)


def test_what_is_no_repository_is_said(served: str, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="404"):
        read(tmp_path, Repository(f"{served}/none.git"), policy_of(served))


def test_the_program_gets_no_credentials_as_arguments_and_none_of_our_environment(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "touch /tmp/never")
    monkeypatch.setenv("FUBINI_SECRET_KEY", "canary-of-ours")
    seen: list[tuple[list[str], dict[str, str]]] = []
    real = subprocess.Popen

    def spy(argv: list[str], **more: Any) -> Any:
        seen.append((argv, more["env"]))
        return real(argv, **more)

    monkeypatch.setattr(git.subprocess, "Popen", spy)
    repository = Repository(f"{served}/repo.git", username="bot", password="canary-password")
    read(tmp_path, repository, policy_of(served))
    assert seen
    for argv, env in seen:
        assert "canary" not in " ".join(argv)
        assert "GIT_SSH_COMMAND" not in env
        assert "canary-of-ours" not in " ".join(env.values())


def test_a_redirect_is_followed_by_the_guard_and_not_by_the_program(served: str, origin: Path, tmp_path: Path) -> None:
    def moved(asked: Asked) -> Reply:
        return Reply(status=301, headers={"Location": served + asked.path.replace("/old.git", "/repo.git")})

    with web(moved) as front:
        policy = policy_from({"allow": [front.allow, served.removeprefix("http://")]})
        commit, content, _ = read(tmp_path, Repository(f"{front.url}/old.git"), policy)
        assert commit == run(origin / "repo.git", "rev-parse", "main")
        assert content["data/one.txt"][1] == b"second\n"
        assert [a.path for a in front.asked] == ["/old.git/info/refs?service=git-upload-pack"]
        with pytest.raises(Refused):
            read(tmp_path, Repository(f"{front.url}/old.git"), policy_from({"allow": [front.allow]}))


def test_a_name_is_pinned_for_the_program_too(served: str, tmp_path: Path) -> None:
    port = int(served.rpartition(":")[2])
    policy = policy_from({"allow": [f"git.example:{port}"]})
    answers = [["127.0.0.1"], ["127.0.0.1"], ["10.9.9.9"]]
    found = read(
        tmp_path, Repository(f"http://git.example:{port}/repo.git"), policy, resolver=lambda host, p: answers.pop(0)
    )
    assert found[1]["data/one.txt"][1] == b"second\n"
    assert answers == [["10.9.9.9"]]
