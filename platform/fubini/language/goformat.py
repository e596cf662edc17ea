"""`fmt.Sprintf` for one integer, as `withSequence.format` uses it: %d, %x, %o, %b, %c, %q, %v with flags and width."""

from __future__ import annotations

import re

from fubini.language.errors import LanguageError

_VERB = re.compile(r"%([-+# 0]*)(\d{1,4})?(?:\.(\d{0,4}))?(.?)", re.S)


_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 39: "\\'", 92: "\\\\"}


def _quoted(value: int) -> str:
    """A character as %q writes it between its quotes."""
    if value in _ESCAPES:
        return _ESCAPES[value]
    return f"\\x{value:02x}" if value < 32 or value == 127 else chr(value)


def sprintf(template: str, value: int) -> str:
    """Format one integer; a template that uses the value twice or never shows it as Go does."""
    used = False
    out: list[str] = []
    at = 0
    for match in _VERB.finditer(template):
        out.append(template[at : match.start()])
        at = match.end()
        flags, width, precision, verb = match.groups()
        if verb == "%":
            out.append("%")
        elif verb == "":
            out.append("%!(NOVERB)")
        elif used:
            out.append(f"%!{verb}(MISSING)")
        else:
            used = True
            out.append(_format(flags, width, precision, verb, value))
    out.append(template[at:])
    if not used:
        out.append(f"%!(EXTRA int={value})")
    return "".join(out)


def parse(template: str) -> None:
    """Check a sequence's format.

    Raises:
        LanguageError: it does not use its number exactly once.
    """
    verbs = [m for m in _VERB.finditer(template) if m.group(4) != "%"]
    if len(verbs) != 1 or verbs[0].group(4) not in tuple("dxXobcqvsU"):
        raise LanguageError(f'format "{template}" must use its number exactly once, as in "%02d" or "node-%d"')


def _format(flags: str, width: str | None, precision: str | None, verb: str, value: int) -> str:
    bases = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "b": "b"}
    if verb in bases:
        digits = format(abs(value), bases[verb])
        if precision is not None:
            digits = digits.rjust(int(precision or 0), "0")
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
        sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
        size = int(width or 0)
        if "-" in flags:
            return (sign + prefix + digits).ljust(size)
        if "0" in flags and precision is None:
            return sign + prefix + digits.rjust(size - len(sign + prefix), "0")
        return (sign + prefix + digits).rjust(size)
    if verb == "c":
        text = chr(value) if 0 <= value < 0x110000 else "\ufffd"
    elif verb == "q":
        text = f"'{_quoted(value)}'" if 0 <= value < 0x110000 else "'\ufffd'"
    elif verb == "U":
        text = f"U+{value:04X}"
    else:
        text = f"%!{verb}(int={value})"
    return text.ljust(int(width or 0)) if "-" in flags else text.rjust(int(width or 0))
