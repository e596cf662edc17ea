"""A memory for what short texts were read as, whose size is bounded by characters and not only by entries."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

T = TypeVar("T")


def remembered(*, texts: int, longest: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Keep a pure function's answers for the last `texts` texts of up to `longest` characters.

    Longer ones are read anew each time: a few thousand of them would hold gigabytes for as long as the process lives.
    """

    def around(function: Callable[[str], T]) -> Callable[[str], T]:
        cached = lru_cache(maxsize=texts)(function)

        @wraps(function)
        def read(text: str) -> T:
            return cached(text) if len(text) <= longest else function(text)

        return read

    return around
