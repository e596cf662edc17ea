"""Hostile texts for the four small languages: expr-lang, `when` (govaluate), tags, `depends`.

Grown from each language's grammar, bent, cut, and made to hurt. Oracle: a value or a `LanguageError` whose position is
in the text; at most a second of CPU and 200 MB each; the same text, the same answer; nothing outside of the scope is
reached (an environment variable with a canary never shows). Each also stands in a manifest where its language is
read: then every finding has its path, line, and what to do.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from fubini.language import depends, expr, gojson, govaluate, tags
from fubini.language.errors import LanguageError
from fubini.language.expr.builtins import ARGO
from fubini.language.expr.parser import PLAIN, PREDICATES
from fubini.language.expr.sprig import SPRIG
from fubini.manifests.check import check_manifest
from fubini.manifests.supported import SupportedFields
from tests.fuzz.common import FuzzResult, deadline, main, measured
from tests.fuzz.manifests import _problems

NAME = "expressions"
MAX_CPU_S = 1.0
MAX_WALL_S = 20.0  # then it hangs, however busy the machine is
MAX_MEMORY_BYTES = 200 * 1024 * 1024
CANARY = "canary-7f31c0de"
EVERYTHING = SupportedFields.everything()
NOW_MS = 1_800_000_000_000

SCOPE: dict[str, Any] = {
    **ARGO,
    "inputs": {"parameters": {"n": "3", "text": "a,b", "list": '[1, "a", {"k": null}]', "long": "x" * 50_000}},
    "steps": {"x-y": {"outputs": {"result": "[1,2,3]", "parameters": {"p": "v"}}, "status": "Succeeded"}},
    "tasks": {"a": {"status": "Failed", "exitCode": "1"}},
    "workflow": {"name": "w", "parameters": {"p": "1"}, "status": "Running"},
    "item": {"k": "v"},
    "retries": "2",
    "lastRetry": {"exitCode": "1", "status": "Failed", "duration": "3"},
}
FLAT: dict[str, Any] = {
    "inputs.parameters.n": "3",
    "inputs.parameters.which": "n",
    "inputs.parameters.nested": "{{inputs.parameters.n}}",
    "inputs.parameters.long": "x" * 50_000,
    "inputs.parameters.control": "a\x01b",
    "steps.x-y.outputs.result": "[1,2,3]",
    "steps.gone.outputs.result": None,
    "workflow.name": "w",
    "item": "{{item}}",
}


class _Names:
    """A scope of tags over `FLAT`."""

    def lookup(self, name: str) -> Any:
        return FLAT.get(name, tags.MISSING)

    def environment(self, text: str) -> Mapping[str, Any]:
        return {**tags.expand(FLAT), **ARGO}


NAMES = _Names()
RESULTS = {
    name: depends.TaskResults(**{word: True})
    for name, word in (
        ("a", "Succeeded"),
        ("b-c", "Failed"),
        ("t1", "Errored"),
        ("l", "AnySucceeded"),
        ("s", "Omitted"),
    )
}


# --- reading -----------------------------------------------------------------------------------------------------


def read_expr(text: str) -> Any:
    node = expr.parse(text)
    expr.identifiers(node)
    tags.words(text)
    expr.compile_check(node, SCOPE)
    return expr.evaluate(node, SCOPE, now_ms=NOW_MS)


def read_when(text: str) -> Any:
    return govaluate.should_execute(text)


def read_tags(text: str) -> Any:
    """Replaced as an engine does: again as long as something changes, a bounded number of times."""
    try:
        tags.parse(text)
    except LanguageError as error:
        _placed(error, text)
    for strict in (tags.never, tags.step_references):
        now = text
        for _ in range(4):
            try:
                after = tags.replace(now, NAMES, strict)
            except LanguageError as error:
                problem = _placed(error, now)
                assert not problem, problem
                raise LanguageError(error.message, error.position if now is text else None) from None
            if after == now:
                break
            now = after
    return now


def read_depends(text: str) -> Any:
    return depends.parse(text, {"b-c": depends.ContinueOn(failed=True)}).evaluate(RESULTS)


# language -> (reader, where it stands in a manifest)
LANGUAGES: dict[str, tuple[Callable[[str], Any], Callable[[str], dict[str, Any]]]] = {}


def _step(**fields: Any) -> dict[str, Any]:
    return {"steps": [[{"name": "a", "template": "leaf"}], [{"name": "b", "template": "leaf", **fields}]]}


def _in_expr(text: str) -> dict[str, Any]:
    return {"steps": [[{"name": "a", "template": "leaf"}]], "retryStrategy": {"limit": 1, "expression": text}}


def _in_tags(text: str) -> dict[str, Any]:
    return {"container": {"image": "a", "args": [text]}}


def _in_depends(text: str) -> dict[str, Any]:
    tasks = [{"name": name, "template": "leaf"} for name in ("a", "b-c", "t1")]
    return {"dag": {"tasks": [*tasks, {"name": "z", "template": "leaf", "depends": text}]}}


LANGUAGES.update(
    {
        "expr": (read_expr, _in_expr),
        "when": (read_when, lambda text: _step(when=text)),
        "tags": (read_tags, _in_tags),
        "depends": (read_depends, _in_depends),
    }
)


def manifest_with(place: dict[str, Any]) -> str:
    """A manifest whose entry template is `place`."""
    leaf = {"name": "leaf", "container": {"image": "a"}}
    spec = {"entrypoint": "main", "templates": [{"name": "main", **place}, leaf]}
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}}
    return json.dumps({**head, "spec": spec})


# --- running -----------------------------------------------------------------------------------------------------


def run(count: int, seed: int, first: int = 0) -> FuzzResult:
    """`count` texts from number `first` on, the languages in turn; the ones made to hurt come first."""
    result = FuzzResult(NAME, seed)
    started = time.monotonic()
    os.environ["FUBINI_FUZZ_CANARY"] = CANARY
    slowest, largest = (0.0, ""), (0, "")
    names = list(LANGUAGES)
    for index in range(first, first + count):
        source = random.Random(f"{seed}/{index}")
        if index < len(HOSTILE):
            language, text = HOSTILE[index]
        else:
            language = names[index % len(names)]
            text = _text(source, language)
        where = f"#{index} ({language}: {text[:120]!r}), seed {seed}"
        cpu_s, memory = _judge(result, language, text, where, twice=index % 20 == 0)
        slowest = max(slowest, (round(cpu_s, 3), where))
        largest = max(largest, (memory >> 20, where))
    result.worst = {
        "most CPU": f"{slowest[0]} s ({slowest[1]})",
        "most memory": f"{largest[0]} MB more than before ({largest[1]})",
    }
    result.seconds = time.monotonic() - started
    return result


def _judge(result: FuzzResult, language: str, text: str, where: str, *, twice: bool) -> tuple[float, int]:
    result.inputs += 1
    read, place = LANGUAGES[language]
    with measured() as cost:
        outcome, answer = _outcome(result, read, text, where)
    if cost.cpu_s > MAX_CPU_S:
        with measured() as again:  # once more: a busy machine is no failure
            _outcome(result, read, text, where)
        if again.cpu_s > MAX_CPU_S:
            result.fail(f"{where}: took {again.cpu_s:.2f} s of CPU, {len(text):,} long")
    if cost.memory_bytes > MAX_MEMORY_BYTES:
        result.fail(f"{where}: took {cost.memory_bytes >> 20} MB, {len(text):,} long")
    result.outcomes[f"{language}: {outcome}"] += 1
    if CANARY in answer and CANARY not in text:
        result.fail(f"{where}: reached the environment: {answer[:200]}")
    if twice and _outcome(result, read, text, where) != (outcome, answer):
        result.fail(f"{where}: a second look gave another answer")
    _in_manifest(result, place(text), where)
    return cost.cpu_s, cost.memory_bytes


def _outcome(result: FuzzResult, read: Callable[[str], Any], text: str, where: str) -> tuple[str, str]:
    """(what came of it, its answer as text)."""
    try:
        with deadline(MAX_WALL_S):
            value = read(text)
    except LanguageError as error:
        problem = _placed(error, text)
        if problem:
            result.fail(f"{where}: {problem}")
        return "refused", f"{error.message} at {error.position}"
    except Exception:
        result.fail(f"{where}: raised {traceback.format_exc(limit=-4)}")
        return "raised", ""
    return "read", _shown(value)


def _placed(error: LanguageError, text: str) -> str:
    """What is wrong with an error itself; "" when nothing is."""
    if not error.message:
        return "an error without words"
    if error.position is not None and not 0 <= error.position <= len(text):
        return f"an error at {error.position} in a text of {len(text)}"
    error.located(text)
    return ""


def _shown(value: Any) -> str:
    try:
        return gojson.dumps(value)
    except (LanguageError, TypeError, ValueError):
        return repr(value)[:10_000]


def _in_manifest(result: FuzzResult, place: dict[str, Any], where: str) -> None:
    with measured() as cost:
        try:
            with deadline(MAX_WALL_S):
                report = check_manifest(manifest_with(place), supported=EVERYTHING)
        except Exception:
            result.fail(f"{where}: the check raised {traceback.format_exc(limit=-4)}")
            return
    if cost.cpu_s > MAX_CPU_S:
        result.fail(f"{where}: the check took {cost.cpu_s:.2f} s of CPU")
    for problem in _problems(report):
        result.fail(f"{where}: {problem}")


# --- making texts ------------------------------------------------------------------------------------------------

_LEAVES = (
    "1", "0", "-1", "2.5", "1e3", "0x1F", "9223372036854775807", "9223372036854775808", "1e999", "'a'", '"b"', "`c`", "''",
    "'\\u0041'", "nil", "true", "false", "[]", "{}", "[1, 2, 3]", "{'k': 1, 'l': [2]}", "inputs.parameters.n",
    "inputs.parameters['text']", "inputs.parameters.list", "inputs.parameters.long", "steps['x-y'].outputs.result", "tasks.a.status",
    "item", "item.k", "retries", "lastRetry.exitCode", "workflow.parameters", "nobody", "inputs?.nothing?.more", "#", "#.k", ".k",
    "#acc", "#index", "$env", "env", "os", "__class__", "sprig", "$", "1..5", "now()", "asInt",
)  # fmt: skip
_BINARY = (
    "+", "-", "*", "/", "%", "**", "^", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "and", "or", "??", "..", "in", "not in",
    "matches", "contains", "startsWith", "endsWith", "|",
)  # fmt: skip
_FUNCTIONS = (*sorted(PLAIN), "asInt", "asFloat", "jsonpath", "toJson")
_SPRIG = (*sorted(SPRIG), "env", "expandenv", "genPrivateKey", "getHostByName", "now", "uuidv4", "randAlpha")


def _expression(source: random.Random, depth: int = 0) -> str:
    if depth > 4 or source.random() < 0.25:
        return source.choice(_LEAVES)
    below = depth + 1
    kind = source.randrange(14)
    a = _expression(source, below)
    if kind < 5:
        return f"{a} {source.choice(_BINARY)} {_expression(source, below)}"
    if kind == 5:
        return f"{source.choice(('-', '!', 'not ', '+'))}{a}"
    if kind == 6:
        return f"({a})"
    if kind == 7:
        return f"{a} ? {_expression(source, below)} : {_expression(source, below)}"
    if kind == 8:
        return f"{source.choice(sorted(PREDICATES))}({a}, {{{_expression(source, below)}}})"
    if kind == 9:
        more = "".join(f", {_expression(source, below)}" for _ in range(source.randrange(3)))
        return f"{source.choice(_FUNCTIONS)}({a}{more})"
    if kind == 10:
        more = "".join(f", {_expression(source, below)}" for _ in range(source.randrange(4)))
        return f"sprig.{source.choice(_SPRIG)}({a}{more})"
    if kind == 11:
        return f"{a}[{_expression(source, below)}{source.choice(('', ':', ':2', ', 1'))}]"
    if kind == 12:
        return f"let v = {a}; {_expression(source, below)}"
    return f"[{a}, {_expression(source, below)}]"


_WHEN_LEAVES = (
    "1", "0", "-2", "2.5", "1e5", "0x1F", "a", "heads", "a-b", "'a'", '"b c"', "'2020-01-31'", '"2020-01-31T10:00:00Z"', "true",
    "false", "nil", "(a, b, 3)", "()", "[a b]", "a.b", "f(1)", "'[0-9]+'", "'('", "{{item}}", "\\'", "ü", "1 2", "''", "''x''",
)  # fmt: skip
_WHEN_BINARY = (
    "==", "!=", "<", ">", "<=", ">=", "=~", "!~", "&&", "||", "+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "in", "IN",
    "?", ":", "??", ",",
)  # fmt: skip


def _condition(source: random.Random, depth: int = 0) -> str:
    if depth > 4 or source.random() < 0.3:
        return source.choice(_WHEN_LEAVES)
    a, b = _condition(source, depth + 1), _condition(source, depth + 1)
    kind = source.randrange(6)
    if kind == 0:
        return f"({a})"
    if kind == 1:
        return f"{source.choice('-!~')}{a}"
    if kind == 2:
        return f"{a} ? {b} : {_condition(source, depth + 1)}"
    return f"{a} {source.choice(_WHEN_BINARY)} {b}"


_TAG_BITS = (
    "text ", "{{", "}}", "{", "}", "{{item}}", "{{ item }}", "{{inputs.parameters.n}}", "{{inputs.parameters.nested}}",
    "{{inputs.parameters.{{inputs.parameters.which}}}}", "{{steps.gone.outputs.result}}", "{{steps.x-y.outputs.result}}",
    "{{steps.none.outputs.result}}", "{{nobody}}", "{{}}", "{{=}}", "{{=1}}", "{{=nobody}}", "{{='{{'}}", "{{='}}'}}", "\n", "\\", '"',
    "'", "{{inputs.parameters.long}}", "{{inputs.parameters.control}}", "\u202e", "\x00", "{{workflow.name", "{{=inputs.parameters.n",
)  # fmt: skip


def _tagged(source: random.Random) -> str:
    bits = [
        "{{=" + _expression(source, 2) + "}}" if source.random() < 0.3 else source.choice(_TAG_BITS)
        for _ in range(source.randrange(1, 9))
    ]
    return "".join(bits)


_DEPENDS_LEAVES = (
    "a", "b-c", "t1", "l", "s", "nobody", "a.Succeeded", "b-c.Failed", "t1.Errored", "l.AnySucceeded", "l.AllFailed", "s.Omitted",
    "a.Skipped", "a.Daemoned", "a.Done", "a.succeeded", "a.", ".Failed", "1", "9x", "true", "'a'", "a.b.c", "ü", "-a", "a-",
)  # fmt: skip


def _dependency(source: random.Random, depth: int = 0) -> str:
    if depth > 5 or source.random() < 0.3:
        return source.choice(_DEPENDS_LEAVES)
    a = _dependency(source, depth + 1)
    kind = source.randrange(5)
    if kind == 0:
        return f"!{a}"
    if kind == 1:
        return f"({a})"
    return f"{a} {source.choice(('&&', '||', '&&', '||', '==', '&', '|', 'and', '!=', ''))} {_dependency(source, depth + 1)}"


_GROW: dict[str, Callable[[random.Random], str]] = {
    "expr": _expression,
    "when": _condition,
    "tags": _tagged,
    "depends": _dependency,
}
_BITS = (
    "(", ")", "[", "]", "{", "}", "'", '"', "`", "\\", "#", ".", "..", "?", ":", ";", ",", "|", "&", "!", "=", "~", "$", "@", "%", "/*",
    "*/", "//", "\n", "\t", "\x00", "\u2028", "\ud800", "\U0001f600", "{{", "}}", "{{=", "let ", "9" * 400, "0x", "1e", "''", " ",
)  # fmt: skip


def _text(source: random.Random, language: str) -> str:
    text = _GROW[language](source)
    kind = source.random()
    if kind < 0.45:
        return text
    for _ in range(source.choice((1, 1, 2, 4))):
        at = source.randrange(len(text) + 1)
        change = source.randrange(5)
        if change == 0:
            text = text[:at] + source.choice(_BITS) + text[at:]
        elif change == 1:
            text = text[:at] + text[at + 1 + source.randrange(3) :]
        elif change == 2:
            end = source.randrange(at, len(text) + 1)
            text = text[:at] + text[at:end] * source.choice((2, 3, 20)) + text[end:]
        elif change == 3:
            text = text[:at]
        else:
            text = source.choice(("(", "!", "-", "[", "{{", "not ")) * source.choice((1, 10, 200)) + text
    return text[:20_000]


# --- texts made to hurt ------------------------------------------------------------------------------------------

_REGEX = "'" + "a" * 40 + "!'"
HOSTILE: list[tuple[str, str]] = [
    *(("expr", text) for text in (
        "", " ", "1..1000000000", "map(1..90000, {map(1..90000, {#})})", "repeat('x', 100000000)", "sprig.repeat(100000000, 'x')",
        "reduce(1..100, #acc + #acc, 'aaaaaaaaaaaaaaaa')", "reduce(1..100, concat(#acc, #acc), [1])", "2 ** 2 ** 2 ** 2 ** 2 ** 2",
        "9 ** 9 ** 9 ** 9", "1e308 * 10", "-(-9223372036854775808)", "9223372036854775807 + 1", "bitshl(1, 1000000)", "1 % 0",
        "(" * 30_000, "(" * 3_000 + "1" + ")" * 3_000, "[" * 30_000, "!" * 30_000 + "true", "-" * 30_000 + "1", "1" + "+1" * 30_000,
        "a" + ".a" * 30_000, "a" + "[0]" * 20_000, "true" + " ? true : true" * 4_000, "let a = 1; " * 3_000 + "a", "'" + "x" * 60_000 + "'",
        "{" + ",".join(f"'k{i}': 1" for i in range(6_000)) + "}", f"{_REGEX} matches '^(a+)+$'", f"{_REGEX} matches '(a|aa)+$'",
        "inputs.parameters.long matches '(x*)*y'", "sprig.regexFindAll('(x+x+)+y', inputs.parameters.long, -1)",
        "split(inputs.parameters.long, '')", "replace(inputs.parameters.long, 'x', inputs.parameters.long)",
        "sprig.replace('x', inputs.parameters.long, inputs.parameters.long)", "join(map(1..50000, {inputs.parameters.long}), '')",
        "toJSON(map(1..50000, {inputs.parameters.long}))", "sprig.until(100000000)", "sprig.untilStep(0, 100000000, 1)",
        "sprig.seq(1, 100000000)", "sprig.indent(100000000, 'a')", "sprig.nindent(100000000, 'a')", "sprig.wrap(1, inputs.parameters.long)",
        "sprig.trunc(-9223372036854775808, 'a')", "sprig.substr(0, 99999999999, 'a')", "sprig.env('FUBINI_FUZZ_CANARY')",
        "sprig.expandenv('$FUBINI_FUZZ_CANARY')", "env('FUBINI_FUZZ_CANARY')", "$env['FUBINI_FUZZ_CANARY']", "sprig.b64dec('////')",
        "fromJSON('" + "[" * 50_000 + "')", "fromJSON('" + "9" * 60_000 + "')", "jsonpath('{}', '$" + "..a" * 500 + "')",
        "jsonpath('[1]', '$[?(@.a =~ /(a+)+$/)]')", "jsonpath(inputs.parameters.list, '$..*..*..*')", "int('9' + '9')", "asInt('1e999')",
        "duration('" + "9" * 400 + "h')", "date('9999-99-99')", "sort(map(1..90000, {string(#)}))", "uniq(map(1..50000, {[#]}))",
        "groupBy(1..90000, {string(#)})", "sprig.uniq(map(1..20000, {[#]}))", "sprig.without(map(1..5000, {[#]}), 1, 2)",
        "reduce(1..5000, sprig.append(#acc, #), [])", "reduce(1..3000, sprig.set(#acc, string(#), #), {})",
        "reduce(1..200, {{'a': #acc, 'b': #acc}}, 1)", "toJSON(reduce(1..200, {{'a': #acc, 'b': #acc}}, 1))",
        "reduce(1..200, [#acc, #acc], 1) == reduce(1..200, [#acc, #acc], 1)", "reduce(1..100000, [#acc], 1)",
        "toJSON(reduce(1..90000, [#acc], 1))", "flatten(reduce(1..90000, [#acc], 1))", "string(reduce(1..200, [#acc, #acc], 1))",
        "sprig.toJson(reduce(1..90000, [#acc], 1))", "sprig.deepEqual(reduce(1..60, [#acc, #acc], 1), 1)",
        "flatten(reduce(1..60, [#acc, #acc], 1))", "len(string(1..100000))", "sprig.cat(1..100000)", "sprig.join(',', 1..100000)",
        "toJSON(reduce(1..190, [#acc], 1..90000))", "uniq(1..90000)", "uniq(map(1..50000, {#, 1.0}))", "sprig.indent(3000000, repeat('\n', 3000000))",
        "sprig.regexReplaceAllLiteral('x', inputs.parameters.long, inputs.parameters.long)", "reduce(1..1000, len(1..90000))",
        "sprig.regexReplaceAll('(x)', inputs.parameters.long, repeat('$1', 100000))", "reduce(1..5000, concat(#acc, [#]), [])",
        "inputs[[1]]", "{'k': 1} in item", "get(inputs, [1])", "sprig.get(inputs, [1])", "sprig.hasKey(inputs, [1])", "$env[{}]",
        "groupBy([1, 2], [#])", "sortBy([1, 2], [#])",
        "keys(reduce(1..200, {{'a': #acc, 'b': #acc}}, 1))", "sprig.merge(reduce(1..60, {{'a': #acc, 'b': #acc}}, {}), {})",
    )),
    *(("when", text) for text in (
        "", "(" * 30_000, "(" * 3_000 + "1" + ")" * 3_000, "!" * 30_000 + "true", "-" * 30_000 + "1 == 1", "1 == 1" + " && 1 == 1" * 5_000,
        "1" + " + 1" * 15_000 + " == 1", "true" + " ? true : true" * 3_000, "1 in (" + "1," * 20_000 + "1)", "9 ** 9 ** 9 ** 9 == 1",
        "1 << 1000000000 == 1", "1 << -1 == 1", "1e308 * 10 == 1", "'" + "x" * 60_000, f"{_REGEX} =~ '^(a+)+$'", f"{_REGEX} =~ '(a|aa)+$'",
        "'" + "x" * 30_000 + "' =~ '(x*)*y'", "'a' =~ '" + "(" * 900 + ")" * 900 + "'", "'a' =~ 'a{1000}{1000}'", "1 % 0 == 1", "1 / 0 == 1",
        "\\" * 30_000, "[" * 30_000, "0x" + "F" * 60_000 + " == 1", "9" * 60_000 + " == 1", "'2020-99-99' == '2020-01-01'",
        "~" * 3_000 + "1 == 1", "a" * 65_000 + " == b", "1" + "," * 30_000 + " == 1",
    )),
    *(("tags", text) for text in (
        "", "{{" * 500_000, "}}" * 500_000, "{{}}" * 200_000, "{{a}}" * 100_000, "{{=1}}" * 50_000, "{{inputs.parameters.long}}" * 200,
        "{{inputs.parameters.{{inputs.parameters.{{inputs.parameters.which}}}}}}", "{{" * 10_000 + "a" + "}}" * 10_000,
        "{{item}}" * 50_000, "{{=repeat('x', 3900000)}}" * 3, "{{=" + "(" * 30_000 + "}}", "{{=1..90000}}" * 20, "x" * 2_000_000,
        "{{=toJSON(map(1..5000, {inputs.parameters}))}}", "{{='{{=1}}'}}", "{{=\"{{item}}\"}}" * 1_000, "{{=env('FUBINI_FUZZ_CANARY')}}",
        "{{=sprig.env('FUBINI_FUZZ_CANARY')}}", "{{FUBINI_FUZZ_CANARY}}", "{{workflow." + "a." * 50_000 + "b}}",
    )),
    *(("depends", text) for text in (
        "", "(" * 30_000, "(" * 3_000 + "a" + ")" * 3_000, "!" * 30_000 + "a", "a" + " && a" * 50_000, "a" + " || b-c.Failed" * 50_000,
        "a" * 100_000, "a." * 50_000, "a.Succeeded" * 20_000, "-" * 100_000, "a-" * 50_000 + "a", "a == " * 5_000 + "a", "{{a}}", "a\x00b",
        " " * 100_000 + "a", "a &&" * 20_000,
    )),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(run, 5_000))
