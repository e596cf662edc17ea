"""The keeper: the one process of an agent that parents the commands, and outlives the agent.

Decides how a command is started, ended and accounted for; what to start and what an end means are the agent's. It
holds no credential, opens no network socket and knows nothing of the platform.

* Talks JSON lines over a unix socket (0600) in its folder. One agent at a time: a new connection replaces the old one.
  Requests: start, end, forget, status, shutdown. Events: hello, started, exited, refused.
* Writes *exit markers*: an append-only file, one JSON line per start and per end with attempt and fence, so a
  restarted agent finds what happened while it was away. Lines of ends that arrive together share one fdatasync. The
  file is rewritten without the forgotten ones when it has grown.
* Enforces what must not wait for an agent: the time limit (SIGTERM, grace, SIGKILL), and cores and memory as far as the
  host permits (`limits.py`; where it does not, memory by sampling).
* Dies with everything: each command's init (or the command itself) has PR_SET_PDEATHSIG, so a killed keeper leaves no
  process. It ends by itself when it has nothing to keep and no agent for `IDLE_EXIT_S`.

Single-threaded, standard library only, started with ``python -I -S``: its size is the price of every fork.
"""

from __future__ import annotations

from fubini_agent.keeper.children import process_start_ticks
from fubini_agent.keeper.loop import Keeper, main

__all__ = ["Keeper", "main", "process_start_ticks"]
