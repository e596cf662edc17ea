"""Findings written down: for people, for programs (JSON), for code hosts (SARIF 2.1.0, GitHub's annotations).

Pure: a `Lint` in, text out. Sources: OASIS SARIF 2.1.0; GitHub's workflow commands. What a Python file made is placed
at the file's first line in SARIF and annotations, because the lines of its output are in no file.
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from fubini.cli.lint.report import Checked, Lint
from fubini.common.saying import say, told
from fubini.manifests.findings import Finding, finding_json, finding_told

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FORMATS = ("text", "json", "sarif", "github")


def as_json(result: Lint) -> dict[str, Any]:
    """The whole result; one entry a document, and an empty list where nothing was a workflow."""
    return {
        "ok": result.ok,
        "errors": result.errors,
        "warnings": result.warnings,
        "truncated": result.truncated,
        "documents": [_document_json(d) for d in result.documents],
        "passed_over": [{"place": place, "why": why} for place, why in result.passed_over],
    }


def _document_json(document: Checked) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": document.file,
        "line": document.line,
        "generated": document.generated,
        "kind": document.kind,
        "name": document.name,
        "ok": document.errors == 0,
        "truncated": document.truncated,
        "findings": [finding_json(f) for f in document.findings],
        "parameters": [
            {
                "name": p.name,
                "value": p.value,
                "default": p.default,
                "enum": list(p.enum),
                "description": p.description,
                "required": p.required,
            }
            for p in document.parameters
        ],
    }
    if document.explained is not None:
        found["import"] = [row.as_dict() for row in document.explained]
    return found


def sentence(finding: Finding) -> str:
    """What, what else it could be, and what to do; the place is told apart."""
    found = finding_told(finding)
    text = found["detail"].removeprefix(f"{finding.path}: ").removeprefix(f"{finding.path}：")
    if finding.nearest and finding.nearest not in finding.help:
        text += f" (did you mean {finding.nearest!r}?)"
    return f"{text} {evidence(finding)} {found['next_step']}".strip()


def evidence(finding: Finding) -> str:
    """What was found and what is allowed, in one line."""
    return told(say("Found: {found}. Allowed: {allowed}.", found=finding.found, allowed=finding_told(finding)["allowed"]))


# --- SARIF -------------------------------------------------------------------------------------------------------


def as_sarif(result: Lint, *, version: str) -> dict[str, Any]:
    """A SARIF 2.1.0 log with one run; each kind of finding is a rule. `version` is the program's own."""
    codes = sorted({f.code for d in result.documents for f in d.findings})
    index = {code: number for number, code in enumerate(codes)}
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "fubini lint",
                        "version": version,
                        "rules": [
                            {"id": code, "shortDescription": {"text": code.replace("-", " ").capitalize() + "."}}
                            for code in codes
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": True}],
                "results": [_sarif_result(d, f, index) for d in result.documents for f in d.findings],
            }
        ],
    }


def _sarif_result(document: Checked, finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    region = {"startLine": 1} if document.generated else {"startLine": finding.line, "startColumn": finding.column}
    return {
        "ruleId": finding.code,
        "ruleIndex": index[finding.code],
        "level": finding.severity,
        "message": {"text": f"{finding.path}: {sentence(finding)}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(document.file)}, "region": region},
                "logicalLocations": [{"fullyQualifiedName": finding.path}],
            }
        ],
        "properties": {
            "found": finding.found,
            "allowed": finding.allowed,
            "nearest": finding.nearest,
            "nextStep": finding.help,
            "kind": finding.kind,
            "document": document.name,
        },
    }


def _uri(file: str) -> str:
    """A relative URI reference with forward slashes, or a file URI for an absolute path."""
    path = PurePath(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(path.as_posix(), safe="/-._~")


# --- GitHub ------------------------------------------------------------------------------------------------------


def as_github(result: Lint) -> str:
    """One workflow command a finding; lines and property separators in texts are escaped as the runner reads them."""
    lines = []
    for document in result.documents:
        for finding in document.findings:
            line, column = (1, 1) if document.generated else (finding.line, finding.column)
            lines.append(
                f"::{finding.severity} file={_property(document.file)},line={line},col={column},"
                f"title={_property(finding.code)}::{_data(f'{finding.path}: {sentence(finding)}')}"
            )
    return "".join(line + "\n" for line in lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
