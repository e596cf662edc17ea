"""`fubini run inputs`: what a submit can be given, in the words of the manifest's forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect
from fubini.cli.commands.run.given import source_of
from fubini.cli.errors import CliError, Exit


def run_inputs(
    file: Annotated[Path | None, typer.Argument(help="A manifest; - for standard input.")] = None,
    pipeline: Annotated[str, typer.Option(help="A kept pipeline instead: NAME.")] = "",
) -> None:
    """What a submit can be given: each parameter with its type, unit, range and help, as the manifest describes it."""
    source = source_of(file, pipeline)
    client = connect()
    if file is not None:
        found = client.send("POST", "/lint", body={"project": client.project, "manifest": source["manifest"]})[
            "parameters"
        ]
    else:
        rows = [
            p
            for p in client.pages("/pipelines", project=client.project, search=source["pipeline"])
            if p["name"] == source["pipeline"]
        ]
        if not rows:
            raise CliError(f"no pipeline {source['pipeline']!r}", try_="fubini pipeline list", exit_code=Exit.NOT_FOUND)
        found = rows[0]["parameters"]
    output.show(found, lambda: inputs_text(found))


def inputs_text(parameters: list[dict[str, Any]]) -> str:
    """Parameters by group, each in the words of its form; texts in the reader's language where there are two."""
    if not parameters:
        return "It takes no parameters."
    lines: list[str] = []
    group = None
    for found in sorted(parameters, key=lambda p: in_language(p["form"].get("group", ""))):
        if (now := in_language(found["form"].get("group", ""))) != group:
            group = now
            lines += ["", f"{group}:"] if group else []
        lines += [f"  {input_line(found)}"]
        for text in (
            in_language(found["form"].get("title", "")),
            in_language(found["form"].get("help", "")) or found["description"],
        ):
            lines += [f"      {text}"] if text else []
    return "\n".join(output.plain(line) for line in lines).lstrip("\n")


def input_line(found: dict[str, Any]) -> str:
    form = found["form"]
    kind = str(form.get("type", "text"))
    flag = "--input" if kind in ("dataset", "file") else "-p"
    parts = [f"{flag} {found['name']}={'PATH' if flag == '--input' else kind.upper()}"]
    if form.get("unit"):
        parts.append(f"in {form['unit']}")
    if form.get("range"):
        low, high = form["range"]
        parts.append(
            f"from {low} to {high}"
            if None not in (low, high)
            else f"at least {low}"
            if high is None
            else f"at most {high}"
        )
    if choices := form.get("choices") or found["enum"]:
        parts.append("one of " + ", ".join(map(str, choices)))
    default = found["value"] if found["value"] is not None else found["default"]
    parts.append("required" if found["required"] else f"now {default}")
    return ", ".join(parts)


def in_language(text: Any) -> str:
    """A form's text, in the language the terminal's locale asks for where it has it."""
    import os

    if not isinstance(text, dict):
        return str(text)
    wanted = (os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or "en")[:2]
    return str(text.get(wanted) or text.get("en") or next(iter(text.values()), ""))
