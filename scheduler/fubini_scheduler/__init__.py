"""The scheduler core: decides where and when each queued task runs.

Pure: it reads a `Snapshot`, a `Policy` and a time, and returns a `SchedulingResult`. It knows no framework, database,
clock or network, and draws no random numbers outside the seeded simulator. Integer units throughout.
"""

from fubini_scheduler.course import course
from fubini_scheduler.cycle import plan
from fubini_scheduler.forecast import forecast
from fubini_scheduler.quote import quote
from fubini_scheduler.trial import smallest, trial

__all__ = ["course", "forecast", "plan", "quote", "smallest", "trial"]
