"""Hostile manifests: mutations of good ones, and texts made to hurt a YAML reader.

Oracle: no exception; at most a second of CPU and 200 MB each; every error has line, column and field path, and says
what was found, what is allowed and what to do next; never more than the cap of findings; the same text, the same answer.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from fubini.manifests.check import check_manifest
from fubini.manifests.findings import MAX_FINDINGS, Report
from fubini.manifests.load import MAX_TEXT_BYTES
from fubini.manifests.supported import SupportedFields
from tests.fuzz.common import FuzzResult, deadline, main, measured

NAME = "manifests"
MAX_CPU_S = 1.0
MAX_WALL_S = 20.0
MAX_MEMORY_BYTES = 200 * 1024 * 1024
SUPPORTED = SupportedFields(
    {
        "spec.entrypoint",
        "spec.arguments.**",
        "spec.onExit",
        "spec.templates[].name",
        "spec.templates[].inputs.**",
        "spec.templates[].outputs.**",
        "spec.templates[].container.**",
        "spec.templates[].script.**",
        "spec.templates[].steps.**",
        "spec.templates[].dag.**",
        "spec.templates[].retryStrategy.**",
    }
)
GOOD = sorted(Path(__file__).with_name("manifests_good").glob("*.yaml"))

_WORDS = (
    "yes", "no", "on", "off", "y", "n", "Null", "~", "", "010", "0o17", "0x1F", "0b11", "1_000", "1e999", "-1e999",
    ".nan", ".inf", "-.Inf", "1:30", "12e03", "0.1", "-0", "+1", "18446744073709551616", "9" * 400, "2026-11-23",
    "=", "<<", "!!str x", "!!binary aGk=", "!!python/object/apply:os.system [id]", "! x", "*missing", "&a x", "|", ">",
    "{}", "[]", "[[]]", "{a: {}}", "'", '"', "`", "@", "%", "#", "- x", "? x", ": x", "true", "false", "null", "-5",
    "{{", "}}", "{{}}", "{{item}}", "{{item.a}}", "{{inputs.parameters.x}}", "{{steps.a.outputs.result}}",
    "{{tasks.a.status}}", "{{=1}}", "{{= }}", "{{=)(}}", "{{workflow.parameters.{{workflow.name}}}}", "{{ {{ }} }}",
    "'{{workflow.name'", "a && b", "a.Succeeded || (", "!!", "1 +", "'a' == b", "../../etc/passwd", "a/b", "A" * 200,
    "ü", "北京", "\u202eabc", "\U0001f600", "$(id)", "; rm -rf /", "%s%n", "\\x00", "12345678901234567890123",
)  # fmt: skip
_TEXT_BITS = (
    "\t", "\ufeff", "\x00", "\x07", "\x1b[31m", "\x85", "\u2028", "\r", "\r\n", "\ud800", "\n---\n", "\n...\n", "%TAG ! x\n",
    "%YAML 1.2\n", "  ", " #", ": ", "- ", "? ", "{", "}", "[", "]", ",", "&a ", "*a ", "<<: *a\n", "!!map ", '"', "'", "|\n",
    ">-\n", "\\", "{{", "}}", "\u00a0",
)  # fmt: skip


def run(count: int, seed: int, first: int = 0) -> FuzzResult:
    """`count` inputs from number `first` on; the special ones have the lowest numbers."""
    result = FuzzResult(NAME, seed)
    started = time.monotonic()
    good = [(path.name, path.read_text()) for path in GOOD]
    library = [_document(text) for name, text in good if name in ("template-only.yaml", "cluster-template.yaml")]
    slowest, largest = (0.0, ""), (0, "")
    if first == 0:
        _judge(result, -1, "100 MB", "a" * 100_000_000, [], None)
    for index in range(first, first + count):
        source = random.Random(f"{seed}/{index}")
        label, text = _input(source, good, index)
        parameters = {"x": "1", "solver": "lu"} if source.random() < 0.1 else None
        cost = _judge(result, index, label, text, library if source.random() < 0.5 else [], parameters)
        slowest = max(slowest, (round(cost[0], 3), f"#{index} {label}"))
        largest = max(largest, (cost[1] // (1 << 20), f"#{index} {label}"))
    result.worst = {
        "most CPU": f"{slowest[0]} s ({slowest[1]})",
        "most memory": f"{largest[0]} MB more than before ({largest[1]})",
    }
    result.seconds = time.monotonic() - started
    return result


def _judge(
    result: FuzzResult, index: int, label: str, text: str | bytes, library: list[Any], parameters: dict[str, str] | None
) -> tuple[float, int]:
    result.inputs += 1
    where = f"#{index} ({label}), seed {result.seed}"
    report: Report | None = None
    with measured() as cost:
        try:
            with deadline(MAX_WALL_S):
                report = check_manifest(text, supported=SUPPORTED, library=library, parameters=parameters)
        except Exception:
            result.fail(f"{where}: raised {traceback.format_exc(limit=-4)}")
    if report is None:
        return cost.cpu_s, cost.memory_bytes
    if cost.cpu_s > MAX_CPU_S:
        with measured() as again:  # once more: a busy machine is no failure
            check_manifest(text, supported=SUPPORTED, library=library, parameters=parameters)
        cost.cpu_s = min(cost.cpu_s, again.cpu_s)
        if again.cpu_s > MAX_CPU_S:
            result.fail(f"{where}: took {again.cpu_s:.2f} s of CPU, {len(text):,} long")
    if cost.memory_bytes > MAX_MEMORY_BYTES:
        result.fail(f"{where}: took {cost.memory_bytes >> 20} MB, {len(text):,} long")
    result.outcomes["accepted" if report.ok else f"refused: {report.errors[0].code}"] += 1
    for problem in _problems(report):
        result.fail(f"{where}: {problem}")
    if index % 50 == 0 and len(text) < 100_000:
        again_report = check_manifest(text, supported=SUPPORTED, library=library, parameters=parameters)
        if again_report.findings != report.findings:
            result.fail(f"{where}: a second look gave another answer")
    return cost.cpu_s, cost.memory_bytes


def _problems(report: Report) -> list[str]:
    """What the report itself does wrong."""
    problems: list[str] = []
    if report.document is None and not report.errors:
        problems.append("no document and no error")
    if len(report.findings) > MAX_FINDINGS:
        problems.append(f"{len(report.findings)} findings")
    for finding in report.findings:
        shown = f"{finding.code} at {finding.path!r}"
        in_library = finding.path.startswith("library[")
        if not in_library and (finding.line < 1 or finding.column < 1):
            problems.append(f"{shown} has no line and column")
        if not finding.path or not finding.message:
            problems.append(f"{shown} has no path or message")
        if not (finding.found and finding.allowed and finding.help):
            problems.append(f"{shown} lacks found, allowed or next step: {finding}")
        if max(len(finding.message), len(finding.found), len(finding.allowed), len(finding.help)) > 4000:
            problems.append(f"{shown} is too long to read")
        if any(ord(c) < 32 for c in finding.message + finding.found + finding.allowed + finding.help + finding.path):
            problems.append(f"{shown} has control characters")
        if finding.kind == "unsupported" and not finding.message.startswith(finding.path):
            problems.append(f"{shown}: an unsupported field's message begins with its path")
    try:
        json.dumps([f.as_dict() for f in report.findings]).encode()
    except (TypeError, ValueError) as error:
        problems.append(f"findings are not JSON: {error}")
    return problems


# --- making inputs -----------------------------------------------------------------------------------------------


def _input(source: random.Random, good: list[tuple[str, str]], index: int) -> tuple[str, str | bytes]:
    if index < len(SPECIAL):
        name, make = SPECIAL[index]
        return name, make(source)
    if source.random() < 0.003:
        name, make = source.choice(SPECIAL)
        return name, make(source)
    name, text = source.choice(good)
    kind = source.random()
    if kind < 0.35:
        for _ in range(source.choice((1, 1, 2, 5))):
            text = source.choice(_TEXT_MUTATIONS)(source, text)
        if source.random() < 0.05:
            return f"bytes of {name}", _spoilt(source, text)
        return f"text of {name}", text
    document = _document(text)
    for _ in range(source.choice((1, 1, 2, 3, 8))):
        source.choice(_TREE_MUTATIONS)(source, document, good)
    try:
        if source.random() < 0.3:
            return f"tree of {name} as JSON", json.dumps(document)
        written = yaml.safe_dump(
            document, sort_keys=False, allow_unicode=True, default_flow_style=source.random() < 0.2
        )
    except (RecursionError, ValueError, yaml.YAMLError):
        return f"tree of {name} as text", repr(document)
    if kind > 0.9:
        written = source.choice(_TEXT_MUTATIONS)(source, written)
    return f"tree of {name}", written


def _document(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _spoilt(source: random.Random, text: str) -> bytes:
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(source.randrange(1, 4)):
        raw.insert(source.randrange(len(raw) + 1), source.choice((0x80, 0xC0, 0xFF, 0xFE, 0x00, 0xED)))
    return bytes(raw)


def _lines(source: random.Random, text: str) -> tuple[list[str], int]:
    lines = text.split("\n")
    return lines, source.randrange(len(lines))


def _drop_line(source: random.Random, text: str) -> str:
    lines, at = _lines(source, text)
    del lines[at]
    return "\n".join(lines)


def _double_line(source: random.Random, text: str) -> str:
    lines, at = _lines(source, text)
    lines.insert(at, lines[at])
    return "\n".join(lines)


def _swap_lines(source: random.Random, text: str) -> str:
    lines, at = _lines(source, text)
    other = source.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


def _indent(source: random.Random, text: str) -> str:
    lines, at = _lines(source, text)
    lines[at] = source.choice((" ", "  ", "\t", "")) + (lines[at].lstrip(" ") if source.random() < 0.3 else lines[at])
    return "\n".join(lines)


def _insert(source: random.Random, text: str) -> str:
    at = source.randrange(len(text) + 1)
    return text[:at] + source.choice(_TEXT_BITS) + text[at:]


def _cut(source: random.Random, text: str) -> str:
    return text[: source.randrange(len(text) + 1)]


def _value(source: random.Random, text: str) -> str:
    """Put a hostile word where a value stands."""
    places = list(re.finditer(r": +[^\n{\[]+", text))
    if not places:
        return text
    match = source.choice(places)
    return text[: match.start()] + ": " + source.choice(_WORDS) + text[match.end() :]


def _join(source: random.Random, text: str) -> str:
    return text + source.choice(("---\n", "\n---\n{}\n", "\n---\na: 1\n", "...\n")) + source.choice((text, ""))


_TEXT_MUTATIONS: tuple[Callable[[random.Random, str], str], ...] = (
    _drop_line, _double_line, _swap_lines, _indent, _insert, _insert, _cut, _value, _value, _value, _join,
)  # fmt: skip


def _spots(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    spots: list[tuple[Any, Any]] = []
    todo = [document]
    while todo and len(spots) < 5000:
        node = todo.pop()
        if isinstance(node, dict):
            spots.extend((node, key) for key in node)
            todo.extend(node.values())
        elif isinstance(node, list):
            spots.extend((node, key) for key in range(len(node)))
            todo.extend(node)
    return spots


Good = list[tuple[str, str]]


def _spot(source: random.Random, document: Any) -> tuple[Any, Any] | None:
    spots = _spots(document)
    return source.choice(spots) if spots else None


def _remove(source: random.Random, document: Any, good: Good) -> None:
    spot = _spot(source, document)
    if spot:
        del spot[0][spot[1]]


def _replace(source: random.Random, document: Any, good: Good) -> None:
    spot = _spot(source, document)
    if spot:
        values: tuple[Any, ...] = (
            None,
            True,
            0,
            -1,
            1.5,
            10**30,
            "",
            [],
            {},
            [None],
            {"": ""},
            [[]],
            source.choice(_WORDS),
        )
        spot[0][spot[1]] = source.choice(values)


def _reword(source: random.Random, document: Any, good: Good) -> None:
    spots = [(c, k) for c, k in _spots(document) if isinstance(c[k], str)]
    if spots:
        container, key = source.choice(spots)
        container[key] = source.choice((source.choice(_WORDS), container[key] + source.choice(_WORDS)))


def _rename(source: random.Random, document: Any, good: Good) -> None:
    spots = [(c, k) for c, k in _spots(document) if isinstance(c, dict)]
    if spots:
        container, key = source.choice(spots)
        renamed = str(key)
        change = source.random()
        if change < 0.3:
            renamed = renamed.capitalize()
        elif change < 0.6 and renamed:
            at = source.randrange(len(renamed))
            renamed = renamed[:at] + renamed[at + 1 :]
        else:
            renamed = source.choice(_WORDS)
        container[renamed] = container.pop(key)


def _repeat(source: random.Random, document: Any, good: Good) -> None:
    spots = [(c, k) for c, k in _spots(document) if isinstance(c[k], list) and c[k]]
    if spots:
        container, key = source.choice(spots)
        container[key] = container[key] + [source.choice(container[key])]


def _graft(source: random.Random, document: Any, good: Good) -> None:
    """A piece of another good manifest where it does not belong."""
    spot, other = _spot(source, document), _spot(source, _document(source.choice(good)[1]))
    if spot and other:
        spot[0][spot[1]] = other[0][other[1]]


def _retag(source: random.Random, document: Any, good: Good) -> None:
    """Point a variable somewhere else."""
    spots = [(c, k) for c, k in _spots(document) if isinstance(c[k], str) and "{{" in c[k]]
    if spots:
        container, key = source.choice(spots)
        container[key] = re.sub(r"\{\{([^}]*)\}\}", lambda m: _bent(source, m.group(1)), container[key])


def _bent(source: random.Random, words: str) -> str:
    parts = words.split(".")
    at = source.randrange(len(parts))
    parts[at] = source.choice((parts[at] + "x", "", "steps", "tasks", "inputs", "item", "outputs", "*", "parameters"))
    return "{{" + ".".join(parts) + "}}"


def _bury(source: random.Random, document: Any, good: Good) -> None:
    spot = _spot(source, document)
    if spot:
        value = spot[0][spot[1]]
        for _ in range(source.choice((1, 5, 70))):
            value = [value] if source.random() < 0.5 else {"a": value}
        spot[0][spot[1]] = value


_TREE_MUTATIONS: tuple[Callable[[random.Random, Any, Good], None], ...] = (
    _remove, _replace, _replace, _reword, _reword, _rename, _rename, _repeat, _graft, _retag, _retag, _bury,
)  # fmt: skip


# --- texts made to hurt ------------------------------------------------------------------------------------------

_HEAD = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  entrypoint: main\n  templates:\n"
)
_LEAF = "  - {name: leaf, container: {image: a}}\n"


def _bomb(source: random.Random) -> str:
    text = "a: &a [" + ",".join(["x"] * 10) + "]\n"
    for i in range(9):
        text += f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 10) + "]\n"
    return text


def _bomb_in_spec(source: random.Random) -> str:
    bomb = "  - &a {name: a, container: {image: x, args: [" + "lol," * 100 + "]}}\n" + "  - *a\n" * 3000
    return _HEAD + bomb


def _deep(opening: str, depth: int) -> Callable[[random.Random], str]:
    return lambda source: _HEAD + "  - " + opening * depth


def _giant(unit: str) -> Callable[[random.Random], str]:
    def make(source: random.Random) -> str:
        room = MAX_TEXT_BYTES - len(_HEAD) - 400
        return _HEAD + "  - name: main\n    container:\n      image: a\n      args:\n" + unit * (room // len(unit))

    return make


def _many_tasks(source: random.Random) -> str:
    tasks = "".join(f"      - {{name: t{i}, template: leaf, depends: t{i - 1}}}\n" for i in range(1, 11_000))
    return _HEAD + _LEAF + "  - name: main\n    dag:\n      tasks:\n      - {name: t0, template: leaf}\n" + tasks


def _many_templates(source: random.Random) -> str:
    chain = "".join(f"  - {{name: t{i}, steps: [[{{name: a, template: t{i + 1}}}]]}}\n" for i in range(3_500))
    return (
        _HEAD
        + "  - {name: main, steps: [[{name: a, template: t0}]]}\n"
        + chain
        + "  - {name: t3500, container: {image: a}}\n"
    )


def _dense(source: random.Random) -> str:
    tasks = "".join(
        f"      - {{name: t{i}, template: leaf, dependencies: [{','.join(f't{j}' for j in range(max(0, i - 90), i))}]}}\n"
        for i in range(1_300)
    )
    return _HEAD + _LEAF + "  - name: main\n    dag:\n      tasks:\n" + tasks


def _long_depends(source: random.Random) -> str:
    names = " && ".join(f"t{i % 500}" for i in range(150_000))
    tasks = "".join(f"      - {{name: t{i}, template: leaf}}\n" for i in range(500))
    return (
        _HEAD
        + _LEAF
        + f"  - name: main\n    dag:\n      tasks:\n{tasks}      - {{name: z, template: leaf, depends: '{names}'}}\n"
    )


def _inputs_by_steps(source: random.Random) -> str:
    inputs = ",".join(f"{{name: p{i}}}" for i in range(8_000))
    steps = "".join(f"    - - {{name: s{i}, template: leaf}}\n" for i in range(11_000))
    return (
        _HEAD
        + f"  - {{name: leaf, inputs: {{parameters: [{inputs}]}}, container: {{image: a}}}}\n  - name: main\n    steps:\n{steps}"
    )


def _nested_inline(source: random.Random) -> str:
    inner = "{container: {image: a}}"
    for i in range(12):
        inner = f"{{steps: [[{{name: s{i}, inline: {inner}}}]]}}"
    return _HEAD + f"  - {{name: main, steps: [[{{name: s, inline: {inner}}}]]}}\n"


def _one_step(more: str) -> str:
    return _HEAD + _LEAF + "  - name: main\n    steps: [[{name: a, template: leaf, " + more + "}]]\n"


def _odd_names(source: random.Random) -> str:
    return _HEAD + "  - {name: yes, container: {image: a}}\n  - {name: 1.0, container: {image: a}}\n"


def _deep_expression(source: random.Random) -> str:
    return _HEAD + "  - {name: main, container: {image: a}, retryStrategy: {expression: '" + "(" * 3000 + "'}}\n"


def _annotated(annotations: str, parameters: tuple[str, ...]) -> str:
    declared = ",".join(f"{{name: {p}}}" for p in parameters)
    head = _HEAD.replace("{name: w}", "{name: w, annotations: {" + annotations + "}}")
    return head.replace("  templates:\n", "  arguments: {parameters: [" + declared + "]}\n  templates:\n")


def _forms(source: random.Random) -> str:
    names = tuple(f"p{i}" for i in range(20_000))
    return _annotated(",".join(f"fubini.dev/input.{n}: '{{type: number}}'" for n in names), names)


SPECIAL: list[tuple[str, Callable[[random.Random], str | bytes]]] = [
    ("empty", lambda s: ""),
    ("white space", lambda s: " \n\t\n"),
    ("BOM alone", lambda s: "\ufeff"),
    ("BOM and hello", lambda s: "\ufeff" + (GOOD[0].read_text())),
    ("UTF-16", lambda s: GOOD[0].read_text().encode("utf-16")),
    ("NUL bytes", lambda s: b"\x00" * 1000),
    ("random bytes", lambda s: s.randbytes(5000)),
    ("a PNG's begin", lambda s: b"\x89PNG\r\n\x1a\n" + s.randbytes(100)),
    ("alias bomb", _bomb),
    ("alias bomb in spec", _bomb_in_spec),
    ("alias to itself", lambda s: _HEAD + "  - &a [*a]\n"),
    ("flow depth 10k", _deep("[", 10_000)),
    ("flow map depth 10k", _deep("{a: ", 10_000)),
    ("block depth 10k", _deep("- ", 10_000)),
    ("question marks 10k", _deep("? ", 10_000)),
    ("closed depth 10k", lambda s: _HEAD + "  - " + "[" * 10_000 + "]" * 10_000),
    ("JSON depth 100k", lambda s: "[" * 100_000 + "]" * 100_000),
    ("JSON object depth 100k", lambda s: '{"a":' * 100_000 + "1" + "}" * 100_000),
    ("two MiB of scalars", _giant("      - a\n")),
    ("two MiB of numbers", _giant("      - 1\n")),
    ("two MiB of variables", _giant("      - '{{workflow.name}}'\n")),
    ("two MiB of bad variables", _giant("      - '{{inputs.x}}'\n")),
    ("two MiB of expressions", _giant("      - '{{=a + 1}}'\n")),
    ("two MiB of maps", _giant("      - {a: b}\n")),
    ("two MiB of empty keys", _giant("      ? \n")),
    ("two MiB in one word", lambda s: _HEAD + "  - name: " + "x" * (MAX_TEXT_BYTES - 200)),
    ("two MiB of braces", lambda s: _HEAD + "  - {name: main, container: {image: a, args: ['" + "{{" * 900_000 + "']}}"),
    ("two MiB of comments", lambda s: "# x\n" * (MAX_TEXT_BYTES // 4)),
    ("two MiB of documents", lambda s: "---\n" * (MAX_TEXT_BYTES // 4)),
    ("two MiB of newlines", lambda s: "\n" * MAX_TEXT_BYTES),
    ("two MiB of spaces", lambda s: " " * MAX_TEXT_BYTES),
    ("over two MiB", lambda s: "a" * (MAX_TEXT_BYTES + 1)),
    ("over two MiB of UTF-8", lambda s: "ü" * (MAX_TEXT_BYTES // 2 + 1)),
    ("directives", lambda s: "".join(f"%TAG !a{i}! tag:x,{i}:\n" for i in range(50_000)) + "---\na: 1\n"),
    ("anchors", lambda s: "a: [" + ",".join(f"&a{i} x" for i in range(60_000)) + "]\n"),
    ("keys", lambda s: "\n".join(f"k{i}: v" for i in range(79_000))),
    ("unknown fields", lambda s: _HEAD.replace("  templates:\n", "") + "".join(f"  f{i}: 1\n" for i in range(70_000))),
    ("duplicate keys", lambda s: _HEAD + "  - {name: a, name: b}\n"),
    ("merges", lambda s: "a: &a {" + ",".join(f"k{i}: 1" for i in range(3000)) + "}\nb:\n" + "- {<<: *a}\n" * 50_000),
    ("a chain of 11,000 tasks", _many_tasks),
    ("a chain of 3,500 templates", _many_templates),
    ("a dense dag", _dense),
    ("a long depends", _long_depends),
    ("inputs by steps", _inputs_by_steps),
    ("inline in inline", _nested_inline),
    ("50,001 items", lambda s: _one_step("withItems: [" + "1," * 50_001 + "]")),
    ("plugin of two keys", lambda s: _HEAD + "  - {name: main, plugin: {a: {}, b: {}}}\n"),
    ("withItems as text", lambda s: _one_step("withItems: abc")),
    ("names that are booleans", _odd_names),
    ("a million in withParam", lambda s: _one_step("withParam: '[" + "1," * 900_000 + "1]'")),
    ("deep JSON in withParam", lambda s: _one_step("withParam: '" + "[" * 900_000 + "'")),
    ("a deep expression", _deep_expression),
    ("a deep condition", lambda s: _one_step("when: '" + "(" * 3000 + "'")),
    ("annotations of ours", lambda s: _annotated(",".join(f"fubini.dev/x{i}: a" for i in range(50_000)), ())),
    ("forms", _forms),
    ("a form with a bomb", lambda s: _annotated("fubini.dev/input.x: '{a: &a [x,x], b: [*a,*a]}'", ("x",))),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(run, 5_000))
