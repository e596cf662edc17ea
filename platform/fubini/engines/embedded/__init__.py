"""The embedded engine: Argo's workflow language, interpreted on one machine.

Pure: no clock, no I/O, no chance. `State.new` (or `start`) makes a run, `advance` takes one event and says all that it
changed, `dump` and `load` write the state out and read it back at any event. `shell` keeps it in the database.
"""

from __future__ import annotations

from fubini.engines.embedded.interpreter import advance, start
from fubini.engines.embedded.persist import dump, load
from fubini.engines.embedded.state import State

__all__ = ["State", "advance", "dump", "load", "start"]
