"""Why an agent takes no steps, as it says so in its reports: English texts that a reply tells in the reader's language."""

from __future__ import annotations

from typing import Final

from fubini.common.saying import Known

REFUSALS: Final = Known(
    "the disk of {folder} has {free} bytes left, {reserve} are kept free: make room there",
    "the journal cannot be written: {error}",
    "draining",
)
