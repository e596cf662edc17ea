"""The forecast as arithmetic: ranges in order, windows that add up, and dates that follow from them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fubini.ledger.forecast import DAY_MS, Committed, Facts, Range, Scheduled, pace, runs_out, window

NOW = 1_700_000_000_000
amounts = st.integers(0, 10**12)
ranges = st.tuples(amounts, amounts, amounts).map(sorted).map(lambda x: Range(*x))
holds = st.builds(Committed, amounts, amounts, st.integers(NOW - DAY_MS, NOW + 40 * DAY_MS))
ticks = st.lists(st.integers(NOW, NOW + 60 * DAY_MS), max_size=20).map(lambda x: tuple(sorted(x)))
crons = st.builds(
    Scheduled,
    st.just("c"),
    st.none() | ranges,
    ticks,
    st.integers(NOW + 60 * DAY_MS, NOW + 70 * DAY_MS),
    st.integers(0, 24_000),
)
facts = st.builds(
    Facts,
    st.just(NOW),
    amounts,
    st.lists(holds, max_size=5).map(tuple),
    st.lists(crons, max_size=4).map(tuple),
    st.lists(amounts, max_size=40).map(tuple),
    st.integers(0, 1000),
)
moments = st.integers(NOW, NOW + 120 * DAY_MS)


def ordered(found: Range) -> bool:
    return 0 <= found.low <= found.expected <= found.high


@given(facts, moments, moments)
def test_every_part_is_a_range_in_order(known: Facts, one: int, other: int) -> None:
    found = window(known, min(one, other), max(one, other))
    assert all(ordered(part) for part in (found.committed, found.scheduled, found.trend, found.total))
    assert 0 <= found.unpriced_ticks <= found.ticks


@given(facts, st.tuples(moments, moments, moments).map(sorted))
def test_neighbouring_windows_add_up_to_the_whole(known: Facts, at: list[int]) -> None:
    left, right, whole = window(known, at[0], at[1]), window(known, at[1], at[2]), window(known, at[0], at[2])
    assert left.committed + right.committed == whole.committed
    assert left.scheduled + right.scheduled == whole.scheduled
    assert left.ticks + right.ticks == whole.ticks


@given(facts)
def test_all_that_is_held_is_committed_once(known: Facts) -> None:
    found = window(known, NOW, NOW + 120 * DAY_MS).committed
    assert found.high == sum(c.hold_micros for c in known.committed if c.until_ms > NOW) + sum(
        c.hold_micros for c in known.committed if c.until_ms <= NOW
    )


@given(facts, st.integers(1, 10**9))
def test_more_money_never_runs_out_sooner(known: Facts, more: int) -> None:
    richer = Facts(
        NOW, known.funds_micros + more, known.committed, known.scheduled, known.daily_micros, known.settled_permille
    )
    for before, after in zip(_days(runs_out(known)), _days(runs_out(richer)), strict=True):
        assert after >= before


@given(facts)
def test_the_high_end_runs_out_first(known: Facts) -> None:
    earliest, expected, latest = _days(runs_out(known))
    assert earliest <= expected <= latest


def _days(found: object) -> tuple[int, ...]:
    return tuple(getattr(found, name) or 10_000 for name in ("earliest", "expected", "latest"))


def test_an_even_past_goes_on_evenly() -> None:
    known = Facts(NOW, 10_500, daily_micros=(1000,) * 28)
    assert window(known, NOW, NOW + 7 * DAY_MS).total == Range(7000, 7000, 7000)
    assert runs_out(known).expected == 11  # ten days leave 500, the eleventh takes it


def test_an_uneven_past_has_a_spread_that_grows_with_the_root_of_the_days() -> None:
    known = Facts(NOW, 0, daily_micros=(0, 2_000_000) * 14)
    one, four = (window(known, NOW, NOW + days * DAY_MS).total for days in (1, 4))
    assert abs((four.high - four.expected) - 2 * (one.high - one.expected)) <= 4
    assert pace((0, 2)) == (1, 1)


def test_a_schedule_costs_its_ticks_and_one_without_a_price_is_only_counted() -> None:
    hourly = tuple(NOW + h * 3_600_000 for h in range(1, 24 * 40))
    priced = Scheduled("a", Range(1, 2, 5), hourly, NOW + 40 * DAY_MS)
    unknown = Scheduled("b", None, hourly, NOW + 40 * DAY_MS)
    found = window(Facts(NOW, 0, scheduled=(priced, unknown)), NOW, NOW + DAY_MS)
    assert found.scheduled == Range(23, 46, 115)
    assert (found.ticks, found.unpriced_ticks) == (46, 23)


def test_behind_the_ticks_that_are_known_their_pace_goes_on() -> None:
    minutely = tuple(NOW + m * 60_000 for m in range(1, 401))
    cron = Scheduled("a", Range(1, 1, 1), minutely, minutely[-1] + 1, 1_440_000)
    assert window(Facts(NOW, 0, scheduled=(cron,)), NOW, NOW + 10 * DAY_MS).ticks in range(14_395, 14_405)


def test_running_work_is_the_beginning_of_the_days_ahead_not_beside_them() -> None:
    held = Committed(hold_micros=800, used_micros=100, until_ms=NOW + DAY_MS // 2)
    known = Facts(NOW, 0, committed=(held,), daily_micros=(1000,) * 5, settled_permille=500)
    found = window(known, NOW, NOW + DAY_MS)
    assert found.committed == Range(100, 400, 800)
    assert found.total == Range(700, 1000, 1400)
