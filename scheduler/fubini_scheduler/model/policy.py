"""The operator's choices, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from fubini_scheduler.model.ids import SiteId
from fubini_scheduler.model.task import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFirst:
    """Local first, overflow when it pays.

    A later tier is open to a task only while every feasible place of the earlier tiers would start it more than
    `burst_wait_s` from now (waiting and moving bytes counted), and only at a price of at most
    `burst_max_price_micros`. Among open places the objective decides, so an overflow that does not pay still waits.
    Where no earlier tier could run the task even if all its pools were up, going further is not overflow and the price
    cap does not apply.
    """

    site_tiers: tuple[tuple[SiteId, ...], ...]  # most local first; sites not named form the last tier
    burst_wait_s: int = 60
    burst_max_price_micros: int | None = None  # per task; None = any price
    objectives: tuple[Objective, ...] = (Objective.FASTEST, Objective.CHEAPEST, Objective.BALANCED)  # applies to these


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveWeights:
    """score = time_micros_per_hour x hours to the finish + price x price_permille / 1000; the lowest wins."""

    time_micros_per_hour: int
    price_permille: int = 1000


def _weights() -> dict[Objective, ObjectiveWeights]:
    return {
        Objective.FASTEST: ObjectiveWeights(time_micros_per_hour=1_000_000, price_permille=0),
        Objective.CHEAPEST: ObjectiveWeights(time_micros_per_hour=0),
        Objective.BALANCED: ObjectiveWeights(time_micros_per_hour=1_000_000),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything `plan()` may be told besides the state of the world."""

    local_first: LocalFirst | None = None
    weights: dict[Objective, ObjectiveWeights] = field(default_factory=_weights)  # read only
    preferred_point_micros: int = 500  # what one point of a soft condition is worth in a score
    fair_share_half_life_s: int = 7 * 86_400
    aging_s: int = 6 * 3600  # each such span of waiting lifts a task by one priority class; 0 = never
    max_placements: int = 1000  # a cycle
    max_reservations: int = 16  # a cycle
    default_run_s: int = 300  # expected run time where neither estimate nor walltime is known
    default_reserve_s: int = 3600  # time reserved and held for where neither walltime nor estimate is known
    default_bandwidth_bytes_per_s: int = 12_500_000
    alternatives_kept: int = 5  # a placement
