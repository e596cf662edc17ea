"""How long a plan takes. Measured as the best of several runs on one core, so that a busy machine does not decide."""

from __future__ import annotations

from time import perf_counter

import pytest

from fubini_scheduler import plan
from fubini_scheduler.model import LocalFirst, Policy, Price, Project, ProjectId, RunId, SiteId, Snapshot
from tests.unit.fubini_scheduler.builders import GIB, NOW_MS, make_group, make_pool, make_snapshot, make_task, need

TIERS = LocalFirst(site_tiers=((SiteId("site-0"),), (SiteId("site-1"),)), burst_wait_s=120)


def world(tasks: int, pools: int, *, nodes: int = 1, cores: int = 1, runs: int = 1, projects: int = 1) -> Snapshot:
    required = ((need("kubernetes.io/arch", "In", "amd64"),),)
    return make_snapshot(
        tasks=tuple(
            make_task(
                f"t{n:06}",
                project_id=ProjectId(f"p{n % projects}"),
                run_id=RunId(f"r{n % runs}"),
                queued_since_ms=NOW_MS - 10**6 + n,
                memory_bytes=GIB,
                required=required,
                image="python",
            )
            for n in range(tasks)
        ),
        node_groups=tuple(
            make_group(f"g{n}", str(n), nodes=nodes, cpu_millis=cores * 1000, memory_bytes=cores * GIB)
            for n in range(pools)
        ),
        pools=tuple(
            make_pool(f"p{n}", f"g{n}", site=str(n), price=Price(core_hour_micros=1000 * n)) for n in range(pools)
        ),
        projects=tuple(Project(id=ProjectId(f"p{n}"), available_micros=10**12) for n in range(projects)),
    )


def best_ms(snapshot: Snapshot, policy: Policy, times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        began = perf_counter()
        plan(snapshot, policy, NOW_MS)
        best = min(best, perf_counter() - began)
    return best * 1000


@pytest.mark.parametrize("policy", [Policy(), Policy(local_first=TIERS)], ids=["objective only", "local first"])
@pytest.mark.parametrize(
    ("snapshot", "want_ms"),
    [
        pytest.param(world(1000, 2), 20, id="a thousand equal tasks, room for two"),
        pytest.param(world(1000, 3, runs=1000, projects=200), 100, id="a thousand runs of one task, room for three"),
        pytest.param(world(10_000, 10), 300, id="ten thousand tasks, ten pools, room for ten"),
        pytest.param(world(10_000, 10, nodes=20, cores=64), 1000, id="ten thousand tasks, ten pools, room for all"),
    ],
)
def test_a_plan_is_quick(snapshot: Snapshot, policy: Policy, want_ms: int) -> None:
    assert best_ms(snapshot, policy) < want_ms


def test_tasks_that_cannot_be_placed_cost_next_to_nothing() -> None:
    """Ten times the queue before the same full pools: only counting heads grows, at some microseconds a task."""
    few, many = best_ms(world(1000, 2), Policy()), best_ms(world(10_000, 2), Policy())
    assert (many - few) / 9000 < 0.02, "milliseconds for each further task"
