"""`{{=expression}}`: the expr-lang language as Argo's manifests use it, with Argo's additions and sprig's functions.

`parse` turns text into a bounded syntax tree, `identifiers` lists what it refers to, `compile_check` finds what
expr-lang refuses before it runs (unknown names, mismatched operand types), `evaluate` walks the tree over a scope.
Our own because no Python port of expr-lang exists and CEL, the nearest kept library, is another language.
Pure: no clock (`now()` is the scope's), no I/O, no `eval`; length, depth, steps and result sizes are bounded.
"""

from __future__ import annotations

from fubini.language.expr.checks import compile_check, identifiers
from fubini.language.expr.evaluate import evaluate, evaluate_bool
from fubini.language.expr.parser import parse

__all__ = ["compile_check", "evaluate", "evaluate_bool", "identifiers", "parse"]
