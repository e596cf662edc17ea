"""The core reads no clock, does no I/O and draws no random numbers outside the seeded simulator."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import fubini_scheduler

ROOT = Path(fubini_scheduler.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
ALLOWED = {"numpy", "fubini_scheduler"}
FORBIDDEN = {
    "time",
    "datetime",
    "os",
    "io",
    "pathlib",
    "socket",
    "subprocess",
    "threading",
    "asyncio",
    "logging",
    "secrets",
}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_only_what_is_pure(path: Path) -> None:
    found = imports_of(path)
    assert not found & FORBIDDEN
    assert all(name in ALLOWED or name in sys.stdlib_module_names for name in found)
    assert "random" not in found or path.parent.name == "simulator"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_opens_prints_and_evaluates_nothing(path: Path) -> None:
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input", "eval", "exec", "compile", "__import__"}


def test_the_package_is_typed() -> None:
    assert (ROOT / "py.typed").exists()
    assert len(MODULES) > 20
