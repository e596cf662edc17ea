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

    def located(self, text: str) -> str:
        """The message with line, column and the line itself, as expr-lang shows errors."""
        if self.position is None:
            return self.message
        at = min(self.position, len(text))
        line_start = text.rfind("\n", 0, at) + 1
        line_end = text.find("\n", at)
        line = text[line_start : line_end if line_end >= 0 else len(text)]
        column = at - line_start
        return f"{self.message} ({text.count(chr(10), 0, at) + 1}:{column + 1})\n | {line}\n | {'.' * column}^"


class LimitError(LanguageError):
    """A text, or what it computes, is larger than this installation evaluates."""
