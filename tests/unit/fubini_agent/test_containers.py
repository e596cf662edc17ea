"""Who of a step's containers runs when: order, runs, ends; without a process, on a clock of numbers."""

from __future__ import annotations

import signal

import pytest

from fubini_agent.private_root.containers import INIT, MAIN, SIDECAR, Container, Containers


def exited(code: int) -> int:
    return code << 8


class World:
    """Starts whatever may start; processes are numbers."""

    def __init__(self, *members: Container, grace_s: float = 5.0) -> None:
        self.crew = Containers(list(members), grace_s)
        self.now = 100.0
        self.pids = 0
        self.log: list[str] = []
        self.go()

    def go(self) -> None:
        for member in self.crew.to_start(self.now):
            self.pids += 1
            self.crew.started(member, self.pids)
            self.log.append(member.name)
        for member, number in self.crew.to_signal(self.now):
            self.log.append(f"{member.name}:{signal.Signals(number).name}")

    def end(self, name: str, status: int = 0) -> None:
        self.crew.ended(self.crew.by_name[name].pid, status, self.now)
        self.go()

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.go()


def test_init_containers_run_one_by_one_before_all_others() -> None:
    world = World(
        Container("main", MAIN), Container("a", INIT), Container("b", INIT), Container("side", SIDECAR), grace_s=1
    )
    assert world.log == ["a"]
    world.end("a")
    world.end("b")
    assert world.log == ["a", "b", "side", "main"]


def test_a_failed_init_container_is_the_end() -> None:
    world = World(Container("main", MAIN), Container("a", INIT), Container("side", SIDECAR))
    world.end("a", exited(7))
    assert world.crew.over
    assert (world.crew.codes(), world.crew.code()) == ({"a": 7}, 7)


def test_main_containers_wait_for_what_they_depend_on() -> None:
    world = World(Container("c", MAIN, ("a", "b")), Container("a", MAIN), Container("b", MAIN))
    assert world.log == ["a", "b"]
    world.end("b")
    assert "c" not in world.log
    world.end("a")
    world.end("c")
    assert world.log == ["a", "b", "c"]
    assert (world.crew.over, world.crew.code()) == (True, 0)


def test_what_waits_for_a_failed_one_is_left_out_all_the_way_down() -> None:
    world = World(Container("a", MAIN), Container("b", MAIN, ("a",)), Container("c", MAIN, ("b",)))
    world.end("a", exited(12))
    assert world.crew.codes() == {"a": 12, "b": 64, "c": 64}
    assert world.crew.code() == 12
    assert world.crew.over


def test_the_main_one_gives_the_steps_code_when_two_fail() -> None:
    world = World(Container("other", MAIN), Container("main", MAIN))
    world.end("other", exited(3))
    world.end("main", exited(5))
    assert world.crew.code() == 5


def test_a_container_runs_again_after_its_pause_as_often_as_it_may() -> None:
    world = World(Container("main", MAIN, runs=3, delay_s=2.0))
    world.end("main", exited(1))
    assert (world.log, world.crew.due_s(world.now)) == (["main"], 2.0)
    world.later(1.9)
    assert world.log == ["main"]
    world.later(0.1)
    world.end("main", exited(1))
    world.later(2.0)
    world.end("main", exited(9))
    assert world.log == ["main"] * 3
    assert (world.crew.over, world.crew.codes()) == (True, {"main": 9})


def test_a_run_that_succeeds_is_the_last() -> None:
    world = World(Container("main", MAIN, runs=3), Container("next", MAIN, ("main",)))
    world.end("main", exited(1))
    world.later(0)
    world.end("main")
    assert world.log == ["main", "main", "next"]


def test_sidecars_are_ended_after_the_main_ones_with_a_grace() -> None:
    world = World(Container("main", MAIN), Container("quick", SIDECAR), Container("deaf", SIDECAR), grace_s=5.0)
    world.end("main")
    assert world.log[3:] == ["quick:SIGTERM", "deaf:SIGTERM"]
    world.end("quick", signal.SIGTERM)
    world.later(4.9)
    assert len(world.log) == 5
    world.later(0.1)
    assert world.log[5:] == ["deaf:SIGKILL"]
    world.end("deaf", signal.SIGKILL)
    assert world.crew.codes() == {"main": 0, "quick": 143, "deaf": 137}
    assert world.crew.code() == 0


def test_a_sidecar_that_ends_early_stops_nothing() -> None:
    world = World(Container("main", MAIN), Container("side", SIDECAR))
    world.end("side", exited(6))
    assert not world.crew.over
    world.end("main")
    assert (world.crew.over, world.crew.codes()) == (True, {"side": 6, "main": 0})


def test_after_a_stop_nothing_starts_any_more() -> None:
    world = World(Container("a", MAIN, runs=5), Container("b", MAIN, ("a",)))
    world.crew.stop()
    world.end("a")
    assert world.log == ["a"]
    assert (world.crew.over, world.crew.codes()) == (True, {"a": 0})


def test_a_command_that_cannot_be_executed_is_not_tried_again() -> None:
    crew = Containers([Container("main", MAIN, runs=4)], 1.0)
    [member] = crew.to_start(0.0)
    crew.refused(member, "no such command")
    assert (crew.over, crew.codes(), member.text) == (True, {"main": 64}, "no such command")


@pytest.mark.parametrize(
    "members",
    [
        [Container("a", SIDECAR)],
        [Container("a", MAIN), Container("a", MAIN)],
        [Container("a", MAIN, ("b",))],
    ],
    ids=["no main one", "a name twice", "a dependency that is not there"],
)
def test_a_group_that_makes_no_sense_is_refused(members: list[Container]) -> None:
    with pytest.raises(ValueError, match="container"):
        Containers(members, 1.0)
