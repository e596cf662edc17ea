"""What every expression language raises: a sentence and where in the text it holds."""

from __future__ import annotations


class LanguageError(Exception):
    """A text does not parse, or cannot be evaluated.

    `position` is the zero-based character offset in the text, or None where no single place is to blame.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class LimitError(LanguageError):
    """A text, or what it computes, is larger than this installation evaluates."""
