"""Every sentence the platform can say to a person has its words in Chinese (`fubini/common/words/zh.json`).

Read from the source: titles of errors, every `say(...)`, every plain text given to an error, a finding, or a table of
sentences. A new one without words fails here, and so does a fact put into a sentence by an f-string, which could not be
told in another language: write ``say("There is no user {name!r}.", name=name)``, then add the English text and its
Chinese to the catalogue. How many there are: `pytest -s` on this file prints it.
"""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fubini.common.saying import CHINESE, catalogue
from fubini.manifests.field_help import FIELD_HELP
from fubini_scheduler.reasons import QUOTA_SENTENCES, SENTENCES

ROOT = Path(__file__).resolve().parents[2] / "platform" / "fubini"
# Not the platform's sentences: Argo's own words, which its clients compare, what is said to an administrator's terminal,
# and the languages inside a manifest, whose errors are quoted in findings.
OTHERS = ("engines", "supervisor", "cli", "language", "migrations", "settings")
TOLD_BY_CLI = "cli/lint/"
OF_SCHEDULES = "language/schedules.py"  # whose faults stand under the line that somebody writes
TABLES = frozenset({"_NEXT_STEP", "NEXT_STEPS", "_WHO", "_DECIDED", "_CAUSES", "ENDED", "ASK", "_REFUSED"})
FINDS = frozenset({"error", "warn", "add", "_add", "_finding", "Finding"})
SENTENCE_OF_A_FINDING = frozenset({"message", "help", "help_text", "allowed"})
SENTENCE_OF_AN_ENTRY = frozenset({"detail", "next_step", "allowed"})
# Facts that are words of their own: roles, states, objectives, causes, what is short, who may.
WORDS = """viewer member maintainer owner pending running succeeded failed error queued blocked placed cancelled leased
    staging submitted finishing preempted lost fastest cheapest balanced interactive normal opportunistic cpu memory disk
    user oom walltime node site data image platform none free Pending Running Succeeded Skipped Failed Error Omitted
    command script variables outputs"""
PHRASES = (
    "running tasks", "working directory", "use of secrets",
    "the project", "an administrator", "an owner of the project", "an owner of the site or an administrator",
)  # fmt: skip


@cache
def sources() -> dict[str, ast.Module]:
    found = {p.relative_to(ROOT).as_posix(): p for p in sorted(ROOT.rglob("*.py"))}
    ours = {
        name: p for name, p in found.items() if not set(name.split("/")) & set(OTHERS) or name.startswith(TOLD_BY_CLI) or name == OF_SCHEDULES
    }
    return {name: ast.parse(p.read_text()) for name, p in ours.items()}


@cache
def errors() -> frozenset[str]:
    """The names of `FubiniError` and all that come from it."""
    bases = {
        node.name: {b.id for b in node.bases if isinstance(b, ast.Name)}
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"FubiniError"}
    while more := {name for name, of in bases.items() if of & known} - known:
        known |= more
    return frozenset(known)


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def texts(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression for a sentence may come to, as far as it is written there."""
    if isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from texts(value)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from texts(node.left)
        yield from texts(node.right)
    else:
        yield node


def given(tree: ast.Module, findings: bool) -> Iterator[ast.expr]:
    """Every expression that stands where a sentence is wanted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = getattr(target, "id", "")
            if name in TABLES and node.value is not None:
                yield from node.value.values if isinstance(node.value, ast.Dict) else [node.value]
        elif isinstance(node, ast.Call):
            name = called(node)
            if name in errors():
                yield from node.args
                yield from (k.value for k in node.keywords if k.arg == "next_step")
                for entries in (k.value for k in node.keywords if k.arg == "errors"):
                    for entry in (d for d in ast.walk(entries) if isinstance(d, ast.Dict)):
                        for key, value in zip(entry.keys, entry.values, strict=True):
                            if isinstance(key, ast.Constant) and key.value in SENTENCE_OF_AN_ENTRY:
                                yield value
            elif name in ("say", "ours", "together", "Known"):
                yield from node.args if name in ("together", "Known") else node.args[:1]
            elif name == "ValidationError":
                yield from node.args
            elif findings and name in FINDS:
                yield from (a for a in node.args if is_sentence(a))
                yield from (k.value for k in node.keywords if k.arg in SENTENCE_OF_A_FINDING)


def is_sentence(node: ast.expr) -> bool:
    """Among a finding's arguments there are codes and paths, too; a sentence has words and an end."""
    return any(
        isinstance(t, ast.JoinedStr) or (isinstance(t, ast.Constant) and str(t.value).rstrip().endswith((".", "?")))
        for t in texts(node)
    )


@cache
def said() -> dict[str, str]:
    """Every sentence and where it first stands."""
    found: dict[str, str] = {}
    for file, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name in errors():
                for line in node.body:
                    target = getattr(line, "target", None) or next(iter(getattr(line, "targets", [])), None)
                    value = getattr(line, "value", None)
                    if getattr(target, "id", "") == "title" and isinstance(value, ast.Constant):
                        found.setdefault(str(value.value), f"{file}:{line.lineno}")
        for expression in given(tree, file.startswith(("manifests/", "pipelines/"))):
            for text in texts(expression):
                if (
                    isinstance(text, ast.Constant)
                    and isinstance(text.value, str)
                    and re.search("[A-Za-z]{2}", text.value)
                ):
                    found.setdefault(text.value, f"{file}:{text.lineno}")
    for sentence in (*SENTENCES.values(), *QUOTA_SENTENCES.values()):
        found.setdefault(sentence, "fubini_scheduler/reasons.py")
    for sentence in FIELD_HELP.values():
        found.setdefault(sentence, "manifests/field_help.py")
    for word in (*WORDS.split(), *PHRASES):
        found.setdefault(word, "a fact that is a word of its own")
    return found


def facts(template: str) -> set[str]:
    try:
        return {
            name + (f"!{c}" if c else "") + (f":{spec}" if spec else "")
            for _, name, spec, c in string.Formatter().parse(template)
            if name
        }
    except ValueError:
        return set()


def test_every_sentence_has_its_chinese() -> None:
    words = catalogue(CHINESE)
    missing = {text: at for text, at in said().items() if text not in words}
    print(f"\n{len(said())} sentences, {len(said()) - len(missing)} of them in Chinese; {len(errors())} kinds of error")
    lines = [f"{at}: {json.dumps(text, ensure_ascii=False)}" for text, at in missing.items()]
    assert not missing, "add the Chinese of these to platform/fubini/common/words/zh.json:\n" + "\n".join(lines)


def test_no_sentence_has_facts_that_only_english_can_tell() -> None:
    bad = [
        f"{file}:{text.lineno}: {ast.unparse(text)[:120]}"
        for file, tree in sources().items()
        for expression in given(tree, file.startswith(("manifests/", "pipelines/")))
        for text in texts(expression)
        if isinstance(text, ast.JoinedStr)
    ]
    assert not bad, 'write say("... {name!r} ...", name=name) instead of an f-string:\n' + "\n".join(bad)


def test_the_catalogue_says_the_same_facts_and_nothing_that_nobody_says() -> None:
    words = catalogue(CHINESE)
    stale = sorted(set(words) - set(said()))
    assert not stale, "nobody says these any more; take them out of zh.json"
    differ = {english: chinese for english, chinese in words.items() if facts(english) != facts(chinese)}
    assert not differ, "the Chinese has other facts in braces than the English"
    plain = {english for english, chinese in words.items() if not re.search("[\u4e00-\u9fff]", chinese)}
    assert not {text for text in plain if re.search("[A-Za-z]{4} [a-z]", text)}, "this is not Chinese"
    assert list(words) == sorted(words), "keep zh.json in the order of its English texts"
