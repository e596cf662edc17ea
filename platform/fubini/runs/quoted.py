"""The quote a run keeps: what was shown before it was submitted, signed so that a submit can name it.

A quote is not stored when it is made. Its figures go out signed, with a digest of what was quoted; a submit that brings them
back has them kept with the run, if they are of the same project and the same submission and not old. Anything else counts for
nothing, and the run is quoted anew. Money in micros, times in seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from django.core import signing

SALT: Final = "fubini.quote"
LENGTH_MAX: Final = 2_000
AGE_S: Final = 86_400
DEFAULT: Final = "balanced"  # the objective of a run that names none


@dataclass(frozen=True, slots=True)
class KeptQuote:
    """What a run was quoted at. `ends`: how long it takes is bounded. None: it was not part of the quote then."""

    money_low_micros: int
    money_high_micros: int
    steps: int
    feasible: bool
    bounded: bool
    time_low_s: int | None = None
    time_high_s: int | None = None
    objective: str = DEFAULT
    ends: bool = False
    at_ms: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_FIELDS: Final = tuple(f.name for f in fields(KeptQuote))


def kept_of(row: Mapping[str, Any] | None) -> KeptQuote | None:
    """A kept quote as a run's or a retry's row has it."""
    return KeptQuote(**{name: row[name] for name in _FIELDS if name in row}) if row else None


def quote_sign(
    by_objective: Mapping[str, KeptQuote],
    *,
    project_id: str,
    text: str,
    parameters: Mapping[str, str],
    priority: str,
    reuse: str,
) -> str:
    """A name for the quote of one submission, of whatever objective it then has."""
    told = {
        "of": _digest(project_id, text, parameters, priority, reuse),
        "quotes": {objective: kept.to_json() for objective, kept in by_objective.items()},
    }
    return signing.dumps(told, salt=SALT, compress=True)


def quote_named(
    name: str,
    *,
    project_id: str,
    text: str,
    parameters: Mapping[str, str],
    objective: str,
    priority: str,
    reuse: str,
) -> KeptQuote | None:
    """The quote of exactly this submission that `name` stands for; None: it stands for none, or for an old one."""
    try:
        told = signing.loads(name, salt=SALT, max_age=AGE_S) if name else None
    except signing.BadSignature:
        return None
    if told is None or told["of"] != _digest(project_id, text, parameters, priority, reuse):
        return None
    return kept_of(told["quotes"].get(objective or DEFAULT))


def _digest(project_id: str, text: str, parameters: Mapping[str, str], priority: str, reuse: str) -> str:
    told = json.dumps([project_id, text, sorted(parameters.items()), priority, reuse])
    return hashlib.sha256(told.encode()).hexdigest()
