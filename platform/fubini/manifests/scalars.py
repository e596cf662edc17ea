"""How a plain YAML word becomes a value, as sigs.k8s.io/yaml reads it on the way into a Kubernetes API server.

That reader is YAML 1.1 with Go's number syntax: ``yes`` and ``on`` are booleans, ``010`` is eight, ``1_000`` a
thousand, ``1:30`` and dates stay text, and a number too big for 64 bits goes through a float. Integral floats are
written without a fraction in JSON, so they come back as integers here too. Quoted words never come here.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
for _truth, _words in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off"))):
    for _word in _words:
        for _spelling in (_word, _word.capitalize(), _word.upper()):
            _WORDS[_spelling] = _truth

_SPECIAL_FLOATS = frozenset(
    {".nan", ".NaN", ".NAN"} | {s + w for s in ("", "+", "-") for w in (".inf", ".Inf", ".INF")}
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_NUMBER_STARTS = frozenset("+-.0123456789")
_LONGEST_NUMBER = 400
_INT64 = 1 << 63
_UINT64 = 1 << 64


class NotFinite(ValueError):
    """The word is a not-a-number or an infinity, which JSON cannot carry."""


def resolve(word: str) -> Scalar:
    """The value of a plain (unquoted) word.

    Raises:
        NotFinite: the word is ``.nan``, ``.inf`` or a spelling of them.
    """
    if word in _WORDS:
        return _WORDS[word]
    if word[0] not in _NUMBER_STARTS or len(word) > _LONGEST_NUMBER:
        return word
    if word in _SPECIAL_FLOATS:
        raise NotFinite(word)
    plain = word.replace("_", "")
    match = _INTEGER.match(plain)
    if match:
        integer = _integer(match.group(2))
        signed = -integer if match.group(1) == "-" else integer
        if -_INT64 <= signed < _UINT64:
            return signed
        # Out of 64 bits: Go falls through to a float, but only for decimal spellings.
    if _FLOAT.match(plain):
        number = float(plain)
        if math.isinf(number):
            return word  # Go's parser reports a range error and leaves the text
        return integral(number)
    return word


def integral(number: float) -> int | float:
    """A float that JSON writes without fraction or exponent is read back as an integer."""
    if number.is_integer() and abs(number) < _INT64:
        return int(number)
    return number


def _integer(digits: str) -> int:
    lower = digits.lower()
    if lower.startswith("0x"):
        return int(lower[2:], 16)
    if lower.startswith("0b"):
        return int(lower[2:], 2)
    if lower.startswith("0o"):
        return int(lower[2:], 8)
    if len(lower) > 1 and lower[0] == "0":
        return int(lower, 8)
    return int(lower)
