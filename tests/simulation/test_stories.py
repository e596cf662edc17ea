"""Whole simulated stories with one point each: bytes decide, local first overflows when it pays, objectives matter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from fubini_scheduler.model import (
    BlobKey,
    LocalFirst,
    Objective,
    Policy,
    PoolId,
    PoolKind,
    Price,
    Project,
    ProjectId,
    SiteId,
    Snapshot,
    TaskRequest,
    WhyCode,
)
from fubini_scheduler.simulator import Report, Scenario, simulate
from tests.unit.fubini_scheduler.builders import GIB, MIB, make_group, make_pool, make_snapshot, make_task

DATA = BlobKey("dataset/methanol@1")


def arrivals(*tasks: TaskRequest, every_ms: int = 0) -> tuple[tuple[int, TaskRequest], ...]:
    return tuple((n * every_ms, task) for n, task in enumerate(tasks))


def data_at_edge() -> Snapshot:
    """`edge` has the data and two slow cores; `hpc` is four times as fast behind a link of 1 MiB/s."""
    return make_snapshot(
        node_groups=(
            make_group("edge", "edge", cpu_millis=2000),
            make_group("hpc", "hpc", cpu_millis=32_000, memory_bytes=128 * GIB, speed_permille=4000),
        ),
        pools=(
            make_pool("edge", "edge", site="edge", bandwidth_bytes_per_s=MIB),
            make_pool("hpc", "hpc", site="hpc", bandwidth_bytes_per_s=MIB, core_hour_micros=1000),
        ),
        replicas={DATA: frozenset({SiteId("site-edge")})},
    )


def run_with_data(size_bytes: int, count: int = 1, policy: Policy | None = None) -> Report:
    tasks = [make_task(f"t{n:02}", inputs=((DATA, size_bytes),), expected_ms=120_000) for n in range(count)]
    report = simulate(Scenario(data_at_edge(), arrivals(*tasks)), policy or Policy(), seed=0)
    assert report.violations == []
    return report


def test_a_step_goes_to_a_large_dataset_and_a_small_dataset_goes_to_the_step() -> None:
    large, small = run_with_data(2 * GIB), run_with_data(4 * MIB)
    assert (large.by_pool, large.records[0].bytes_moved) == (Counter({"edge": 1}), 0)
    assert large.records[0].why is WhyCode.DATA_LOCAL
    assert (small.by_pool, small.records[0].bytes_moved) == (Counter({"hpc": 1}), 4 * MIB)
    assert small.records[0].finished_ms == 4_000 + 30_000


@pytest.mark.parametrize(
    ("size_mib", "want"),
    [pytest.param(89, "hpc", id="a second less than it saves"), pytest.param(91, "edge", id="a second more")],
)
def test_the_turning_point_is_where_moving_takes_as_long_as_it_saves(size_mib: int, want: str) -> None:
    # 120 s at edge against 30 s at hpc: the link of 1 MiB/s may take 90 s.
    assert run_with_data(size_mib * MIB).records[0].pool_id == want


def test_many_steps_over_one_large_dataset_move_it_once_when_home_is_full() -> None:
    report = run_with_data(300 * MIB, count=40)
    moved = [r.bytes_moved for r in report.records if r.bytes_moved]
    assert moved == [300 * MIB], "one transfer, shared by all"
    assert set(report.by_pool) == {"edge", "hpc"}
    # Home alone would take 40 x 120 s / 2 cores.
    assert report.makespan_ms < 40 * 120_000 // 2


def test_local_first_does_not_override_the_bytes() -> None:
    hpc_first = Policy(local_first=LocalFirst(site_tiers=((SiteId("site-hpc"),),), burst_wait_s=60))
    assert run_with_data(4 * MIB, policy=hpc_first).records[0].pool_id == "hpc"
    assert run_with_data(2 * GIB, policy=hpc_first).records[0].pool_id == "edge"


def three_sites() -> Snapshot:
    """The shape of the embedded default with real machines: `edge` free, `hpc` cheap with four slots, `cloud` dear."""
    return make_snapshot(
        node_groups=(
            make_group("edge", "edge", cpu_millis=2000),
            make_group("hpc", "hpc", nodes=4),
            make_group("cloud", "cloud", nodes=16, speed_permille=2000),
        ),
        pools=(
            make_pool("edge", "edge", site="edge"),
            make_pool("hpc", "hpc", site="hpc", max_running=4, core_hour_micros=10_000),
            make_pool("cloud", "cloud", site="cloud", core_hour_micros=500_000),
        ),
    )


def local_first(burst_wait_s: int, cap: int | None = None) -> Policy:
    tiers = ((SiteId("site-edge"),), (SiteId("site-hpc"),), (SiteId("site-cloud"),))
    return Policy(local_first=LocalFirst(site_tiers=tiers, burst_wait_s=burst_wait_s, burst_max_price_micros=cap))


def fan_out(count: int, policy: Policy, **more: object) -> Report:
    tasks = [make_task(f"t{n:03}", **more) for n in range(count)]
    report = simulate(Scenario(three_sites(), arrivals(*tasks)), policy, seed=0)
    assert report.violations == []
    assert len(report.records) == count
    return report


def test_a_few_steps_stay_local_and_cost_nothing() -> None:
    report = fan_out(2, local_first(60))
    assert report.by_pool == {"edge": 2}
    assert report.cost_micros == 0
    assert {r.why for r in report.records} == {WhyCode.LOCAL_FIRST}


def test_a_burst_overflows_tier_by_tier() -> None:
    report = fan_out(60, local_first(60))
    assert set(report.by_pool) == {"edge", "hpc", "cloud"}
    assert any(r.why is WhyCode.BURST for r in report.records)
    # The longer overflow is kept shut, the less it costs and the later it ends.
    patient = fan_out(60, local_first(600))
    assert patient.by_pool[PoolId("cloud")] < report.by_pool[PoolId("cloud")]
    assert patient.cost_micros < report.cost_micros
    assert patient.makespan_ms > report.makespan_ms


def test_overflow_that_is_too_dear_does_not_happen() -> None:
    report = fan_out(60, local_first(60, cap=1000))
    assert "cloud" not in report.by_pool
    assert report.cost_micros <= 60 * 167


def test_the_objective_trades_money_for_time() -> None:
    reports = {o: fan_out(60, Policy(), objective=o) for o in Objective}
    cheapest, balanced, fastest = (reports[o] for o in (Objective.CHEAPEST, Objective.BALANCED, Objective.FASTEST))
    assert cheapest.cost_micros == 0
    assert cheapest.makespan_ms > balanced.makespan_ms >= fastest.makespan_ms
    assert cheapest.cost_micros < balanced.cost_micros <= fastest.cost_micros


def test_a_site_with_a_long_queue_of_its_own_is_used_when_its_wait_is_worth_it() -> None:
    snapshot = make_snapshot(
        node_groups=(make_group("edge", "edge", cpu_millis=1000), make_group("hpc", "hpc", nodes=8)),
        pools=(
            make_pool("edge", "edge", site="edge"),
            make_pool("hpc", "hpc", site="hpc", kind=PoolKind.QUEUED, max_running=100, wait_estimate_s=600),
        ),
    )
    tasks = [make_task(f"t{n:03}") for n in range(30)]
    report = simulate(Scenario(snapshot, arrivals(*tasks)), Policy(), seed=0)
    assert report.violations == []
    # Edge does one a minute: ten of them before hpc's queue would be through.
    assert 10 <= report.by_pool[PoolId("edge")] <= 12
    assert report.makespan_ms <= 13 * 60_000


def test_a_top_up_lets_the_rest_run() -> None:
    paid = make_snapshot(
        pools=(replace(make_pool("pool", "group"), price=Price(core_hour_micros=3_600_000)),),
        projects=(Project(id=ProjectId("lab"), available_micros=10 * 120_000),),
    )
    tasks = [make_task(f"t{n:03}", walltime_s=120) for n in range(200)]
    poor = simulate(Scenario(paid, arrivals(*tasks)), Policy(), seed=0)
    # A minute costs half of what is held for it, so the ten holds pay for nineteen runs.
    assert len(poor.records) == 19
    assert len(poor.left) == 181
    assert {reasons[0].code.value for reasons in poor.left.values()} == {"budget"}
    assert poor.violations == []
    rich = replace(paid, projects=(Project(id=ProjectId("lab"), available_micros=10**9),))
    assert len(simulate(Scenario(rich, arrivals(*tasks)), Policy(), seed=0).records) == 200
