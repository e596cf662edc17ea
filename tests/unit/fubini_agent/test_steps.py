"""Real steps through a real agent, keeper and HTTP: what a step sees, leaves and is told."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from fubini_protocol.v1.messages import Cause, OutcomeKind
from tests.support.agents import AgentProcess, gone, processes_with
from tests.support.fake_platform import CREDENTIAL, FakePlatform


def test_a_script_step_gives_its_output_parameters_and_result(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease(
        "a1",
        argv=("sh",),
        source="echo from the script; printf '42\\n' > /tmp/answer; echo oops >&2",
        capture_result=True,
        parameters_out=({"name": "answer", "path": "/tmp/answer"}, {"name": "d", "path": "/no", "default": "dflt"}),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.state.value, report.outcome.kind, report.outcome.exit_code) == ("succeeded", OutcomeKind.EXITED, 0)
    assert report.outcome.result == "from the script"
    assert report.outcome.parameters == {"answer": "42", "d": "dflt"}
    assert report.provenance is not None
    assert report.provenance.environment_fingerprint.startswith("sha256:")
    platform.wait_log("a1", b"from the script\n")
    platform.wait_log("a1", b"oops\n", "stderr")


def test_absolute_outputs_do_not_touch_the_host(agent: AgentProcess, platform: FakePlatform) -> None:
    name = f"fubini-test-{uuid.uuid4().hex}"
    paths = [f"/tmp/{name}", f"/{name}/deep/file", f"/etc/{name}", f"/usr/local/{name}/x", f"/var/run/{name}"]
    script = "\n".join(f"mkdir -p {os.path.dirname(path)}; echo {index} > {path}" for index, path in enumerate(paths))
    platform.lease(
        "a1",
        argv=("sh", "-e"),
        source=script,
        artifacts_out=tuple({"name": f"o{index}", "path": path} for index, path in enumerate(paths)),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None, report
    assert report.outcome.error == ""
    for index, manifest in enumerate(report.outcome.artifacts):
        [entry] = manifest.entries
        assert platform.blobs[entry.sha256] == f"{index}\n".encode()
    assert not [path for path in paths if os.path.lexists(path)]
    assert not os.path.exists(f"/{name}")


def test_inputs_are_verified_files_at_their_paths_and_the_cache_is_not_the_steps(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    small, tool = platform.put_blob(b"payload"), platform.put_blob(b"#!/bin/sh\necho tool says $1\n")
    platform.lease(
        "a1",
        argv=("sh", "-e"),
        source="/opt/kit/tool ok; cat /data/in.txt; echo spoilt >> /data/in.txt; cat /d/a/b /d/c; cat /raw/r",
        capture_result=True,
        artifacts_in=(
            {"name": "t", "path": "/opt/kit/tool", "mode": 0o755, "entries": [{"size": 28, "sha256": tool}]},
            {"name": "f", "path": "/data/in.txt", "entries": [{"size": 7, "sha256": small}]},
            {
                "name": "dir",
                "path": "/d",
                "entries": [
                    {"path": "a/b", "size": 7, "sha256": small},
                    {"path": "c", "size": 7, "sha256": small},
                ],
            },
            {"name": "r", "path": "/raw/r", "raw": "RAW"},
            {"name": "gone", "path": "/raw/absent", "absent": True},
        ),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert report.outcome.result == "tool says ok\npayloadpayloadpayloadRAW"
    assert report.outcome.usage.downloaded_bytes == 35
    cached = agent.folder / "cache" / small[:2] / small
    assert cached.read_bytes() == b"payload"
    platform.wait(lambda: small in platform.cache, "the cache report")
    gets = platform.blob_gets
    platform.lease(
        "a2", argv=("cat", "/x"), capture_result=True,
        artifacts_in=({"name": "f", "path": "/x", "entries": [{"size": 7, "sha256": small}]},),
    )  # fmt: skip
    again = platform.outcome("a2").outcome
    assert again is not None
    assert (again.result, again.usage.downloaded_bytes, platform.blob_gets) == ("payload", 0, gets)


def test_a_large_input_and_a_dataset_are_shown_read_only(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    make_agent(site="[images]\nhost = { host = true }\n[cache]\ncopy_max_bytes = 100\n").start()
    big = os.urandom(300_000)
    digest = platform.put_blob(big)
    entries = [{"path": "part/one.bin", "size": len(big), "sha256": digest}]
    platform.lease(
        "a1",
        argv=("sh",),
        source="sha256sum < /in/big | cut -c1-64; sha256sum < /data/part/one.bin | cut -c1-64;"
        "echo x >> /in/big; echo x >> /data/part/one.bin; chmod 777 /data/part/one.bin; echo y > /data/new; echo end",
        capture_result=True,
        artifacts_in=({"name": "big", "path": "/in/big", "entries": [{"size": len(big), "sha256": digest}]},),
        volumes=({"mount_path": "/data", "read_only": True, "entries": entries}, {"mount_path": "/scratch"}),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    want = hashlib.sha256(big).hexdigest()
    assert report.outcome.result == f"{want}\n{want}\nend", platform.logs
    platform.wait(lambda: b"Read-only file system" in bytes(platform.logs[("a1", "stderr")]), "the log")


def test_a_dataset_of_one_file_is_that_file_at_its_mount_path(agent: AgentProcess, platform: FakePlatform) -> None:
    digest = platform.put_blob(b"a,b\n1,2\n")
    platform.lease(
        "a1",
        argv=("sh", "-ec", "cat /data/table.csv; ls /data"),
        capture_result=True,
        volumes=({"mount_path": "/data/table.csv", "read_only": True, "entries": [{"size": 8, "sha256": digest}]},),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert report.outcome.result == "a,b\n1,2\ntable.csv", report.outcome


def test_a_damaged_input_is_a_fault_of_the_data(agent: AgentProcess, platform: FakePlatform) -> None:
    digest = hashlib.sha256(b"good").hexdigest()
    platform.blobs[digest] = b"evil"
    platform.lease(
        "a1", argv=("true",), artifacts_in=({"name": "f", "path": "/x", "entries": [{"size": 4, "sha256": digest}]},)
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.outcome.kind, report.cause) == (OutcomeKind.INPUT_ERROR, Cause.DATA)
    assert "hash" in report.outcome.error
    assert not (agent.folder / "cache" / digest[:2] / digest).exists()


def test_a_download_that_breaks_off_goes_on_at_the_byte(agent: AgentProcess, platform: FakePlatform) -> None:
    content = os.urandom(600_000)
    digest = platform.put_blob(content)
    platform.cut_downloads = 2
    platform.lease(
        "a1", argv=("sh", "-c", "sha256sum < /x"), capture_result=True,
        artifacts_in=({"name": "f", "path": "/x", "entries": [{"size": len(content), "sha256": digest}]},),
    )  # fmt: skip
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert str(report.outcome.result).startswith(digest)
    assert report.outcome.usage.downloaded_bytes == len(content)


def test_a_missing_output_is_an_error_that_names_the_path(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease("a1", argv=("true",), artifacts_out=({"name": "out", "path": "/tmp/none"},))
    platform.lease("a2", argv=("true",), artifacts_out=({"name": "out", "path": "/tmp/none", "optional": True},))
    platform.lease("a3", argv=("false",), artifacts_out=({"name": "out", "path": "/tmp/none"},))
    first, second, third = (platform.outcome(name) for name in ("a1", "a2", "a3"))
    assert first.outcome and second.outcome and third.outcome
    assert (first.state.value, first.outcome.kind, first.cause) == ("failed", OutcomeKind.OUTPUT_ERROR, Cause.USER)
    assert "/tmp/none" in first.outcome.error
    assert (second.state.value, second.outcome.artifacts) == ("succeeded", ())
    assert (third.outcome.kind, third.outcome.exit_code, third.cause) == (OutcomeKind.EXITED, 1, Cause.USER)


def test_exit_codes_and_signals_arrive_as_a_shell_would_say_them(agent: AgentProcess, platform: FakePlatform) -> None:
    want = {"exit 3": 3, "kill -SEGV $$": 139, "kill -9 $$": 137, "kill -TERM $$": 143}
    for index, command in enumerate(want):
        platform.lease(f"a{index}", argv=("sh", "-c", command))
    for index, (command, code) in enumerate(want.items()):
        outcome = platform.outcome(f"a{index}").outcome
        assert outcome is not None
        assert (command, outcome.exit_code, outcome.kind) == (command, code, OutcomeKind.EXITED)


def test_a_command_that_does_not_exist_is_the_users_fault_with_its_name(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    platform.lease("a1", argv=("no-such-program", "x"))
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.outcome.exit_code, report.cause) == (127, Cause.USER)
    assert "no-such-program" in report.outcome.error


def test_an_unknown_image_is_refused_with_the_list(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease("a1", argv=("true",), image="pytorch:9")
    report = platform.outcome("a1")
    assert report.cause is Cause.IMAGE
    assert "pytorch:9" in report.reason
    assert "Known: host" in report.reason


def test_a_step_sees_none_of_the_agents_secrets(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease(
        "a1", argv=("sh", "-c", "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; ls -a $FOLDER; id"),
        env=(("FOLDER", str(agent.folder)),), capture_result=True,
    )  # fmt: skip
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    text = str(outcome.result) + platform.logs[("a1", "stderr")].decode()
    assert "canary-agent-env" not in text
    assert CREDENTIAL not in text
    assert "agent.json" not in text
    assert CREDENTIAL not in agent.log_text()
    assert (agent.folder / "credential").stat().st_mode & 0o777 == 0o600
    assert agent.folder.stat().st_mode & 0o777 == 0o700


def test_what_a_step_leaves_running_ends_with_it(agent: AgentProcess, platform: FakePlatform) -> None:
    mark = f"61{uuid.uuid4().int % 10**8}"
    platform.lease("a1", argv=("sh", "-c", f"sleep {mark} & setsid sleep {mark} & exit 0"))
    assert platform.outcome("a1").state.value == "succeeded"
    assert gone(mark)


def test_a_deadline_ends_the_whole_tree_and_says_so(agent: AgentProcess, platform: FakePlatform) -> None:
    mark = f"62{uuid.uuid4().int % 10**8}"
    platform.lease(
        "a1", argv=("sh", "-c", f"trap '' TERM; sleep {mark} & wait; sleep {mark}"), deadline_s=0.5, grace_s=0.2
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.outcome.kind, report.cause) == (OutcomeKind.TIMED_OUT, Cause.WALLTIME)
    assert "0.5 s" in report.reason
    assert gone(mark)


def test_a_step_over_its_memory_is_ended_as_oom(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease(
        "a1",
        argv=("/usr/bin/env", "python3", "-c", "x = b'1' * 300_000_000; import time; time.sleep(30)"),
        memory_bytes=100_000_000,
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.outcome.kind, report.cause) == (OutcomeKind.OOM, Cause.OOM)
    assert report.outcome.usage.peak_memory_bytes > 100_000_000


def test_a_cancel_lets_the_step_say_goodbye_and_an_old_fence_does_nothing(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    platform.lease("a1", fence=5, argv=("sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; sleep 100 & wait"), grace_s=60.0)
    platform.wait_log("a1", b"up\n")
    platform.cancel("a1", fence=4)
    time.sleep(0.5)
    assert platform.leases["a1"].outcome is None
    platform.cancel("a1", "no longer needed")
    report = platform.outcome("a1")
    assert (report.state.value, report.reason) == ("cancelled", "no longer needed")
    platform.wait_log("a1", b"up\nbye\n")


def test_a_preempted_step_is_reported_as_such(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease("a1", argv=("sleep", "100"))
    platform.wait_running("a1")
    platform.cancel("a1", "a better one came", preempt=True)
    report = platform.outcome("a1")
    assert (report.state.value, report.cause) == ("preempted", Cause.PREEMPTED)


def test_a_forgotten_attempt_is_stopped_and_never_reported(agent: AgentProcess, platform: FakePlatform) -> None:
    mark = f"63{uuid.uuid4().int % 10**8}"
    platform.lease("a1", argv=("sleep", mark))
    platform.wait_running("a1")
    platform.forget("a1")
    assert gone(mark)
    platform.wait(lambda: platform.syncs and not platform.syncs[-1].held, "an empty held set")
    assert not [report for sync in platform.syncs for report in sync.reports if report.is_terminal]


def test_never_more_steps_at_once_than_offered_and_devices_are_disjoint(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    site = (
        "[images]\nhost = { host = true }\n[offer]\ncpu_millis = 3000\n"
        '[[offer.devices]]\nname = "example.com/acc"\ncount = 2\nsimulated = true\n'
    )
    agent = make_agent(site=site).start()
    shared = agent.folder.parent / "shared"
    shared.mkdir()
    for index in range(8):
        platform.lease(
            f"a{index}", argv=("sh", "-c", 'echo "$FUBINI_DEVICES"; sleep 0.3'), capture_result=True,
            devices=({"name": "example.com/acc", "count": 1},),
        )  # fmt: skip
    reports = [platform.outcome(f"a{index}") for index in range(8)]
    spans = [(r.outcome.started_ms, r.outcome.finished_ms, r.outcome.result) for r in reports if r.outcome]
    assert len(spans) == 8
    for start, _end, device in spans:
        at_start = [other for other in spans if other[0] <= start < other[1]]
        assert len(at_start) <= 2
        assert len({other[2] for other in at_start}) == len(at_start), "one device for two steps at once"
        assert device in ("example.com/acc=0", "example.com/acc=1")


def test_a_request_that_never_fits_is_refused_with_both_figures(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease("a1", argv=("true",), cpu_millis=99_000)
    report = platform.outcome("a1")
    assert report.cause is Cause.SITE
    assert "99000" in report.reason
    assert "2000" in report.reason or "4000" in report.reason


def test_big_output_is_cut_at_the_limit_with_a_mark_and_the_result_keeps_the_end(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    platform.lease(
        "a1", argv=("sh", "-c", "yes 0123456789abcdef | head -c 3000000; echo THE-END"),
        capture_result=True, log_max_bytes=1_000_000,
    )  # fmt: skip
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert len(str(outcome.result)) == 256 * 1024
    assert str(outcome.result).endswith("THE-END")
    platform.wait(lambda: ("a1", "stdout") in platform.log_marks, "the gap mark")
    assert len(platform.logs[("a1", "stdout")]) == 1_000_000
    assert platform.log_marks[("a1", "stdout")] == 3_000_000 + 8 - 1_000_000


def test_bad_paths_are_refused_before_anything_runs(agent: AgentProcess, platform: FakePlatform) -> None:
    digest = platform.put_blob(b"x")
    bad_entries = ["../escape", "/absolute", "a/../../b", "", "a//b", "nul\x00byte"]
    for index, path in enumerate(bad_entries):
        entries = [{"path": path, "size": 1, "sha256": digest}, {"path": "ok", "size": 1, "sha256": digest}]
        platform.lease(f"e{index}", argv=("true",), artifacts_in=({"name": "f", "path": "/d", "entries": entries},))
    bad_paths = ["/../etc/passwd", "/proc/x", "/", "/dev/null"]
    for index, path in enumerate(bad_paths):
        platform.lease(f"p{index}", argv=("true",), artifacts_out=({"name": "f", "path": path},))
    for name in [f"e{index}" for index in range(len(bad_entries))] + [f"p{index}" for index in range(len(bad_paths))]:
        report = platform.outcome(name)
        assert report.outcome is not None
        assert (name, report.outcome.kind) == (name, OutcomeKind.INPUT_ERROR)
        assert report.outcome.started_ms is None


def test_hostile_outputs_are_refused_or_kept_inside(agent: AgentProcess, platform: FakePlatform) -> None:
    secret = agent.folder / "credential"
    cases = {
        "link-out": f"mkdir /o; ln -s {secret} /o/l",
        "link-abs": "mkdir /o; ln -s /etc/passwd /o/l",
        "fifo": "mkdir /o; mkfifo /o/p",
        "loop": "mkdir /o; ln -s loop /o/loop",
        "link-itself": f"ln -s {secret} /o",
        "link-dir": "mkdir /o /p; ln -s /p /o/d",
    }
    for name, script in cases.items():
        platform.lease(name, argv=("sh", "-c", script), artifacts_out=({"name": "o", "path": "/o"},))
    for name in cases:
        report = platform.outcome(name)
        assert report.outcome is not None
        assert (name, report.outcome.kind) == (name, OutcomeKind.OUTPUT_ERROR)
    assert CREDENTIAL.encode() not in b"".join(platform.blobs.values())


def test_an_unreadable_directory_of_the_step_is_still_collected_and_deleted(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    platform.lease(
        "a1", argv=("sh", "-c", "mkdir -p /o/d; echo x > /o/d/f; chmod 000 /o/d/f /o/d"),
        artifacts_out=({"name": "o", "path": "/o"},),
    )  # fmt: skip
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert [entry.path for entry in report.outcome.artifacts[0].entries] == ["d/f"]
    platform.wait(lambda: not list((agent.folder / "attempts").iterdir()), "an empty work folder")


def test_in_place_runs_in_the_users_own_directory(agent: AgentProcess, platform: FakePlatform, tmp_path: Path) -> None:
    here = tmp_path / "mine"
    here.mkdir()
    platform.lease(
        "a1", argv=("sh", "-c", "pwd; echo kept > left.txt"), work_mode="in_place", working_dir=str(here),
        capture_result=True,
    )  # fmt: skip
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert outcome.result == str(here)
    assert (here / "left.txt").read_text() == "kept\n"


def test_running_as_somebody_else_is_refused(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease("a1", argv=("true",), run_as="alice")
    report = platform.outcome("a1")
    assert report.cause is Cause.SITE
    assert "alice" in report.reason


def test_a_passing_short_step_reports_once(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease("a1", argv=("true",))
    platform.outcome("a1")
    platform.wait(lambda: platform.syncs and not platform.syncs[-1].held, "the end")
    assert [report.state.value for report in platform.leases["a1"].reports] == ["succeeded"]
    assert processes_with("sleep 9999") == []
