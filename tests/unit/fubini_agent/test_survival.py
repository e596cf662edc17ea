"""kill -9 of agent and keeper, outages, lost replies, two agents on one folder: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from fubini_protocol.v1.messages import Cause
from tests.support.agents import AgentProcess, alive, gone, processes_with
from tests.support.fake_platform import FakePlatform


def _mark() -> str:
    return f"64{uuid.uuid4().int % 10**8}"


class Gate:
    """A step waits behind it until the test lets it through; the step's command line names it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"gate-{uuid.uuid4().hex}"
        self.wait = f"until [ -e {self.file} ]; do sleep 0.02; done"
        self.lease = {"work_mode": "in_place", "working_dir": str(folder)}

    def open(self) -> None:
        self.file.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_a_killed_agent_adopts_its_running_step(agent: AgentProcess, platform: FakePlatform, tmp_path: Path) -> None:
    platform.lease(
        "a1", argv=("sh", "-c", "echo one; sleep 1.5; echo two; echo done > /tmp/out"), capture_result=True,
        parameters_out=({"name": "o", "path": "/tmp/out"},),
    )  # fmt: skip
    platform.wait_running("a1")
    keeper = agent.keeper_pid()
    agent.kill()
    agent.start()
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.state.value, report.outcome.result, report.outcome.parameters) == (
        "succeeded",
        "one\ntwo",
        {"o": "done"},
    )
    assert agent.keeper_pid() == keeper
    assert len(platform.sessions) == 2
    platform.wait_log("a1", b"one\ntwo\n")


def test_a_step_that_ends_while_the_agent_is_dead_is_reported_with_its_exit_code(
    agent: AgentProcess, platform: FakePlatform, gate: Gate
) -> None:
    script = f"echo v > {gate.file}.p; {gate.wait}; sleep 0.4; exit 7"
    parameters = ({"name": "p", "path": f"{gate.file}.p"},)
    platform.lease("a1", argv=("sh", "-c", script), parameters_out=parameters, **gate.lease)
    platform.wait_running("a1")
    agent.kill()
    gate.open()
    assert gone(str(gate.file))
    agent.start()
    report = platform.outcome("a1")
    assert report.outcome is not None
    assert (report.state.value, report.outcome.exit_code, report.cause) == ("failed", 7, Cause.USER)
    assert report.outcome.parameters == {"p": "v"}
    assert report.outcome.usage.wall_ms >= 400


def test_a_killed_keeper_leaves_no_process_and_its_attempts_are_lost(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    mark = _mark()
    platform.lease("a1", argv=("sh", "-c", f"setsid sleep {mark} & sleep {mark}"))
    platform.lease("a2", argv=("sleep", mark), work_mode="in_place")
    platform.wait_running("a1")
    platform.wait_running("a2")
    platform.wait(lambda: len(processes_with(mark)) >= 3, "three processes")
    os.kill(agent.keeper_pid(), signal.SIGKILL)
    for name in ("a1", "a2"):
        report = platform.outcome(name)
        assert (report.state.value, report.cause) == ("lost", Cause.NODE)
    assert gone(mark)
    platform.lease("a3", argv=("true",))
    assert platform.outcome("a3").state.value == "succeeded"


def test_everything_killed_at_once_is_lost_cleanly_and_work_goes_on(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    mark = _mark()
    platform.lease("a1", argv=("sleep", mark))
    platform.wait_running("a1")
    keeper = agent.keeper_pid()
    agent.kill()
    os.kill(keeper, signal.SIGKILL)
    assert gone(mark)
    agent.start()
    assert (platform.outcome("a1").state.value, platform.outcome("a1").cause) == ("lost", Cause.NODE)
    platform.lease("a2", argv=("true",))
    assert platform.outcome("a2").state.value == "succeeded"


def test_a_lease_journalled_but_not_started_runs_after_the_restart(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    agent = make_agent(site="[images]\nhost = { host = true }\n[offer]\nsteps_max = 1\n").start()
    platform.lease("a1", argv=("sleep", "1.5"))
    platform.wait_running("a1")
    platform.lease("a2", argv=("echo", "second"), capture_result=True)
    platform.wait(lambda: platform.leases["a2"].seen_held, "a2 held")
    agent.kill()
    agent.start()
    outcome = platform.outcome("a2").outcome
    assert outcome is not None
    assert outcome.result == "second"
    assert platform.outcome("a1").state.value == "succeeded"


def test_kills_at_random_times_lose_nothing(agent: AgentProcess, platform: FakePlatform, tmp_path: Path) -> None:
    ledger = tmp_path / "ran"
    ledger.mkdir()
    for index in range(30):
        platform.lease(
            f"a{index}", argv=("sh", "-c", f"echo $$ >> {ledger}/{index}; sleep 0.0{index % 10}"), work_mode="in_place",
            working_dir=str(tmp_path),
        )  # fmt: skip
    for pause_s in (0.15, 0.4, 0.05):
        time.sleep(pause_s)
        agent.kill()
        agent.start()
    for index in range(30):
        assert platform.outcome(f"a{index}").state.value == "succeeded"
        assert len((ledger / str(index)).read_text().split()) == 1, "a step ran twice"


def test_results_wait_out_an_outage_and_the_step_goes_on(
    agent: AgentProcess, platform: FakePlatform, gate: Gate
) -> None:
    platform.lease("a1", argv=("sh", "-c", f"{gate.wait}; echo kept"), capture_result=True, **gate.lease)
    platform.wait_running("a1")
    platform.down = True
    gate.open()
    assert gone(str(gate.file))
    time.sleep(1.0)  # some tries to report it
    assert platform.leases["a1"].outcome is None
    platform.down = False
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert outcome.result == "kept"


def test_a_result_survives_the_kill_of_the_agent_during_an_outage(
    agent: AgentProcess, platform: FakePlatform, gate: Gate
) -> None:
    platform.lease("a1", argv=("sh", "-c", f"{gate.wait}; echo kept"), capture_result=True, **gate.lease)
    platform.wait_running("a1")
    platform.down = True
    gate.open()
    assert gone(str(gate.file))
    time.sleep(0.5)  # some tries to report it
    agent.kill()
    agent.start()
    time.sleep(0.5)
    platform.down = False
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert outcome.result == "kept"


def test_lost_replies_change_nothing(agent: AgentProcess, platform: FakePlatform) -> None:
    for index in range(5):
        platform.lose_replies = 1
        platform.lease(f"a{index}", argv=("true",))
        assert platform.outcome(f"a{index}").state.value == "succeeded"
    platform.wait(lambda: platform.syncs and not platform.syncs[-1].held, "all verdicts")
    for index in range(5):
        assert len([r for r in platform.leases[f"a{index}"].reports if r.is_terminal]) == 1


def test_two_agents_on_one_folder_are_refused(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.wait(lambda: platform.syncs, "the first sync")
    second = AgentProcess(platform, agent.folder)
    done = second.cli("run")
    assert done.returncode == 4
    assert "another agent" in done.stderr


def test_sigterm_leaves_steps_running_for_the_next_start(
    agent: AgentProcess, platform: FakePlatform, gate: Gate
) -> None:
    platform.lease("a1", argv=("sh", "-c", f"{gate.wait}; echo fine"), capture_result=True, **gate.lease)
    platform.wait_running("a1")
    assert agent.terminate() == 0
    assert processes_with(str(gate.file))
    gate.open()
    agent.start()
    outcome = platform.outcome("a1").outcome
    assert outcome is not None
    assert outcome.result == "fine"


def test_stop_steps_ends_everything_and_the_next_start_reports_it(
    make_agent: Callable[..., AgentProcess], platform: FakePlatform
) -> None:
    agent = make_agent().start("--stop-steps")
    mark = _mark()
    platform.lease("a1", argv=("sleep", mark))
    platform.wait_running("a1")
    keeper = agent.keeper_pid()
    assert agent.terminate() == 0
    assert gone(mark)
    assert not alive(keeper)
    agent.start()
    assert platform.outcome("a1").state.value == "lost"


def test_a_refused_credential_ends_the_agent_and_says_what_to_do(agent: AgentProcess, platform: FakePlatform) -> None:
    platform.wait(lambda: platform.syncs, "the first sync")
    platform.credential = "revoked"
    platform.ring()
    assert agent.process is not None
    assert agent.process.wait(60) == 3
    assert "join again" in agent.log_text()


def test_a_stopped_keeper_is_replaced_by_its_pid_and_never_a_stranger(
    agent: AgentProcess, platform: FakePlatform
) -> None:
    platform.lease("a1", argv=("true",))
    platform.outcome("a1")
    keeper = agent.keeper_pid()
    agent.kill()
    assert alive(keeper)
    agent.cli("stop")
    assert not alive(keeper)
