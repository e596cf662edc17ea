"""Steps of several containers and disks of runs through a real agent, keeper and HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fubini_protocol.v1.messages import Cause, OutcomeKind
from tests.support.agents import AgentProcess, gone
from tests.support.fake_platform import FakePlatform


def part(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "host", "argv": ["sh", "-ec", script], **more}


def lease(platform: FakePlatform, name: str, *parts: dict[str, Any], principal: str = "main", **more: Any) -> None:
    main = next(p for p in parts if p["name"] == principal)
    platform.lease(name, argv=main["argv"], containers=parts, principal=principal, **more)


def test_the_host_says_that_it_runs_containers_side_by_side(agent: AgentProcess, platform: FakePlatform) -> None:
    host = platform.joins[0].host
    assert (host.container_groups, host.run_disks) == (True, True)


def test_containers_have_their_own_variables_and_logs_and_share_files(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    lease(
        platform,
        "a1",
        part("main", "cat /tmp/made; echo $WHO; cat /in", env=[["WHO", "main"]], after=["make"]),
        part("make", "echo $WHO > /tmp/made; echo making", env=[["WHO", "make"]]),
        capture_result=True,
        artifacts_in=({"name": "i", "path": "/in", "raw": "input"},),
        parameters_out=({"name": "p", "path": "/tmp/made"},),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.state.value, report.outcome.container_codes) == ("succeeded", {"main": 0, "make": 0})
    assert (report.outcome.result, report.outcome.parameters) == ("make\nmain\ninput", {"p": "make"})
    platform.wait_log("a1", b"making\n", "make/stdout")
    platform.wait_log("a1", b"make\nmain\ninput")


def test_a_sidecar_that_fails_by_itself_fails_the_step_whose_outputs_are_kept(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    lease(
        platform,
        "a1",
        # A sidecar that is still there when the main one ends is ended, well; so this main one waits until it is reaped.
        part(
            "main",
            "until [ -s /tmp/pid ] && ! kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.01; done; echo 1 > /tmp/o",
        ),
        part("side", "echo $$ > /tmp/id; mv /tmp/id /tmp/pid; exit 6", kind="sidecar"),
        parameters_out=({"name": "o", "path": "/tmp/o"},),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.state.value, report.cause, report.outcome.kind) == ("failed", Cause.USER, OutcomeKind.EXITED)
    assert (report.outcome.exit_code, report.outcome.container_codes) == (0, {"main": 0, "side": 6})
    assert report.outcome.parameters == {"o": "1"}


def test_a_cancel_ends_all_containers(agent: AgentProcess, platform: FakePlatform) -> None:
    mark = f"65{uuid.uuid4().int % 10**8}"
    parts = [part("main", f"touch /tmp/m; exec sleep {mark}"), part("side", f"exec sleep {mark}", kind="sidecar")]
    lease(platform, "a1", *parts)
    platform.wait(lambda: platform.state("a1") == "running", "the start")
    platform.cancel("a1")
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert report.outcome.kind is OutcomeKind.CANCELLED
    assert gone(mark)


def test_an_agents_restart_loses_neither_containers_nor_their_codes(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    agent = make_agent().start()
    lease(
        platform,
        "a1",
        part("main", "until [ -e /w/go ]; do sleep 0.01; done; cat /w/go", after=["first"]),
        part("first", "touch /w/up"),
        capture_result=True,
        volumes=({"name": "w", "mount_path": "/w", "disk": "run.w"},),
    )
    disk = platform.wait(lambda: next(iter(Path(agent.folder / "disks").glob("*/up")), None), "the first container")
    agent.kill()
    (disk.parent / "go").write_text("went on\n")
    agent.start()
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.outcome.result, report.outcome.container_codes) == ("went on", {"main": 0, "first": 0})


def test_a_disk_keeps_what_one_step_wrote_for_the_next_until_it_is_dropped(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    disk = {"name": "w", "mount_path": "/w", "disk": "run1.w"}
    platform.lease("a1", argv=("sh", "-ec", "echo kept > /w/file; ln -s /etc /w/trap"), volumes=(disk,))
    assert platform.outcome("a1").state.value == "succeeded"
    platform.lease(
        "a2",
        argv=("sh", "-ec", "cat /v/file"),
        capture_result=True,
        volumes=({**disk, "mount_path": "/v"},),
        parameters_out=({"name": "p", "path": "/v/file"},),
        artifacts_out=({"name": "t", "path": "/v/trap/hostname", "optional": True},),
    )
    outcome = platform.outcome("a2").outcome
    assert outcome is not None
    assert (outcome.result, outcome.parameters, outcome.artifacts) == ("kept", {"p": "kept"}, ())
    platform.wait(lambda: platform.disks == ("run1.w",), "the disk in a sync")
    platform.drop_disks.add("run1.w")
    platform.ring()
    platform.wait(lambda: platform.disks == (), "the disk to be gone")
    platform.wait(lambda: not list((agent.folder / "disks").iterdir()), "its bytes to be gone")


def test_an_input_is_not_written_into_a_disk_that_others_write_to(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.lease(
        "a1",
        argv=("true",),
        volumes=({"name": "w", "mount_path": "/w", "disk": "run2.w"},),
        artifacts_in=({"name": "i", "path": "/w/in", "raw": "x"},),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert report.outcome.kind is OutcomeKind.INPUT_ERROR
    assert "shared disk" in report.outcome.error


def test_one_scratch_at_two_paths_is_one_directory(agent: AgentProcess, platform: FakePlatform) -> None:
    volumes = (
        {"name": "bus", "mount_path": "/a"},
        {"name": "bus", "mount_path": "/b", "sub_path": "deep"},
        {"name": "own", "mount_path": "/c"},
    )
    platform.lease(
        "a1",
        argv=("sh", "-ec", "echo 1 > /b/x; cat /a/deep/x; ls /c; echo 2 > /a/p"),
        capture_result=True,
        volumes=volumes,
        parameters_out=({"name": "p", "path": "/a/p"}, {"name": "x", "path": "/b/x"}),
    )
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert (outcome.result, outcome.parameters) == ("1", {"p": "2", "x": "1"})


def test_scratch_is_a_mount_of_its_own_and_a_volume_may_lie_in_another(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    platform.lease(
        "a1",
        argv=("sh", "-ec", "awk '$2 ~ /^.outer/ {print $2}' /proc/mounts; cat /outer/in; echo 3 > /outer/inner/p"),
        capture_result=True,
        volumes=({"name": "i", "mount_path": "/outer/inner"}, {"name": "o", "mount_path": "/outer"}),
        artifacts_in=({"name": "f", "path": "/outer/in", "raw": "put inside"},),
        parameters_out=({"name": "p", "path": "/outer/inner/p"},),
    )
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert (outcome.result, outcome.parameters) == ("/outer\n/outer/inner\nput inside", {"p": "3"}), outcome


def test_a_folder_the_site_declares_is_shared_by_all_steps_and_outlives_them(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform, tmp_path: Path
) -> None:
    lab, book = tmp_path / "lab", tmp_path / "book"
    lab.mkdir()
    book.mkdir()
    (lab / "trap").symlink_to("/etc")
    disks = f"[shared_disks]\nlab = {{ path = '{lab}' }}\nbook = {{ path = '{book}', read_only = true }}\n"
    make_agent(site=f"[images]\nhost = {{ host = true }}\n{disks}gone = {{ path = '{tmp_path}/none' }}\n").start()
    volumes = (
        {"name": "l", "mount_path": "/lab", "shared": "lab"},
        {"name": "d", "mount_path": "/deep", "shared": "lab", "sub_path": "a/b"},
        {"name": "b", "mount_path": "/book", "shared": "book"},
    )
    platform.lease(
        "a1",
        argv=("sh", "-c", "echo 1 > /deep/x; cat /lab/a/b/x; echo 2 > /book/y || echo closed"),
        capture_result=True,
        volumes=volumes,
        parameters_out=({"name": "p", "path": "/lab/a/b/x"},),
    )
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert (outcome.result, outcome.parameters) == ("1\nclosed", {"p": "1"})
    assert (lab / "a" / "b" / "x").read_text() == "1\n"
    assert platform.joins[0].host.shared_disks == ("book", "lab")  # one that is not there is not spoken of
    platform.lease(
        "a2", argv=("true",), volumes=({"name": "t", "mount_path": "/t", "shared": "lab", "sub_path": "trap"},)
    )
    refused = platform.outcome("a2").outcome
    assert refused is not None and refused.kind is not OutcomeKind.EXITED
    platform.lease("a3", argv=("true",), volumes=({"name": "g", "mount_path": "/g", "shared": "gone"},))
    assert "'gone' is not there" in (platform.outcome("a3").reason or str(platform.outcome("a3").outcome))


def test_scratch_in_memory_has_its_size_from_the_kernel_and_dev_shm_is_such_a_place(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    platform.lease(
        "a1",
        argv=("sh", "-c", "awk '$2 ~ /shm|^.fast/ {print $2, $3}' /proc/mounts | sort; echo x > /dev/shm/f; cat /run/shm/f;"
              " head -c 3000000 /dev/zero > /fast/big || echo full; ls /kept"),
        capture_result=True,
        volumes=(
            {"name": "shm", "mount_path": "/dev/shm", "in_memory": True},
            {"name": "fast", "mount_path": "/fast", "in_memory": True, "size_bytes": 1 << 20},
            {"name": "kept", "mount_path": "/kept", "in_memory": True},
        ),
        artifacts_in=({"name": "i", "path": "/kept/in", "raw": "x"},),
    )  # fmt: skip
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert outcome.result == "/fast tmpfs\n/run/shm tmpfs\nx\nfull\nin", outcome


def test_a_step_whose_scratch_outgrows_its_size_is_ended_and_told(agent: AgentProcess, platform: FakePlatform) -> None:
    mark = f"66{uuid.uuid4().int % 10**8}"
    platform.lease(
        "a1",
        argv=("sh", "-c", f"head -c 3000000 /dev/urandom > /w/big; exec sleep {mark}"),
        volumes=({"name": "work", "mount_path": "/w", "size_bytes": 1 << 20},),
    )
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.state.value, report.cause, report.outcome.kind) == ("failed", Cause.USER, OutcomeKind.EXITED)
    assert report.outcome.error.startswith('Usage of EmptyDir volume "work" exceeds the limit: 3')
    assert gone(mark)
