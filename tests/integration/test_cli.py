"""The command line against a real platform with three real agents."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Cli
from tests.support.stack import Stack

pytestmark = pytest.mark.needs("namespaces")

HELLO = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: world}]}
  templates:
  - name: main
    steps:
    - - {name: say, template: say}
    - - {name: write, template: write}
  - name: say
    script: {image: busybox, command: [sh], source: "echo hello {{workflow.parameters.who}}"}
  - name: write
    outputs: {artifacts: [{name: note, path: /tmp/out/note.txt}]}
    container:
      image: busybox
      command: [sh, -c]
      args: ["mkdir -p /tmp/out; echo of {{workflow.parameters.who}} > /tmp/out/note.txt"]
"""
FAILS = HELLO.replace("echo hello {{workflow.parameters.who}}", "echo the reason >&2; exit 3")
SLOW = HELLO.replace("echo hello {{workflow.parameters.who}}", "sleep 60")


@pytest.fixture
def hello(tmp_path: Path) -> str:
    path = tmp_path / "hello.yaml"
    path.write_text(HELLO)
    return str(path)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    return str(path)


def test_a_run_goes_from_submit_to_verified_results(fubini: Cli, hello: str, tmp_path: Path) -> None:
    ran = fubini.ok(
        "run", "submit", hello, "-p", "who=moon", "--name", "cli-hello", "--wait", "--timeout", "240", "--json"
    )
    run = ran.json()
    assert (run["state"], run["steps_done"], run["name"]) == ("succeeded", 2, "cli-hello")
    assert fubini.ok("run", "logs", "cli-hello", "say").out == "hello moon\n"
    got = fubini.ok("run", "outputs", "cli-hello", "--to", str(tmp_path / "results"), "--json").json()
    assert got["fetched"] == 1
    assert (tmp_path / "results" / "note.txt").read_text() == "of moon\n"
    again = fubini.ok("run", "outputs", "cli-hello", "--to", str(tmp_path / "results"), "--json").json()
    assert (again["fetched"], again["there"]) == (0, 1)


def test_the_files_of_a_running_and_of_a_failed_step_are_shown_and_no_others(fubini: Cli, tmp_path: Path) -> None:
    works = "echo one > log.txt; ln -s /etc/passwd out; sleep 60"
    fubini.ok("run", "submit", written(tmp_path, HELLO.replace("echo hello {{workflow.parameters.who}}", works)),
              "--name", "cli-files")  # fmt: skip
    deadline = time.monotonic() + 120
    while (shown := fubini("run", "files", "cli-files", "say", "--json")).code or len(shown.json()["entries"]) != 2:
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)
    assert [(e["name"], e["kind"]) for e in shown.json()["entries"]] == [("log.txt", "file"), ("out", "link")]
    assert fubini.ok("run", "files", "cli-files", "say", "log.txt").out == "one\n"
    for elsewhere in ("out", "/etc/passwd", "../../../../etc/passwd"):
        refused = fubini("run", "files", "cli-files", "say", elsewhere)
        assert refused.code != 0 and "root:" not in refused.out + refused.err
    fubini.ok("run", "cancel", "cli-files")
    fails = FAILS.replace("echo the reason", "echo kept > why.txt; echo the reason")
    fubini("run", "submit", written(tmp_path, fails), "--name", "cli-kept", "--wait", "--timeout", "240")
    assert fubini.ok("run", "files", "cli-kept", "say", "why.txt").out == "kept\n"


def test_a_damaged_file_is_fetched_again_and_a_part_is_taken_up(fubini: Cli, hello: str, tmp_path: Path) -> None:
    fubini.ok("run", "submit", hello, "--name", "cli-resume", "--wait", "--json")
    target = tmp_path / "results" / "note.txt"
    target.parent.mkdir()
    target.write_text("of worle\n")
    (tmp_path / "results" / "note.txt.part").write_text("of w")
    got = fubini.ok("run", "outputs", "cli-resume", "--to", str(target.parent), "--json").json()
    assert got["fetched"] == 1
    assert target.read_text() == "of world\n"
    assert not target.with_name("note.txt.part").exists()


def test_a_failed_run_exits_1_and_says_where_and_why(fubini: Cli, tmp_path: Path) -> None:
    ran = fubini("run", "submit", written(tmp_path, FAILS), "--wait")
    assert ran.code == 1
    assert "failed: say" in ran.err and "exit code 3" in ran.err and "the reason" in ran.err
    assert "Traceback" not in ran.err


def test_the_time_given_passes_and_the_run_goes_on(fubini: Cli, tmp_path: Path) -> None:
    ran = fubini("run", "submit", written(tmp_path, SLOW), "--name", "cli-slow", "--wait", "--timeout", "2")
    assert ran.code == 7
    assert "fubini run cancel" in ran.err
    assert fubini.ok("run", "get", "cli-slow", "--json").json()["state"] in {"pending", "running"}
    assert "cancel" in fubini.ok("run", "cancel", "cli-slow").out
    assert fubini("run", "watch", "cli-slow", "--timeout", "120").code == 1


def test_an_interrupt_detaches_and_prints_how_to_cancel(fubini: Cli, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "fubini.cli", "run", "submit", written(tmp_path, SLOW), "--name", "cli-int", "--wait"]
    process = subprocess.Popen(argv, env=fubini.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if "steps, " in line)  # it watches
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "detached; the run goes on" in err and "fubini run cancel" in err and "Traceback" not in err
    fubini.ok("run", "cancel", "cli-int")


def test_the_same_idempotency_key_makes_one_run(fubini: Cli, hello: str) -> None:
    first = fubini.ok("run", "submit", hello, "--key", "once-and-only-once", "--json").json()
    second = fubini.ok("run", "submit", hello, "--key", "once-and-only-once", "--json").json()
    assert first["id"] == second["id"]


def test_a_malformed_manifest_is_refused_with_line_and_path(fubini: Cli, tmp_path: Path) -> None:
    bad = written(tmp_path, HELLO.replace("template: write}", "template: wirte}"))
    ran = fubini("run", "submit", bad)
    assert ran.code == 2
    assert "line 11" in ran.err and "wirte" in ran.err
    lint = fubini("lint", bad)
    assert lint.code == 1
    assert f"{bad}:11:" in lint.out


LISTS = [
    ("runs",), ("pools",), ("sites",), ("projects",), ("pipelines",), ("data", "list"), ("token", "list"),
    ("agent", "list"), ("admin", "user", "list"), ("admin", "audit"), ("budget", "--statement"), ("budget", "--by-run"),
    ("project", "tokens"), ("profile", "list"),
]  # fmt: skip


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_every_list_speaks_json_and_a_table(fubini: Cli, command: tuple[str, ...]) -> None:
    assert isinstance(fubini.ok(*command, "--json").json(), list)
    assert "\x1b" not in fubini.ok(*command).out


READS = [
    ("status",),
    ("whoami",),
    ("budget",),
    ("project", "show"),
    ("pool", "show", "hpc/hpc"),
    ("version",),
    ("doctor",),
]


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_every_read_speaks_json(fubini: Cli, command: tuple[str, ...]) -> None:
    assert fubini.ok(*command, "--json").json()


FAILURES = [
    ("not_found", ("run", "get", "no-such-run"), 4, "no run 'no-such-run'"),
    ("a_foreign_id", ("run", "get", "0" * 32), 4, "no such object"),
    ("usage", ("run", "submit"), 2, "manifest file"),
    ("unknown_command", ("rnu",), 2, "No such command"),
    ("bad_parameter", ("run", "submit", "-", "-p", "nonsense"), 2, "NAME=VALUE"),
    ("bad_amount", ("admin", "budget", "add", "demo", "lots"), 2, "not an amount"),
    ("unreachable", ("--url", "http://127.0.0.1:9", "whoami"), 6, "cannot reach"),
    ("no_dataset", ("data", "get", "nothing-here"), 4, "no dataset"),
]


@pytest.mark.parametrize(("argv", "code", "words"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
def test_failures_have_their_exit_code_and_a_next_step(
    fubini: Cli, argv: tuple[str, ...], code: int, words: str
) -> None:
    ran = fubini(*argv, stdin="")
    assert ran.code == code
    assert words in ran.err and ran.err.startswith("error: ") and "Traceback" not in ran.err
    as_json = fubini("--json", *argv, stdin="")
    assert as_json.json()["error"]["exit_code"] == code


def test_a_wrong_token_exits_3_and_is_not_printed(fubini: Cli, running: Stack) -> None:
    token = "fub_abcdefghij_" + "x" * 43
    ran = fubini("whoami", FUBINI_URL=running.url, FUBINI_TOKEN=token)
    assert ran.code == 3
    assert token not in ran.err + ran.out and "fubini login" in ran.err


def test_login_with_a_token_file_makes_a_private_profile(fubini: Cli, running: Stack, tmp_path: Path) -> None:
    env = {"FUBINI_HOME": str(tmp_path / "nothing"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    fubini.ok("login", running.url, "--token-file", str(running.home / "admin.token"), **env)
    config = tmp_path / "xdg" / "fubini" / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    assert fubini.ok("whoami", "--json", **env).json()["source"] == "profile default"
    # The token belongs to that URL and goes nowhere else.
    assert fubini("whoami", FUBINI_URL=running.url.replace("127.0.0.1", "localhost"), **env).code == 3


def test_login_with_a_password_makes_a_token_and_logout_revokes_it(fubini: Cli, running: Stack, tmp_path: Path) -> None:
    env = {"FUBINI_HOME": str(tmp_path / "nothing"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    password = (running.home / "admin.password").read_text()
    fubini.ok("login", running.url, "--user", "admin", stdin=password, **env)
    token = json.loads((tmp_path / "xdg" / "fubini" / "config.json").read_text())["profiles"]["default"]["token"]
    assert fubini.ok("whoami", **env).code == 0
    fubini.ok("logout", **env)
    assert fubini("whoami", FUBINI_URL=running.url, FUBINI_TOKEN=token, **env).code == 3


def test_datasets_go_in_and_come_out_the_same(fubini: Cli, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "deep" / "er" / "run.sh").write_text("#!/bin/sh\n")
    (source / "deep" / "er" / "run.sh").chmod(0o755)
    (source / "empty").write_bytes(b"")
    (source / "large.bin").write_bytes(bytes(range(256)) * 20_000)  # over the size that is sent in one request
    made = fubini.ok("data", "import", str(source), "--name", "cli-data", "--json").json()
    assert (made["version"], made["files"], made["uploaded"]) == (1, 4, 4)
    again = fubini.ok("data", "import", str(source), "--name", "cli-data", "--json").json()
    assert (again["version"], again["created"], again["uploaded"]) == (1, False, 0)
    fubini.ok("data", "get", "cli-data", "--to", str(tmp_path / "out"))
    for path in source.rglob("*"):
        copy = tmp_path / "out" / "cli-data" / path.relative_to(source)
        if path.is_file():
            assert copy.read_bytes() == path.read_bytes()
            assert copy.stat().st_mode & 0o111 == path.stat().st_mode & 0o111


def test_a_pipeline_is_kept_and_submitted_by_name(fubini: Cli, hello: str) -> None:
    assert fubini.ok("pipeline", "save", hello, "--name", "cli-pipe", "--json").json()["version"] == 1
    assert fubini.ok("pipeline", "show", "cli-pipe", "--text").out == HELLO
    run = fubini.ok("run", "submit", "--pipeline", "cli-pipe@1", "-p", "who=pipe", "--wait", "--json").json()
    assert run["state"] == "succeeded" and run["pipeline"]["name"] == "cli-pipe"


def test_a_view_is_shared_listed_and_revoked_from_the_shell(fubini: Cli, running: Stack, hello: str) -> None:
    run = fubini.ok("run", "submit", hello, "--json").json()
    made = fubini.ok("share", str(run["job_number"]), "--tab", "steps", "--note", "look here", "--json").json()
    assert made["url"] == f"{running.url}/s/{made['code']}" and made["address"] == f"/runs/{run['id']}/steps"
    other = fubini.ok("share", f"{running.url}/runs/table?state=failed", "--days", "1", "--json").json()
    assert other["address"] == "/runs/table?state=failed"
    assert {made["url"], other["url"]} <= {row["url"] for row in fubini.ok("share", "list", "--json").json()}
    fubini.ok("share", "revoke", made["url"])
    assert made["code"] not in fubini.ok("share", "list").out
    again = fubini("share", "revoke", made["code"])
    assert again.code == 4 and "fubini share list" in again.err


def test_a_pause_keeps_steps_waiting_and_why_repeats_the_reason(fubini: Cli, hello: str) -> None:
    fubini.ok("pause", "power cut at noon", "--all")
    try:
        run = fubini.ok("run", "submit", hello, "--json").json()
        deadline = time.monotonic() + 120
        while "power cut at noon" not in (said := fubini.ok("why", run["id"]).out):
            assert time.monotonic() < deadline, said
            time.sleep(0.3)
        assert "power cut at noon" in fubini.ok("status").out
    finally:
        fubini.ok("unpause", "--all")
    assert fubini.ok("run", "watch", run["id"], "--json").json()["state"] == "succeeded"


def test_a_run_over_its_cost_limit_waits_and_goes_on_once_raised(fubini: Cli, tmp_path: Path) -> None:
    dear = HELLO.replace("  - name: say\n", "  - name: say\n    nodeSelector: {fubini.dev/site: cloud}\n")
    run = fubini.ok("run", "submit", written(tmp_path, dear), "--max-cost", "0.000001", "--json").json()
    deadline = time.monotonic() + 120
    while "--max-cost" not in (said := fubini.ok("why", run["id"]).out):
        assert time.monotonic() < deadline, said
        time.sleep(0.3)
    fubini.ok("run", "update", run["id"], "--max-cost", "10")
    assert fubini.ok("run", "watch", run["id"], "--json").json()["state"] == "succeeded"


def test_events_are_numbered_and_a_cursor_resumes_them(fubini: Cli, hello: str) -> None:
    run = fubini.ok("run", "submit", hello, "--wait", "--json").json()
    lines = [json.loads(line) for line in fubini.ok("events", "--run", run["id"], "--json").out.splitlines()]
    numbers = [event["seq"] for event in lines]
    assert numbers == sorted(set(numbers)) and len(numbers) > 10
    later = fubini.ok("events", "--run", run["id"], "--after", str(numbers[4]), "--json").out.splitlines()
    assert [json.loads(line)["seq"] for line in later] == numbers[5:]


class _LosesReplies(BaseHTTPRequestHandler):
    """A proxy that hands requests on and loses the first reply of each POST."""

    upstream = ""
    lost: set[str] = set()

    def _pass(self) -> None:
        import httpx

        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        keep = {
            k: v for k, v in self.headers.items() if k.lower() in {"authorization", "idempotency-key", "content-type"}
        }
        reply = httpx.request(self.command, self.upstream + self.path, content=body, headers=keep, trust_env=False, timeout=60)
        key = self.headers.get("Idempotency-Key", "")
        if key and key not in self.lost:
            self.lost.add(key)
            self.connection.close()
            return
        self.send_response(reply.status_code)
        self.send_header("Content-Type", reply.headers.get("content-type", "application/json"))
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    do_GET = do_POST = _pass

    def log_message(self, *args: Any) -> None:
        pass


def test_a_reply_lost_after_the_commit_still_makes_one_run(fubini: Cli, running: Stack, hello: str) -> None:
    _LosesReplies.upstream, _LosesReplies.lost = running.url, set()
    proxy = HTTPServer(("127.0.0.1", 0), _LosesReplies)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{proxy.server_port}"
        env = {"FUBINI_URL": url, "FUBINI_TOKEN": running.token, "FUBINI_RETRIES": "4", "FUBINI_PROJECT": "demo"}
        made = fubini.ok("run", "submit", hello, "--name", "cli-lost-reply", "--json", **env).json()
    finally:
        proxy.shutdown()
    named = fubini.ok("runs", "--search", "cli-lost-reply", "--json").json()
    assert [r["id"] for r in named] == [made["id"]]
    assert _LosesReplies.lost


def test_a_command_loads_only_what_it_needs(fubini: Cli) -> None:
    """What a start costs is what it imports: no framework, and nothing a command that asks nobody has no use for."""
    script = "import sys, fubini.cli.main as m; m.main(['version']); print(len(sys.modules), *sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], env=fubini.env, capture_output=True, text=True, check=True)
    count, *loaded = done.stdout.split("\n")[-2].split()
    assert not {"django", "rest_framework", "celery", "hera", "kubernetes", "httpx", "yaml"} & set(loaded)
    assert int(count) < 400
