"""A simulated platform round the real `plan()`: simulated clock, seeded workloads, figures at the end."""

from fubini_scheduler.simulator.checks import violations
from fubini_scheduler.simulator.sink import Record, Report
from fubini_scheduler.simulator.workload import Scenario, random_scenario
from fubini_scheduler.simulator.world import simulate

__all__ = ["Record", "Report", "Scenario", "random_scenario", "simulate", "violations"]
