"""Python's cycle collector in processes that hold many long-lived objects.

A run of 100,000 nodes is a million objects that nothing will free for hours; at Python's own thresholds the collector
walks over all of them again and again, which is a third of the time of a large run's events. Collecting rarely is safe
here: what the engines and the planner drop is freed by reference counts, cycles are few.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 50_000, 20, 100


def collector_for_large_state() -> None:
    """Collect rarely from now on; what is there already (modules, code) is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
