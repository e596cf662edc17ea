"""A private root for one command: user, mount and pid namespaces made in a forked child.

Decides what a step sees. Its root is a directory of its own (`RootPlan.root`, on disk, so that outputs outlive the
namespaces); host directories appear in it read-only, ``/dev`` holds six harmless nodes, ``/proc`` shows only the
step's own processes. Everything else is private and writable, so any absolute path works and none touches the host.
The agent's state folder is not in it, and the command has no capability in any namespace.

Process shape: the caller's child becomes pid 1 of a new pid namespace and stays as a small *init* (this interpreter,
forked, never a new one) that runs one command after another, each in a mount namespace and a root of its own. Between
two commands it kills and reaps whatever the last one left behind, so they share nothing but the namespace's numbers.
Pid 1 cannot be signalled or traced from inside. The death of the caller kills init (PR_SET_PDEATHSIG) and with it the
whole namespace: no process outlives the keeper. Killing init is also how a command that will not end is ended.
Making the namespaces once and starting commands by vfork (posix_spawn) is what keeps a start near the cost of fork+exec.

Standard library only, and no module that the keeper would not need: the size of this process is the price of a fork.
"""

from __future__ import annotations

from fubini_agent.private_root.commands import (
    EXEC_FAILED,
    EXITED,
    SETUP_FAILED,
    Command,
    run_direct,
)
from fubini_agent.private_root.init import (
    start_init,
)
from fubini_agent.private_root.kernel import (
    SetupError,
    set_subreaper,
)
from fubini_agent.private_root.probing import (
    probe,
    remove_tree,
)
from fubini_agent.private_root.roots import (
    HOST_DIRS,
    PRIVATE_DIRS,
    SCRIPT_PATH,
    STICKY_DIRS,
    RootPlan,
    device_nodes,
    host_binds,
    prepare_dev_dir,
    prepare_skeleton,
    root_only_files,
)

__all__ = [
    "EXEC_FAILED",
    "EXITED",
    "HOST_DIRS",
    "PRIVATE_DIRS",
    "SCRIPT_PATH",
    "SETUP_FAILED",
    "STICKY_DIRS",
    "Command",
    "RootPlan",
    "SetupError",
    "device_nodes",
    "host_binds",
    "prepare_dev_dir",
    "prepare_skeleton",
    "probe",
    "remove_tree",
    "root_only_files",
    "run_direct",
    "set_subreaper",
    "start_init",
]
