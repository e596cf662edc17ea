"""Regular expressions without backtracking, for patterns that people write into conditions.

The syntax is the common part of Go's RE2 and Python's `re`: alternation, groups, classes, repeats, anchors, `(?i)`
and the like at the start. A pattern becomes a list of states that are followed side by side, so that time is bounded
by pattern times text and by a budget; no pattern can hang its evaluator. `search` only says whether a text matches.
Source: K. Thompson, "Regular expression search algorithm" (1968), as simulated by R. Cox's Pike-style machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from fubini.language.errors import LanguageError, LimitError

MAX_PATTERN = 1_000
MAX_STATES = 4_000
MAX_STEPS = 600_000
MAX_REPEAT = 1_000
MAX_OPEN = 2  # repeats without an upper end, where a matcher that goes back is used
MAX_BACKTRACKING = 50_000_000  # its steps on one text: one such repeat over 5,000 characters

Test = Callable[[str], bool]


@dataclass(slots=True)
class _State:
    """`test` consumes a character; `assertion` holds between two; otherwise the state only branches to `next`."""

    next: tuple[int, ...] = ()
    test: Test | None = None
    assertion: str = ""


class _Compiler:
    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.states: list[_State] = []
        self.fold = self.dotall = self.multiline = False
        self.depth = 0
        self.freedoms: list[int | None] = []  # ways each choice can go: alternatives, lengths; None: any length
        self.nested = False  # something with a choice in it is itself repeated

    def fail(self, reason: str) -> LanguageError:
        return LanguageError(f"error parsing regexp: {reason}: `{self.text}`", self.at)

    def add(self, state: _State) -> int:
        if len(self.states) >= MAX_STATES:
            raise LimitError(f"the pattern needs more than {MAX_STATES} states")
        self.states.append(state)
        return len(self.states) - 1

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    # Every part returns its entry state and the states whose `next` is still open.
    def alternation(self) -> tuple[int, list[int]]:
        self.depth += 1
        if self.depth > 50:
            raise LimitError("the pattern is nested deeper than 50 groups")
        start, ends = self.sequence()
        while self.peek() == "|":
            self.at += 1
            self.freedoms.append(2)
            other, more = self.sequence()
            start = self.add(_State((start, other)))
            ends += more
        self.depth -= 1
        return start, ends

    def sequence(self) -> tuple[int, list[int]]:
        start = self.add(_State())
        ends = [start]
        while self.peek() not in ("", "|", ")"):
            entry, more = self.repeated()
            self.connect(ends, entry)
            ends = more
        return start, ends

    def connect(self, ends: list[int], target: int) -> None:
        for end in ends:
            self.states[end].next = (*self.states[end].next, target)

    def repeated(self) -> tuple[int, list[int]]:
        begin = self.at
        choices = len(self.freedoms)
        part = self.atom()
        while True:
            low, high = self.quantifier()
            if low is None:
                return part
            if len(self.freedoms) > choices and (high is None or high > 1):
                self.nested = True
            if high != low:
                self.freedoms.append(None if high is None else high - low + 1)
            end = self.at
            part = self.times(begin, end, low, high, part)

    def quantifier(self) -> tuple[int | None, int | None]:
        char = self.peek()
        found: tuple[int | None, int | None] = (None, None)
        if char in ("*", "+", "?") and char:
            self.at += 1
            found = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        elif char == "{":
            match = re.compile(r"\{(\d+)(,(\d*))?\}").match(self.text, self.at)
            if match is None:
                return None, None
            low = int(match[1])
            high = low if match[2] is None else int(match[3]) if match[3] else None
            if low > MAX_REPEAT or (high or 0) > MAX_REPEAT or (high is not None and high < low):
                raise self.fail("invalid repeat count")
            self.at = match.end()
            found = (low, high)
        if found[0] is not None and self.peek() == "?":
            self.at += 1  # a lazy repeat matches the same texts
        return found

    def times(
        self, begin: int, end: int, low: int, high: int | None, part: tuple[int, list[int]]
    ) -> tuple[int, list[int]]:
        """A part repeated; copies are made by reading its text again."""
        entry = self.add(_State())
        ends = [entry]
        copies = [part]

        def another() -> tuple[int, list[int]]:
            if copies:
                return copies.pop()
            self.at = begin
            made = self.atom()
            self.at = end
            return made

        for _ in range(low):
            start, more = another()
            self.connect(ends, start)
            ends = more
        if high is None:
            start, more = another()
            loop = self.add(_State((start,)))
            self.connect(ends, loop)
            self.connect(more, loop)
            ends = [loop]
        else:
            skipped: list[int] = []
            for _ in range(high - low):
                start, more = another()
                branch = self.add(_State((start,)))
                self.connect(ends, branch)
                skipped.append(branch)
                ends = more
            ends = ends + skipped
        self.at = end
        return entry, ends

    def atom(self) -> tuple[int, list[int]]:
        char = self.peek()
        if char == "(":
            return self.group()
        if char in ("*", "+", "?"):
            raise self.fail("missing argument to repetition operator")
        self.at += 1
        if char == "[":
            return self.single(self.char_class())
        if char == ".":
            return self.single((lambda _: True) if self.dotall else (lambda c: c != "\n"))
        if char in ("^", "$"):
            name = char + ("m" if self.multiline else "")
            state = self.add(_State(assertion=name))
            return state, [state]
        if char == "\\":
            return self.escape()
        return self.single(self.literal(char))

    def single(self, test: Test) -> tuple[int, list[int]]:
        state = self.add(_State(test=test))
        return state, [state]

    def literal(self, char: str) -> Test:
        if self.fold:
            both = {char.lower(), char.upper()}
            return lambda c: c in both
        return lambda c: c == char

    def group(self) -> tuple[int, list[int]]:
        self.at += 1
        before = (self.fold, self.dotall, self.multiline)
        if self.peek() == "?":
            flags = re.compile(r"\?(?:P?<\w+>|([ims]*)(?:-([ims]+))?(:|\)))").match(self.text, self.at)
            if flags is None:
                raise self.fail("invalid or unsupported Perl syntax")
            self.at = flags.end()
            for names, value in ((flags[1] or "", True), (flags[2] or "", False)):
                self.fold = value if "i" in names else self.fold
                self.multiline = value if "m" in names else self.multiline
                self.dotall = value if "s" in names else self.dotall
            if flags[3] == ")":
                state = self.add(_State())
                return state, [state]
        inner = self.alternation()
        if self.peek() != ")":
            raise self.fail("missing closing )")
        self.at += 1
        self.fold, self.dotall, self.multiline = before
        return inner

    def escape(self) -> tuple[int, list[int]]:
        char = self.peek()
        if not char:
            raise self.fail("trailing backslash at end of expression")
        if char in "bBAz":
            self.at += 1
            state = self.add(_State(assertion=char))
            return state, [state]
        return self.single(self.escaped())

    def escaped(self) -> Test:
        char = self.peek()
        self.at += 1
        if char in _CLASSES:
            return _CLASSES[char]
        return self.literal(self.escaped_char(char))

    def escaped_char(self, char: str) -> str:
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            match = re.compile(r"[0-9a-fA-F]{2}|\{[0-9a-fA-F]{1,6}\}").match(self.text, self.at)
            if match is None or int(match[0].strip("{}"), 16) > 0x10FFFF:
                raise self.fail("invalid escape sequence")
            self.at = match.end()
            return chr(int(match[0].strip("{}"), 16))
        if char.isalnum() or not char:
            raise self.fail("invalid escape sequence")
        return char

    def char_class(self) -> Test:
        negated = self.peek() == "^"
        self.at += negated
        tests: list[Test] = []
        first = True
        while True:
            char = self.peek()
            if not char:
                raise self.fail("missing closing ]")
            if char == "]" and not first:
                self.at += 1
                break
            first = False
            named = re.compile(r"\[:(\^?)(\w+):\]").match(self.text, self.at)
            if named and named[2] in _POSIX:
                self.at = named.end()
                tests.append(_negate(_POSIX[named[2]]) if named[1] else _POSIX[named[2]])
                continue
            self.at += 1
            if char == "\\":
                follow = self.peek()
                self.at += 1
                if follow in _CLASSES and follow:
                    tests.append(_CLASSES[follow])
                    continue
                char = self.escaped_char(follow)
            tests.append(self.span(char))
        return (lambda c: not any(t(c) for t in tests)) if negated else (lambda c: any(t(c) for t in tests))

    def span(self, low: str) -> Test:
        """One character of a class, or a range that starts with it."""
        if self.peek() != "-" or self.text[self.at + 1 : self.at + 2] in ("", "]"):
            return self.literal(low)
        self.at += 1
        high = self.peek()
        self.at += 1
        if high == "\\":
            follow = self.peek()
            self.at += 1
            high = self.escaped_char(follow)
        if high < low:
            raise self.fail("invalid character class range")
        if self.fold:
            return lambda c: low <= c.lower() <= high or low <= c.upper() <= high
        return lambda c: low <= c <= high


def _negate(test: Test) -> Test:
    return lambda c: not test(c)


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


_CLASSES: dict[str, Test] = {
    "d": lambda c: "0" <= c <= "9",
    "D": lambda c: not "0" <= c <= "9",
    "w": _is_word,
    "W": lambda c: not _is_word(c),
    "s": lambda c: c in " \t\n\f\r",
    "S": lambda c: c not in " \t\n\f\r",
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_POSIX: dict[str, Test] = {
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "digit": _CLASSES["d"],
    "lower": lambda c: "a" <= c <= "z",
    "upper": lambda c: "A" <= c <= "Z",
    "space": lambda c: c in " \t\n\v\f\r",
    "punct": lambda c: c.isascii() and c.isprintable() and not c.isalnum() and c != " ",
    "word": _is_word,
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
}


class Pattern:
    """A compiled pattern."""

    def __init__(self, read: _Compiler, start: int, ends: list[int]) -> None:
        self._states = read.states
        self._start = start
        self._ends = frozenset(ends)
        self._freedoms = tuple(read.freedoms)
        self._nested = read.nested

    @property
    def backtracks(self) -> bool:
        """Whether a matcher that goes back may take more than a small power of the text's length."""
        return self._nested or self._freedoms.count(None) > MAX_OPEN

    def backtracking(self, size: int) -> int:
        """The most steps a matcher that goes back takes on a text of `size` characters, unless `backtracks`."""
        steps = size + 1
        for freedom in self._freedoms:
            steps = min(steps * (size + 1 if freedom is None else min(freedom, size + 1)), MAX_BACKTRACKING + 1)
        return steps

    def search(self, text: str) -> bool:
        """Whether the pattern matches anywhere in the text.

        Raises:
            LimitError: pattern and text together take too long.
        """
        return self.looked(text)[0]

    def looked(self, text: str) -> tuple[bool, int]:
        """Whether the pattern matches anywhere in the text, and how many states were followed to know it.

        Raises:
            LimitError: as `search`.
        """
        current: set[int] = set()
        budget = MAX_STEPS
        size = len(text)
        for at in range(size + 1):
            current.add(self._start)
            reached = self._follow(current, text, at)
            budget -= len(reached) + 1
            if budget < 0:
                raise LimitError(f"matching the pattern takes more than {MAX_STEPS} steps")
            if any(state in self._ends and self._states[state].test is None for state in reached):
                return True, MAX_STEPS - budget
            if at == size:
                break
            char = text[at]
            current = set()
            for state in reached:
                found = self._states[state]
                if found.test is not None and found.test(char):
                    if state in self._ends:
                        return True, MAX_STEPS - budget
                    current.update(found.next)
        return False, MAX_STEPS - budget

    def _follow(self, states: set[int], text: str, at: int) -> set[int]:
        """All states that are reached without a character."""
        seen: set[int] = set()
        stack = list(states)
        while stack:
            state = stack.pop()
            if state in seen:
                continue
            found = self._states[state]
            if found.assertion and not _holds(found.assertion, text, at):
                continue
            seen.add(state)
            if found.test is None:
                stack.extend(found.next)
        return seen


def _holds(assertion: str, text: str, at: int) -> bool:
    if assertion in ("^", "A"):
        return at == 0
    if assertion in ("$", "z"):
        return at == len(text)
    if assertion == "^m":
        return at == 0 or text[at - 1] == "\n"
    if assertion == "$m":
        return at == len(text) or text[at] == "\n"
    before = at > 0 and _is_word(text[at - 1])
    after = at < len(text) and _is_word(text[at])
    return (before != after) is (assertion == "b")


@lru_cache(maxsize=512)
def compile(pattern: str) -> Pattern:
    """Read a pattern.

    Raises:
        LanguageError: it is none, or needs what is not there (backreferences, lookaround).
        LimitError: it is too long or too large.
    """
    if len(pattern) > MAX_PATTERN:
        raise LimitError(f"a pattern of {len(pattern)} characters; at most {MAX_PATTERN} are matched")
    compiler = _Compiler(pattern)
    start, ends = compiler.alternation()
    if compiler.at < len(pattern):
        raise compiler.fail("unexpected )")
    return Pattern(compiler, start, ends)


def compile_backtracking(pattern: str, size: int = 0) -> re.Pattern[str]:
    """A pattern for finding and replacing in a text of `size` characters, by Python's matcher: only shapes whose work
    cannot explode there.

    Raises:
        LanguageError: it is none.
        LimitError: it repeats in a way that may take very long.
    """
    read = compile(pattern)
    if read.backtracks:
        raise LimitError(
            f"the pattern '{pattern}' repeats too much to be replaced with; use at most two * or +, not nested"
        )
    if read.backtracking(size) > MAX_BACKTRACKING:
        raise LimitError(
            f"the pattern '{pattern}' leaves too many ways to match {size} characters; use fewer of *, +, ? and |, "
            "or a shorter text"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise LanguageError(f"error parsing regexp: {error}") from None
