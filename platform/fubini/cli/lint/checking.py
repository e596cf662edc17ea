"""The check itself: every document of every file, each beside the templates that stand in the others.

No server is asked, so what only a server knows (a project's stored templates, its import rules) comes as files. A
template that is linted here is judged at its own place once, not again where others use it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fubini.cli.lint.files import SourceFile
from fubini.cli.lint.report import Checked, Lint
from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from fubini.manifests.documents import split_documents
from fubini.manifests.explain import explain
from fubini.manifests.findings import Report
from fubini.manifests.import_rules import ImportRules
from fubini.manifests.load import load
from fubini.manifests.schema import API_VERSION

Library = Sequence[Mapping[str, Any]]
Judge = Callable[[str | bytes, Library], Report]  # a document's text and what it may refer to
LIBRARY_KINDS = ("WorkflowTemplate", "ClusterWorkflowTemplate", "ConfigMap")


@dataclass(frozen=True, slots=True)
class _Document:
    file: SourceFile
    text: str | bytes
    lines_above: int
    alone: bool  # the only one of a file that was named
    parsed: dict[str, Any] | None


def local_judge(parameters: Mapping[str, str] | None, rules: ImportRules) -> Judge:
    """Judges as the embedded engine does. Without `parameters`, each run will give those that have no value."""

    def judge(text: str | bytes, library: Library) -> Report:
        return check_manifest(
            text, supported=SUPPORTED, library=library, parameters=parameters, values_later=parameters is None,
            rules=rules,
        )  # fmt: skip

    return judge


def lint(
    files: Iterable[SourceFile], judge: Judge, library: Library = (), *, explain_by: ImportRules | None = None
) -> Lint:
    """Check the documents of `files`; ConfigMaps among them are only referred to, other kinds are passed over.

    `library` are further manifests they may refer to, which are not checked themselves. With
    `explain_by` each document also says what becomes of its fields under these rules.
    """
    documents = [document for file in files for document in _documents(file)]
    passed_over: list[tuple[str, str]] = []
    checked: list[Checked] = []
    judged: list[_Document] = []
    own: list[dict[str, Any]] = []  # of the library, what is linted here itself
    for document in documents:
        kind = (document.parsed or {}).get("kind")
        if document.parsed is not None and kind in LIBRARY_KINDS:
            own.append(document.parsed)
        if _foreign(document):
            what = f"{kind} is only referred to" if kind == "ConfigMap" else f"{_shown(kind)} is no workflow"
            passed_over.append((f"{document.file.name}:{document.lines_above + 1}", what))
        else:
            judged.append(document)
    for document in judged:
        others = [d for d in own if d is not document.parsed]
        checked.append(_check(document, [*library, *others], len(library), judge, explain_by))
    return Lint(tuple(checked), tuple(passed_over))


def library_of(files: Iterable[SourceFile]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The manifests that others may refer to, and what could not be read, each with why."""
    found: list[dict[str, Any]] = []
    problems: list[tuple[str, str]] = []
    for file in files:
        for document in _documents(file):
            if document.parsed is None:
                finding = load(document.text).findings[0]
                problems.append((f"{file.name}:{finding.line + document.lines_above}", finding.message))
            elif document.parsed.get("kind") in LIBRARY_KINDS:
                found.append(document.parsed)
    return found, problems


def _documents(file: SourceFile) -> list[_Document]:
    encoding = "utf-16" if file.raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        parts = split_documents(file.raw.decode(encoding))
    except UnicodeDecodeError:
        return [_Document(file, file.raw, 0, True, None)]  # the check says where the bad byte is
    return [
        _Document(file, part.text, part.lines_above, len(parts) == 1 and file.named, load(part.text).document)
        for part in parts
    ]


def _foreign(document: _Document) -> bool:
    """An object of another kind among workflows, which is nothing wrong."""
    parsed = document.parsed
    if parsed is None:
        return False
    version, kind = parsed.get("apiVersion"), parsed.get("kind")
    if kind == "ConfigMap":
        return True
    if document.file.named:
        return not document.alone and isinstance(kind, str) and isinstance(version, str) and "argoproj" not in version
    return version != API_VERSION and not (isinstance(version, str) and "argoproj" in version)


def _check(
    document: _Document, library: Library, foreign: int, judge: Judge, explain_by: ImportRules | None
) -> Checked:
    """`library` has `foreign` manifests that are not linted themselves, then those that are."""
    report = judge(document.text, library)
    linted = tuple(f"library[{index}]" for index in range(foreign, len(library)))
    findings = tuple(
        dataclasses.replace(f, line=f.line + document.lines_above if f.line else 1 + document.lines_above)
        for f in report.findings
        if not f.path.startswith(linted)
    )
    parsed = report.document or {}
    metadata = parsed.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return Checked(
        file=document.file.name,
        line=document.lines_above + 1,
        kind=_shown(parsed.get("kind")),
        name=_shown(metadata.get("name") or metadata.get("generateName")),
        findings=findings,
        truncated=report.truncated,
        generated=document.file.generated,
        parameters=report.parameters,
        explained=explain(parsed, SUPPORTED, explain_by) if explain_by is not None else None,
    )


def _shown(value: Any) -> str:
    return value[:253] if isinstance(value, str) else ""
