"""The quota table by itself: what binds, for whom, and that counting a placement never makes room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fubini_scheduler.model import ProjectId, Quota, RunId
from fubini_scheduler.quota import QuotaTable
from fubini_scheduler.reasons import ReasonCode

P, R = ProjectId("p"), RunId("r")
small = st.integers(0, 20)


@given(
    st.lists(st.tuples(st.sampled_from(["user:a", "user:b"]), small, small, small), max_size=40), small, small, small
)
def test_what_the_table_lets_through_never_passes_a_limit(
    asks: list[tuple[str, int, int, int]], cpu: int, devices: int, micros: int
) -> None:
    limits = [
        Quota(project_id=P, max_cpu_millis=cpu, max_devices=devices, max_micros=micros),
        Quota(project_id=P, member="user:a", max_cpu_millis=cpu // 2),
    ]
    table = QuotaTable(limits)
    used = {"": [0, 0, 0], "user:a": [0, 0, 0], "user:b": [0, 0, 0]}
    for who, c, d, m in asks:
        if table.bars(P, who, R, c, d) or table.short_of(P, who, m):
            continue
        table.take(P, who, c, d, m)
        for name in ("", who):
            used[name] = [x + y for x, y in zip(used[name], (c, d, m), strict=True)]
    assert used[""][0] <= cpu and used[""][1] <= devices and used[""][2] <= micros
    assert used["user:a"][0] <= cpu // 2
    left = table.left_micros(P, "user:b")
    assert left == micros - used[""][2]


def test_the_reason_names_the_figure_and_who_can_raise_it() -> None:
    table = QuotaTable([Quota(project_id=P, member="user:ada", max_cpu_millis=2000, used_cpu_millis=1500)])
    reason = table.bars(P, "user:ada", R, 1000, 0)
    assert reason is not None and reason.code is ReasonCode.QUOTA
    assert reason.sentence == (
        "The quota of ada is reached: 1.5 of 2 cores are in use and this needs 1; an owner of the project can raise it."
    )
    assert table.bars(P, "user:bob", R, 1000, 0) is None
    assert table.bars(ProjectId("other"), "user:ada", R, 1000, 0) is None


def test_runs_beyond_the_quota_and_a_full_store_wait() -> None:
    late = Quota(project_id=P, max_runs=1, runs_beyond={RunId("late"): 2})
    assert QuotaTable([late]).bars(P, "user:a", RunId("late"), 1, 0) is not None
    assert QuotaTable([late]).bars(P, "user:a", RunId("first"), 1, 0) is None
    full = Quota(project_id=P, max_storage_bytes=10, used_storage_bytes=10)
    assert "are stored" in QuotaTable([full]).bars(P, "user:a", R, 1, 0).sentence  # type: ignore[union-attr]
