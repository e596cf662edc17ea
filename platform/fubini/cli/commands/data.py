"""`fubini data`: datasets in, datasets out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output, progress, transfer
from fubini.cli.client import Client, connect, segment
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit

data_app = typer.Typer(no_args_is_help=True, help="Datasets: upload, list, fetch.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(data_app, name="data")


def dataset_name(path: Path) -> str:
    """The name a dataset has by default: the file's or folder's, in the letters a name may have."""
    made = re.sub(r"[^a-z0-9]+", "-", path.resolve().stem.lower()).strip("-")[:63].rstrip("-")
    return re.sub(r"-v[1-9][0-9]*$", "", made)


def import_path(
    client: Client, path: Path, name: str, description: str = "", *, skip: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Upload a file or folder and make it the dataset's next version; the same files again change nothing."""
    files = transfer.scan(path, skip=skip)
    total = sum(int(file.entry["size"]) for file in files)
    with progress.bytes_bar(f"uploading {name}", total) as advance:
        sent = transfer.upload(client, client.project, files, advance)
    body = {
        "project": client.project,
        "name": name,
        "description": description,
        "entries": [file.entry for file in files],
    }
    made: dict[str, Any] = client.post("/datasets", body)
    return {**made, "files": len(files), "size_bytes": total, "uploaded": sent}


@data_app.command("import")
@data_app.command("upload")
def data_upload(
    path: Annotated[Path, typer.Argument(help="A file or a folder.")],
    name: Annotated[str, typer.Option(help="The dataset's name; default: the path's.")] = "",
    description: Annotated[str, typer.Option(help="What it is.")] = "",
) -> None:
    """Make a file or folder the next version of a dataset. Broken off, the same command goes on where it stopped."""
    chosen = name or dataset_name(path)
    made = import_path(connect(), path, chosen, description)
    verb = "is now" if made["created"] else "has been"
    output.show(
        made,
        f"{chosen} {verb} version {made['version']}: {made['files']} file(s), {output.size(made['size_bytes'])}, "
        f"{made['uploaded']} uploaded; in a manifest: claimName: {chosen}-v{made['version']}",
    )


@data_app.command("list")
def data_list(search: Annotated[str, typer.Option(help="Part of a name or description.")] = "") -> None:
    """Datasets of the project."""
    client = connect()
    output.rows_out(
        client.pages("/datasets", project=client.project, search=search),
        [
            ("NAME", lambda d: d["name"]),
            ("VERSION", lambda d: (d["latest"] or {}).get("number")),
            ("FILES", lambda d: (d["latest"] or {}).get("files")),
            ("SIZE", lambda d: output.size((d["latest"] or {}).get("size_bytes"))),
            ("MADE", lambda d: output.ago(d["created_at"])),
            ("DESCRIPTION", lambda d: d["description"]),
        ],
        empty="no datasets: fubini data upload PATH --name NAME",
    )


def find(client: Client, name: str) -> dict[str, Any]:
    """A dataset by name or id."""
    for row in client.pages("/datasets", project=client.project, name=name, limit=1):
        return row
    if re.fullmatch("[0-9a-f]{32}", name):
        found: dict[str, Any] = client.get(f"/datasets/{segment(name)}")
        return found
    raise CliError(
        f"no dataset {name!r} in project {client.project}", try_="fubini data list", exit_code=Exit.NOT_FOUND
    )


@data_app.command("show")
def data_show(name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]")]) -> None:
    """A dataset, its versions and the files of one."""
    client = connect()
    name, _, number = name.partition("@")
    row = find(client, name)
    versions = list(client.pages(f"/datasets/{segment(row['id'])}/versions", limit=20))
    chosen = int(number) if number.isdecimal() else (row["latest"] or {}).get("number")
    files: list[dict[str, Any]] = []
    if chosen:
        files = client.get(f"/datasets/{segment(row['id'])}/versions/{chosen}/files", limit=200)["entries"]
    if OPTIONS.json:
        output.print_json({**row, "versions": versions, "files": files})
        return
    output.fields_out(row, [("name", row["name"]), ("description", row["description"]), ("id", row["id"])])
    print()
    output.rows_out(
        versions,
        [
            ("VERSION", lambda v: v["number"]),
            ("FILES", lambda v: v["files"]),
            ("SIZE", lambda v: output.size(v["size_bytes"])),
            ("MADE", lambda v: output.ago(v["created_at"])),
            ("BY", lambda v: v["created_by"]),
        ],
    )
    print()
    columns: list[tuple[str, Any]] = [
        (f"FILES OF VERSION {chosen}", lambda f: f["path"] or row["name"]),
        ("SIZE", lambda f: output.size(f["size"])),
    ]
    output.rows_out(files, columns)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]")],
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(),
) -> None:
    """Fetch a dataset; what is there already is verified, not fetched again."""
    client = connect()
    name, _, number = name.partition("@")
    row = find(client, name)
    chosen = int(number) if number.isdecimal() else (row["latest"] or {}).get("number")
    if not chosen:
        raise CliError(f"{name} has no version yet", exit_code=Exit.NOT_FOUND)
    base = f"/datasets/{segment(row['id'])}/versions/{chosen}"
    files = transfer.wanted_of(client, base, to / row["name"], into_folder=False)
    with progress.bytes_bar(f"fetching {name}", sum(f.size for f in files)) as advance:
        fetched, there = transfer.download(client, files, to, advance)
    value = {"dataset": row["name"], "version": chosen, "fetched": fetched, "there": there, "to": str(to / row["name"])}
    output.show(value, f"{to / row['name']}: {fetched} file(s) fetched, {there} there already, all verified")


@data_app.command("keep")
def data_keep(
    key: Annotated[str, typer.Argument(help="An artifact's key, as `fubini run outputs` lists it.")],
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    description: Annotated[str, typer.Option(help="What it is.")] = "",
) -> None:
    """Keep what a step left as the next version of a dataset; no byte moves, and its origin stays known."""
    client = connect()
    made = client.post(
        "/datasets", {"project": client.project, "name": name, "description": description, "artifact": key}
    )
    verb = "is now" if made["created"] else "has been"
    output.show(made, f"{name} {verb} version {made['version']}; in a manifest: claimName: {name}-v{made['version']}")


@data_app.command("origin")
def data_origin(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]")],
    depth: Annotated[int, typer.Option(help="How many links to follow.", min=1, max=40)] = 10,
    limit: Annotated[int, typer.Option(help="The most things to tell in each direction.", min=1, max=500)] = 100,
    crate: Annotated[Path | None, typer.Option(help="Write it as RO-Crate metadata to this file or folder.")] = None,
) -> None:
    """Where a dataset version comes from and what was made of it."""
    from fubini.cli.origin import show

    client = connect()
    name, _, number = name.partition("@")
    row = find(client, name)
    chosen = int(number) if number.isdecimal() else (row["latest"] or {}).get("number")
    if not chosen:
        raise CliError(f"{name} has no version yet", exit_code=Exit.NOT_FOUND)
    show(client, f"/datasets/{segment(row['id'])}/versions/{chosen}", depth=depth, limit=limit, crate=crate)


@data_app.command("delete")
def data_delete(name: str) -> None:
    """Delete a dataset with all its versions."""
    client = connect()
    row = find(client, name)
    client.delete(f"/datasets/{segment(row['id'])}")
    output.show({"id": row["id"], "deleted": True}, f"deleted {row['name']}")
