"""`fubini lint`: everything that is wrong with manifests, at once, without a server."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.commands.pipelines import finding_line, parameters_of
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit
from fubini.manifests.findings import finding_told

if TYPE_CHECKING:
    from fubini.cli.lint.checking import Judge
    from fubini.cli.lint.report import Lint
    from fubini.manifests.import_rules import ImportRules


class Format(StrEnum):
    """How findings are written down."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def add_to(app: typer.Typer) -> None:
    app.command("lint")(lint_command)


def lint_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Manifests, folders of them, Python files that make some; - reads here."
        ),
    ],
    strict: Annotated[bool, typer.Option("--strict", help="A warning is an error, too.")] = False,
    form: Annotated[Format, typer.Option("--format", help="text, json, sarif or github.")] = Format.TEXT,
    library: Annotated[
        list[Path] | None,
        typer.Option(help="Templates and ConfigMaps that may be referred to: a file or a folder; again for more."),
    ] = None,
    parameter: Annotated[list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE, as in submit.")] = None,
    server: Annotated[
        bool, typer.Option("--server", help="Ask the server, which knows the project's templates and settings.")
    ] = False,
    explain_import: Annotated[
        bool, typer.Option("--explain-import", help="Also print which fields are honoured, mapped, ignored, refused.")
    ] = False,
    import_rules: Annotated[
        Path | None, typer.Option(help="Import rules as a file (fubini project import-rules --json > FILE).")
    ] = None,
    python: Annotated[str, typer.Option(help="The interpreter for Python files (default: FUBINI_PYTHON).")] = "",
) -> None:
    """Check manifests: everything that is wrong at once, each with its line and path.

    No server is needed. Exit code 1 when something is wrong, 2 when a file cannot be read.
    """
    from fubini.cli.lint.checking import library_of, lint
    from fubini.cli.lint.files import source_files

    parameters = parameters_of(parameter) if parameter else None
    known, problems = library_of(source_files(library or ()))
    if problems:
        place, why = problems[0]
        raise CliError(f"the library cannot be read at {place}", why=why, exit_code=Exit.USAGE)
    rules = _rules(import_rules, server)
    judge = _server_judge(parameters) if server else _local_judge(parameters, rules)
    result = lint(source_files(files, python=python), judge, known, explain_by=rules if explain_import else None)
    if strict:
        result = result.strict()
    _print(result, Format.JSON if OPTIONS.json else form)
    if not result.ok:
        raise typer.Exit(Exit.FAILED)


def _rules(file: Path | None, server: bool) -> ImportRules:
    """The rules of a file, or the project's with ``--server``; none otherwise."""
    from fubini.cli.client import connect, segment
    from fubini.cli.commands.imports import rules_of_file
    from fubini.manifests.import_rules import NO_RULES, rules_from

    if server:
        if file is not None:
            raise CliError("--import-rules and --server exclude each other", exit_code=Exit.USAGE)
        client = connect()
        return rules_from(client.get(f"/projects/{segment(client.project)}/import-rules"))
    return rules_from(rules_of_file(file)) if file is not None else NO_RULES


def _local_judge(parameters: Mapping[str, str] | None, rules: ImportRules) -> Judge:
    from fubini.cli.lint.checking import local_judge

    return local_judge(parameters, rules)


def _server_judge(parameters: Mapping[str, str] | None) -> Judge:
    """The server's findings; it looks references up in the project, not in the files beside."""
    from fubini.cli.client import connect
    from fubini.manifests.findings import Finding, Report
    from fubini.manifests.load import load

    client = connect()

    def judge(text: str | bytes, library: Any) -> Report:
        body: dict[str, Any] = {"manifest": text if isinstance(text, str) else text.decode("utf-8", "replace")}
        body |= {"project": client.project, **({"parameters": dict(parameters)} if parameters else {})}
        reply = client.send("POST", "/lint", body=body)
        findings = tuple(
            Finding(
                f["severity"], f["code"], f["path"], f["line"], f["column"], f["detail"], f["found"], f["allowed"],
                f["nearest"], f["next_step"], f["kind"],
            )
            for f in reply["findings"]
        )  # fmt: skip
        return Report(load(text).document, findings, (), reply["truncated"])

    return judge


def _print(result: Lint, form: Format) -> None:
    from fubini.cli.lint import formats

    if form is Format.JSON:
        output.print_json(formats.as_json(result))
    elif form is Format.SARIF:
        print(formats.dumps(formats.as_sarif(result, version=_version())))
    elif form is Format.GITHUB:
        print(formats.as_github(result), end="")
    else:
        for document in result.documents:
            for finding in document.findings:
                print(output.plain(finding_line(document.file, finding_told(finding))))
                print(output.paint(output.plain(f"    {formats.evidence(finding)}"), "dim"))
            if document.explained is not None:
                print(output.plain(f"{document.file}:{document.line}: {document.kind} {document.name}"))
                rows = [(r.verdict, r.count, r.path, r.note) for r in document.explained]
                print(output.table(rows, ["FIELDS ARE", "TIMES", "PATH", "AS OR WHY"]))
    for place, why in result.passed_over:
        output.note(f"{output.plain(place)}: passed over: {output.plain(why)}")
    if not result.documents:
        output.note("no workflow in what was named")
    more = ", and more" if result.truncated else ""
    output.note(f"{result.errors} error(s), {result.warnings} warning(s){more}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("fubini")
    except PackageNotFoundError:
        return "0"
