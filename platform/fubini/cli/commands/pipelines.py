"""`fubini pipeline`: manifests kept under a name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.config import OPTIONS
from fubini.cli.errors import READABLE, CliError, Exit

pipeline_app = typer.Typer(no_args_is_help=True, help="Manifests kept under a name, with versions.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(pipeline_app, name="pipeline")
    app.command("pipelines")(pipeline_list)


def manifest_text(path: Path) -> str:
    """A manifest from a file, from standard input for `-`, or made by a Python file, which is run here."""
    import sys

    if path.suffix == ".py":
        return _manifest_of_program(path)
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CliError(
            f"{path} is not UTF-8 text", why=f"byte {error.start} cannot be read", exit_code=Exit.USAGE
        ) from error
    except OSError as error:
        raise CliError(f"cannot read {path}", why=error.strerror or str(error), try_=READABLE, exit_code=Exit.USAGE) from error


def _manifest_of_program(path: Path) -> str:
    """The one manifest a Python file makes.

    Raises:
        CliError: it fails, or makes none or several.
    """
    from fubini.cli.pyfile import manifests_of_program
    from fubini.manifests.documents import split_documents

    parts = split_documents(manifests_of_program(path))
    if len(parts) > 1:
        raise CliError(
            f"{path} makes {len(parts)} manifests",
            why="one is submitted at a time; templates that it refers to are kept as pipelines first",
            try_="let it create or print one, and see them all with: fubini lint",
            exit_code=Exit.USAGE,
        )
    return parts[0].text


def parameters_of(given: list[str] | None) -> dict[str, str]:
    """``-p name=value`` options."""
    found: dict[str, str] = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CliError(f"-p {text!r} is not NAME=VALUE", try_=f"-p {name or 'name'}=value", exit_code=Exit.USAGE)
        found[name] = value
    return found


def finding_line(file: str, finding: dict[str, Any]) -> str:
    """``file:line:column: error: path: what (did you mean ...)``, as compilers write it."""
    where = f"{file}:{finding.get('line') or 1}:{finding.get('column') or 1}"
    path, step = finding.get("path") or "", finding.get("next_step") or ""
    text = f"{where}: {finding.get('severity', 'error')}: {path}: "
    text += (finding.get("detail") or "").removeprefix(f"{path}: ")
    if finding.get("nearest") and finding["nearest"] not in step:
        text += f" (did you mean {finding['nearest']!r}?)"
    return f"{text} {step}".rstrip()


def find(client: Client, name: str) -> dict[str, Any]:
    """A pipeline by name or id."""
    for row in client.pages("/pipelines", project=client.project, name=name, limit=1):
        return row
    if re.fullmatch("[0-9a-f]{32}", name):
        found: dict[str, Any] = client.get(f"/pipelines/{segment(name)}")
        return found
    raise CliError(
        f"no pipeline {name!r} in project {client.project}", try_="fubini pipelines", exit_code=Exit.NOT_FOUND
    )


@pipeline_app.command("list")
def pipeline_list(
    search: Annotated[str, typer.Option(help="Part of a name, title, description, summary or tag.")] = "",
    tag: Annotated[str, typer.Option(help="Only those with this tag.")] = "",
) -> None:
    """Pipelines of the project, with what their past runs took and cost."""
    client = connect()
    output.rows_out(
        showcases(client, search=search, tag=tag),
        [
            ("NAME", lambda p: p["name"]),
            ("VERSION", lambda p: p["version"]),
            ("TITLE", title_of),
            ("USUAL TIME", usual_time),
            ("USUAL COST ¤", usual_cost),
            ("RUNS", runs_told),
            ("LAST USED", last_used),
        ],
        empty="no pipelines: fubini pipeline save FILE" if not (search or tag) else "no pipeline is found by that",
    )


def showcases(client: Client, **ask: str) -> Iterator[dict[str, Any]]:
    """Pipelines as the gallery shows them, each one object."""
    after = ""
    while True:
        page = client.get(f"/projects/{segment(client.project)}/gallery", after=after or None, **{k: v or None for k, v in ask.items()})
        for row in page["pipelines"]:
            yield {**row["pipeline"], **{k: v for k, v in row.items() if k not in ("pipeline", "sketch")}}
        after = page["next_after"]
        if not after:
            return


def title_of(row: Mapping[str, Any]) -> str:
    """The title given on saving, else the manifest's own."""
    return row["title"] or spoken(row["about"]["title"])


def spoken(texts: Mapping[str, str]) -> str:
    """A text in the terminal's language, of those there are."""
    language = (os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or "en")[:2]
    return texts.get(language) or texts.get("") or texts.get("en") or next(iter(texts.values()), "")


def usual_time(row: Mapping[str, Any]) -> str:
    """The middle half of what runs took."""
    span = row["time_ms"]
    if span is None:
        return "-"
    low, high = output.duration(span["low"] / 1000), output.duration(span["high"] / 1000)
    return low if low == high else f"{low} to {high}"


def usual_cost(row: Mapping[str, Any]) -> str:
    """The middle half of what runs cost."""
    span = row["cost_micros"]
    if span is None:
        return "-"
    low, high = output.amount(span["low"]), output.amount(span["high"])
    return low if low == high else f"{low} to {high}"


def runs_told(row: Mapping[str, Any]) -> str:
    """How many there were, and how many of them went wrong."""
    bad = row["runs"].get("failed", 0) + row["runs"].get("error", 0)
    total = sum(row["runs"].values())
    return f"{total}, {bad} failed" if bad else str(total)


def last_used(row: Mapping[str, Any]) -> str:
    """When a run of it was last submitted, and by whom."""
    if row["used_at_ms"] is None:
        return "not yet"
    at = datetime.fromtimestamp(row["used_at_ms"] / 1000, UTC).isoformat()
    return f"{output.ago(at)} by {row['used_by'].removeprefix('user:')}"


@pipeline_app.command("save")
def pipeline_save(
    file: Annotated[Path, typer.Argument(help="A manifest; - for standard input.")],
    name: Annotated[str, typer.Option(help="Default: the manifest's own name.")] = "",
    title: Annotated[str, typer.Option()] = "",
    picture: Annotated[
        Path | None, typer.Option(help="PNG, SVG or WebP; default: what the manifest's fubini.dev/picture names.")
    ] = None,
) -> None:
    """Keep a manifest as a pipeline, or as the next version of one."""
    client = connect()
    text = manifest_text(file)
    content = picture_bytes(picture or picture_beside(file, text))
    body = {"project": client.project, "manifest": text, "name": name}
    if title:
        body["title"] = title
    made = client.post("/pipelines", body)
    for warning in made.get("warnings", []):
        output.note(finding_line(str(file), warning))
    if content:
        client.send("PUT", f"/pipelines/{segment(made['id'])}/picture", content=content)
    output.show(made, f"{made['name']} is {'now' if made['created'] else 'already'} version {made['version']}")


def picture_beside(file: Path, text: str) -> Path | None:
    """The picture that the manifest names, which lies beside it."""
    from fubini.manifests.about import about_of
    from fubini.manifests.load import load

    named = about_of(load(text).document).picture
    return file.parent / named if named and str(file) != "-" else None


def picture_bytes(path: Path | None) -> bytes:
    """A picture's bytes; those of a file that cannot be read are an error before anything is saved."""
    try:
        return path.read_bytes() if path is not None else b""
    except OSError as error:
        raise CliError(
            f"cannot read the picture {path}",
            why=error.strerror or str(error),
            try_="put the file there, or take fubini.dev/picture out of the manifest",
            exit_code=Exit.USAGE,
        ) from error


@pipeline_app.command("show")
def pipeline_show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]")],
    text: Annotated[bool, typer.Option("--text", help="Only the manifest's text.")] = False,
) -> None:
    """A pipeline's parameters, or its text."""
    client = connect()
    name, _, number = name.partition("@")
    found = find(client, name)
    wanted = int(number) if number.isdecimal() else found["version"]
    version = client.get(f"/pipelines/{segment(found['id'])}/versions/{wanted}")
    if text and not OPTIONS.json:
        print(version["text"], end="")
        return
    seen = next(showcases(client, name=found["name"]), None) or found
    if OPTIONS.json:
        output.print_json({**seen, "shown": version})
        return
    pairs: list[tuple[str, object]] = [
        ("name", found["name"]),
        ("title", title_of(found)),
        ("what", found["description"] or spoken(found["about"]["summary"])),
        ("tags", ", ".join(found["about"]["tags"])),
        ("kind", version["kind"]),
        ("version", wanted),
    ]
    if "seen" in seen:
        basis = f" (the middle half of {seen['seen']} successful runs)" if seen["seen"] else ""
        none = f"no figures: {'none of its runs has succeeded' if sum(seen['runs'].values()) else 'it has not run'} yet"
        pairs += [
            ("usual time", usual_time(seen) + basis if seen["seen"] else none),
            ("usual cost", usual_cost(seen) if seen["seen"] else ""),
            ("runs", runs_told(seen)),
            ("last used", last_used(seen)),
        ]
    output.fields_out(found, pairs)
    if version["parameters"]:
        print()
        output.rows_out(
            version["parameters"],
            [
                ("PARAMETER", lambda p: p["name"]),
                ("TYPE", type_of),
                ("VALUE", lambda p: p["value"] if p["value"] is not None else p["default"]),
                ("WHAT", help_of),
            ],
        )


def type_of(parameter: Mapping[str, Any]) -> str:
    """A parameter's type with its unit, range or choices."""
    form = parameter["form"] or {}
    choices = form.get("choices") or parameter["enum"]
    low, high = form.get("range") or (None, None)
    parts = [form.get("type") or ("choice" if choices else "text"), form.get("unit") or ""]
    if low is not None or high is not None:
        parts.append(f"{'' if low is None else low}..{'' if high is None else high}")
    if choices:
        parts.append("(" + ", ".join(str(choice) for choice in choices) + ")")
    return " ".join(part for part in parts if part)


def help_of(parameter: Mapping[str, Any]) -> str:
    """What a parameter is for."""
    text = (parameter["form"] or {}).get("help") or parameter["description"]
    return spoken(text) if isinstance(text, dict) else str(text or "")


@pipeline_app.command("delete")
def pipeline_delete(name: str) -> None:
    """Delete a pipeline; runs made from it stay."""
    client = connect()
    found = find(client, name)
    client.delete(f"/pipelines/{segment(found['id'])}")
    output.show({"id": found["id"], "deleted": True}, f"deleted {found['name']}")
