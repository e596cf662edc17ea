#!/usr/bin/env python3
"""Write docs/commands.md: every command of `fubini` with its first sentence and its options, from the program itself.

Run by `make commands-page`; a contract test fails where the page is old, or a page names a command or option that is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.main import get_command

from fubini.cli.main import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
HEAD = """# Every command

Made by `make commands-page` from the program; `fubini COMMAND --help` says the same with each option's meaning. What they are for is told
by the pages for [scientists](scientist.md), [site owners](site-owner.md) and [administrators](administrator.md). All take `--url`,
`--project`, `--profile`, `--home`, `--json`, `--quiet` and `--request-timeout`.

| command | what it does | options |
|---|---|---|
"""


def commands() -> dict[tuple[str, ...], Any]:
    """Path -> command, of every command and group."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        found[path] = command
        for name, below in getattr(command, "commands", {}).items():
            walk(below, (*path, name))

    walk(get_command(app), ())
    return found


def options_of(command: Any) -> list[str]:
    """The long options of a command, or the short one where there is no other."""
    return [max(p.opts, key=len) for p in command.params if p.opts[0].startswith("-")]


def page() -> str:
    rows = []
    for path, command in sorted(commands().items()):
        if getattr(command, "commands", None) or command.hidden:
            continue
        words = [p.metavar or p.name.upper() for p in command.params if not p.opts[0].startswith("-")]
        usage = " ".join(["fubini", *path, *words]).replace("|", "\\|")
        said = (command.help or "").strip().split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        rows.append(f"| `{usage}` | {said} | {' '.join(f'`{o}`' for o in options_of(command))} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
