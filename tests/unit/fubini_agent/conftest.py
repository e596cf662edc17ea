"""An agent process against a fake platform; whatever a test does to it, nothing of it is left afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.agents import AgentProcess
from tests.support.fake_platform import FakePlatform


@pytest.fixture
def platform() -> Iterator[FakePlatform]:
    with FakePlatform() as fake:
        yield fake
        assert fake.violations == []


@pytest.fixture
def make_agent(platform: FakePlatform, tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    made: list[AgentProcess] = []

    def make(name: str = "state", **options: object) -> AgentProcess:
        agent = AgentProcess(platform, tmp_path / name, **options)  # type: ignore[arg-type]
        made.append(agent)
        return agent.join()

    yield make
    for agent in made:
        agent.stop_all()


@pytest.fixture
def agent(make_agent: Callable[..., AgentProcess]) -> AgentProcess:
    """A joined, running agent."""
    return make_agent().start()
