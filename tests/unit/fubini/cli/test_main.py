"""What the command line does before it sends anything."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from fubini.cli import config, transfer
from fubini.cli.client import Client
from fubini.cli.errors import CliError, Exit, exit_code_of
from fubini.cli.main import hoist
from fubini.cli.watch import stages
from fubini.common.home import Home, start_ticks


def test_shared_options_may_stand_behind_the_command() -> None:
    assert hoist(["run", "list", "--json", "--project", "alloys"]) == ["--json", "--project", "alloys", "run", "list"]
    assert hoist(["run", "list", "--project=alloys"]) == ["--project=alloys", "run", "list"]
    assert hoist(["x", "--", "--json"]) == ["x", "--", "--json"]


STATUS = [(401, 3), (403, 3), (404, 4), (409, 5), (412, 5), (429, 5), (507, 5), (422, 2), (400, 2), (503, 6), (500, 1)]


@pytest.mark.parametrize(("status", "code"), STATUS)
def test_statuses_become_stable_exit_codes(status: int, code: int) -> None:
    assert exit_code_of(status) == code


@pytest.fixture
def no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FUBINI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(config, "OPTIONS", config.Options())
    return tmp_path


def server_here(tmp_path: Path, url: str) -> None:
    home = Home(tmp_path / "home")
    home.make()
    me = os.getpid()
    home.up.write_text(json.dumps({"pid": me, "start_ticks": start_ticks(me), "url": url}))
    home.token.write_text("local-token\n")


def profile(url: str, token: str) -> None:
    config.config_write({"current": "work", "profiles": {"work": {"url": url, "token": token, "project": "alloys"}}})


def test_no_server_at_all_is_said_with_what_to_try(no_server: Path) -> None:
    with pytest.raises(CliError) as caught:
        config.target()
    assert caught.value.exit_code == Exit.UNREACHABLE and "fubini up" in caught.value.try_


def test_what_runs_here_is_found_with_its_token(no_server: Path) -> None:
    server_here(no_server, "http://127.0.0.1:1234")
    found = config.target()
    assert (found.url, found.token) == ("http://127.0.0.1:1234", "local-token")
    assert "local-token" not in repr(found)


def test_a_record_of_a_dead_supervisor_is_no_server(no_server: Path) -> None:
    server_here(no_server, "http://127.0.0.1:1234")
    home = Home(no_server / "home")
    home.up.write_text(json.dumps({"pid": os.getpid(), "start_ticks": 1, "url": "http://127.0.0.1:1234"}))
    with pytest.raises(CliError):
        config.target()


def test_a_token_goes_only_to_the_url_it_belongs_to(no_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server_here(no_server, "http://127.0.0.1:1234")
    profile("https://fubini.example.org", "work-token")
    monkeypatch.setenv("FUBINI_URL", "https://evil.example.org")
    assert config.target().token == ""
    monkeypatch.setenv("FUBINI_URL", "https://fubini.example.org/")
    assert config.target().token == "work-token"
    monkeypatch.setenv("FUBINI_URL", "http://127.0.0.1:1234")
    assert config.target().token == "local-token"


def test_the_environment_wins_over_a_profile_and_a_token_may_be_in_a_file(
    no_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile("https://fubini.example.org", "work-token")
    file = no_server / "token"
    file.write_text("from-file\n")
    monkeypatch.setenv("FUBINI_URL", "https://other.example.org")
    monkeypatch.setenv("FUBINI_TOKEN_FILE", str(file))
    monkeypatch.setenv("FUBINI_PROJECT", "glass")
    found = config.target()
    assert (found.url, found.token, found.project) == ("https://other.example.org", "from-file", "glass")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a\\..\\b", "x\x00y", ""])
def test_a_path_from_the_server_never_leaves_the_target(tmp_path: Path, path: str) -> None:
    with pytest.raises(CliError, match="server names a file"):
        transfer.below(tmp_path, path)


def test_a_path_from_the_server_may_be_deep(tmp_path: Path) -> None:
    assert transfer.below(tmp_path, "a/b..c/d") == tmp_path / "a" / "b..c" / "d"


def test_a_folder_is_scanned_in_order_and_links_out_of_it_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "data" / "b").mkdir(parents=True)
    (tmp_path / "data" / "b" / "2").write_text("2")
    (tmp_path / "data" / "a").write_text("1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("s")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "outside")
    assert [file.entry["path"] for file in transfer.scan(tmp_path / "data")] == ["a", "b/2"]


def row(template: str, phase: str, count: int, started: int | None = None, kind: str = "Pod") -> dict[str, Any]:
    times = {"started_at_ms": started, "finished_at_ms": started + 500 if started else None}
    return {"template": template, "type": kind, "phase": phase, "count": count, **times}


def test_nodes_are_counted_by_stage_in_the_order_stages_began() -> None:
    summary = [
        row("train", "Pending", 4),
        row("label", "Succeeded", 3, 1000),
        row("label", "Failed", 1, 1200),
        row("prepare", "Succeeded", 1, 500),
        row("main", "Running", 1, 400, "DAG"),
    ]
    found = stages(summary)
    assert [s.name for s in found] == ["prepare", "label", "train"]
    assert (found[1].done, found[1].failed, found[1].total) == (3, 1, 4)


def test_a_download_goes_by_its_link_and_asks_for_a_new_one_when_that_is_over(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/content"):
            return httpx.Response(302, headers={"Location": "/objects/new/a"})
        assert "authorization" not in request.headers  # a link has its own right; the token stays with the API
        return httpx.Response(403) if request.url.path == "/objects/old/a" else httpx.Response(200, content=b"abc")

    client = Client(config.Target("http://127.0.0.1:9", "token", "demo"))
    client.http = httpx.Client(
        base_url="http://127.0.0.1:9", transport=httpx.MockTransport(answer), headers={"Authorization": "Bearer token"}
    )
    sha = hashlib.sha256(b"abc").hexdigest()
    for name, link in (("fresh", "/objects/good/a"), ("over", "/objects/old/a")):
        wanted = transfer.Wanted(tmp_path / name, 3, sha, 0o644, "/datasets/d/versions/1/content", {"path": "a"}, link)
        assert transfer.download(client, [wanted], tmp_path, lambda _: None) == (1, 0)
        assert (tmp_path / name).read_bytes() == b"abc"
    assert asked == ["/objects/good/a", "/objects/old/a", "/api/v1/datasets/d/versions/1/content", "/objects/new/a"]
