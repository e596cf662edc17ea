"""The page of all commands is the program's, and no page names a command or an option that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from tools.commands_page import PAGE, commands, page

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
#: Commands that hand their words on to another one: `fubini share RUN` is `fubini share make RUN`.
HANDED_ON = {("share",): ("share", "make")}


def test_the_page_of_all_commands_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/commands.md is old; run: make commands-page"


def test_no_page_names_a_command_or_option_that_there_is_not() -> None:
    known = {path: {o for p in c.params for o in (*p.opts, *p.secondary_opts)} for path, c in commands().items()}
    everywhere = known[()] | {"--help"}
    wrong, seen = [], 0
    for file in PAGES:
        for said in re.findall(r"`fubini ([a-z][^`]*)`|^ {4}(?:\S*/)?fubini ([a-z].*)$", file.read_text(encoding="utf-8"), re.M):
            words = re.split(r"[#;]", "".join(said))[0].split()
            path: tuple[str, ...] = ()
            while words and (*path, words[0]) in known:
                path = (*path, words.pop(0))
            seen += 1
            if not path:
                wrong.append(f"{file.name}: there is no command `fubini {words[0]}`")
            allowed = known[path] | known.get(HANDED_ON.get(path, path), set()) | everywhere
            for word in words:
                option = re.match(r"--[a-z][a-z-]*", word)
                if option and option.group() not in allowed:
                    wrong.append(f"{file.name}: `fubini {' '.join(path)}` has no {option.group()}")
    assert not wrong
    assert seen > 50
