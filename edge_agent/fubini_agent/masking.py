"""Hide the values of secrets in what a step printed. Pure.

In logs each hidden byte becomes one ``*``, so that a stream keeps its offsets, which are what both sides agree on after a
restart; in results and messages a value becomes ``***``. Hidden are the value, its lines, and the value as base64, in a
URL and in JSON. Values and lines of fewer than `MIN_BYTES` are not hidden: hiding them would spoil every text and keep
nothing secret. What a step does to a value beyond that (reversing it, printing it letter by letter) cannot be seen here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Optional
from urllib.parse import quote, quote_plus

MIN_BYTES = 4
STAR = b"*"


class Masker:
    """Knows one attempt's secrets. `everything` hides all but line breaks: for when the secrets cannot be known any more."""

    def __init__(self, values: Iterable[bytes] = (), *, everything: bool = False) -> None:
        self.everything = everything
        found = {pattern for value in values for pattern in _forms(value)}
        self.patterns = sorted(found, key=lambda pattern: (-len(pattern), pattern))
        self.longest = len(self.patterns[0]) if self.patterns else 0

    def mask(self, data: bytes) -> bytes:
        """The same number of bytes, with every occurrence of every pattern hidden; overlapping ones wholly."""
        if self.everything:
            return b"".join(b"\n" if byte == 10 else STAR for byte in data)
        out: Optional[bytearray] = None
        for pattern in self.patterns:
            at = data.find(pattern)
            while at >= 0:
                if out is None:
                    out = bytearray(data)
                out[at : at + len(pattern)] = STAR * len(pattern)
                at = data.find(pattern, at + 1)
        return data if out is None else bytes(out)

    def held(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a pattern, and so must wait for what follows."""
        most = 0
        for pattern in self.patterns:
            first = max(0, len(data) - len(pattern) + 1)
            at = data.find(pattern[:1], first)
            while at >= 0 and len(data) - at > most:
                if pattern.startswith(data[at:]):
                    most = len(data) - at
                    break
                at = data.find(pattern[:1], at + 1)
        return most

    def text(self, text: str, *, cut: bool = False) -> str:
        """A short text with each value replaced by ``***``; with `cut`, its beginning may be the end of a value."""
        if self.everything:
            return "***" if text else text
        raw = text.encode("utf-8", "surrogatepass")
        if cut:
            for pattern in self.patterns:
                for size in range(min(len(pattern) - 1, len(raw)), MIN_BYTES - 1, -1):
                    if raw.startswith(pattern[-size:]):
                        raw = STAR * size + raw[size:]
                        break
        for pattern in self.patterns:
            raw = raw.replace(pattern, b"***")
        return raw.decode("utf-8", "replace")


def _forms(value: bytes) -> set[bytes]:
    forms = {value, value.strip()}
    forms.update(line.strip() for line in value.splitlines())
    for whole in (value, value.strip()):
        forms.update(_encoded(whole))
        forms.update((quote(whole, safe="").encode(), quote_plus(whole).encode()))
        try:
            text = whole.decode("utf-8")
        except UnicodeDecodeError:
            continue
        forms.update((json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode()))
    return {form for form in forms if len(form) >= MIN_BYTES}


def _encoded(value: bytes) -> set[bytes]:
    """Base64 of anything that has the value in it, as ``user:password`` does: the characters that hang on it alone."""
    forms = {base64.b64encode(value), base64.urlsafe_b64encode(value)}
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(value)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            part = encode(b"\0" * before + value)[first:last]
            if len(part) >= 2 * MIN_BYTES:
                forms.add(part)
    return forms
