"""What engines, agents and the platform's own loops leave as a run's, node's or attempt's message, as sentences.

Messages are Argo's words where Argo has some: its clients compare them, rows keep them, and in English they stay what they
are to the letter. Here are those that people meet, so that a reply can tell them in another language. What a program
printed, and what is rare, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fubini.common.saying import Known

_OF_A_CHILD: Final = re.compile(r"child '(?P<id>[^']{1,300})' failed")


def with_names(message: str, names: Mapping[str, str]) -> str:
    """The message with a child's display name where Argo's words have its id; one that `names` does not have stays."""
    found = _OF_A_CHILD.fullmatch(message)
    return f"child '{names[found['id']]}' failed" if found and found["id"] in names else message


MESSAGES: Final = Known(
    # how a step ended
    "{container}: Error (exit code {code}): {said}",
    "{container}: Error (exit code {code})",
    "{container}: OOMKilled (exit code {code})",
    "Error (exit code {code})",
    "OOMKilled (exit code {code})",
    "Pod was active on the node longer than the specified deadline",
    "ran longer than its limit of {seconds} s",
    "No more retries left",
    "retryStrategy.expression evaluated to false",
    "Max duration limit exceeded",
    "child '{child}' failed",
    "cancelled by the run",
    # what a person or a limit did
    "Stopped with strategy '{strategy}'",
    "workflow shutdown with strategy: {strategy}",
    "Step exceeded its deadline",
    "retry exceeded workflow deadline {moment}",
    # locks
    "Waiting for {lock} lock ({short}). Lock status: {taken}/{size}",
    "Waiting for {lock} lock. Lock status: {free}/{size}",
    "Failed to get semaphore limit for {lock}",
    "error in entry template execution: {error}",
    "failed to initialize semaphore {lock} with limit",
    # agents
    "the agent no longer holds it and reported no end",
    "the agent was silent for {seconds} s after its lease ran out",
    "its work directory could not be made: {error}",
    "its outputs could not be read: {error}",
    "its root could not be made: {error}",
    "an input could not be put in place: {error}",
    # words and conditions
    "Terminate",
    "Stop",
    "when '{condition}' evaluated false",
)
