"""Text of an expression -> tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fubini.language.errors import LanguageError, LimitError

MAX_LENGTH = 65_536

_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)+", re.S)
_NAME = re.compile(r"[A-Za-z_$\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.(?!\.)[\d_]*|\.\d[\d_]*|\d[\d_]*)(?:[eE][+-]?\d+)?"
)
_OPERATORS = ("**", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "..", "::")
_SINGLE = set("+-*/%^<>!=?:.,;|#()[]{}")
_WORDS = {"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # name | number | string | operator | bracket | end
    value: Any
    position: int

    def is_(self, *values: str) -> bool:
        return self.kind == "operator" and self.value in values


def tokenize(text: str) -> list[Token]:
    """All tokens, ended by one of kind ``end``.

    Raises:
        LanguageError: a character or literal that the language does not have.
    """
    if len(text) > MAX_LENGTH:
        raise LimitError(f"the expression is {len(text)} characters long; at most {MAX_LENGTH} are evaluated", 0)
    tokens: list[Token] = []
    at = 0
    while True:
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
        if at >= len(text):
            tokens.append(Token("end", "end of expression", at))
            return tokens
        char = text[at]
        number = _NUMBER.match(text, at) if char.isdigit() or char == "." else None
        after_dot = bool(tokens) and tokens[-1].is_(".", "?.")
        if number and not (char == "." and not text[at + 1 : at + 2].isdigit()):
            tokens.append(Token("number", _number(number.group(), at), at))
            at = number.end()
        elif match := _NAME.match(text, at):
            word = match.group()
            kind = "operator" if word in _WORDS and not after_dot else "name"
            tokens.append(Token(kind, word, at))
            at = match.end()
        elif char in "'\"":
            value, end = _string(text, at)
            tokens.append(Token("string", value, at))
            at = end
        elif char == "`":
            end = text.find("`", at + 1)
            if end < 0:
                raise LanguageError("literal not terminated", at)
            tokens.append(Token("string", text[at + 1 : end], at))
            at = end + 1
        elif text[at : at + 2] in _OPERATORS:
            tokens.append(Token("operator", text[at : at + 2], at))
            at += 2
        elif char in _SINGLE:
            tokens.append(Token("operator", char, at))
            at += 1
        else:
            raise LanguageError(f"unrecognized character: U+{ord(char):04X} '{char}'", at)


def _number(text: str, at: int) -> int | float:
    digits = text.replace("_", "")
    try:
        if digits[:2].lower() in ("0x", "0b", "0o"):
            value: int | float = int(digits, 0)
        elif any(c in digits for c in ".eE"):
            return float(digits)
        else:
            value = int(digits)
    except ValueError:
        raise LanguageError(f'bad number syntax: "{text}"', at) from None
    if value >= 2**63:
        raise LanguageError("integer literal is too large", at)
    return value


def _string(text: str, start: int) -> tuple[str, int]:
    quote = text[start]
    out: list[str] = []
    at = start + 1
    while at < len(text):
        char = text[at]
        if char == quote:
            return "".join(out), at + 1
        if char == "\n":
            break
        if char != "\\":
            out.append(char)
            at += 1
            continue
        follow = text[at + 1 : at + 2]
        width = {"x": 2, "u": 4, "U": 8}.get(follow)
        if follow in _ESCAPES and follow:
            out.append(_ESCAPES[follow])
            at += 2
        elif width:
            digits = text[at + 2 : at + 2 + width]
            try:
                out.append(chr(int(digits, 16)))
            except (ValueError, OverflowError):
                raise LanguageError("invalid char escape", at) from None
            at += 2 + width
        elif follow in "01234567" and follow:
            digits = text[at + 1 : at + 4]
            if not re.fullmatch(r"[0-3][0-7]{2}", digits):
                raise LanguageError("invalid char escape", at)
            out.append(chr(int(digits, 8)))
            at += 4
        else:
            raise LanguageError("invalid char escape", at)
    raise LanguageError("literal not terminated", start)
