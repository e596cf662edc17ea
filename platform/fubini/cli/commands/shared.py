"""`fubini config`, `fubini lock`, `fubini cache`: what the runs of a project share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.commands.run.given import find as find_run
from fubini.cli.config import OPTIONS
from fubini.cli.errors import READABLE, CliError, Exit

config_app = typer.Typer(no_args_is_help=True, help="ConfigMaps of a project: parameters' values, sizes of semaphores.")
lock_app = typer.Typer(no_args_is_help=True, help="Mutexes and semaphores: who holds, who waits.")
cache_app = typer.Typer(no_args_is_help=True, help="Results that later runs take over (memoize).")


def add_to(app: typer.Typer) -> None:
    app.add_typer(config_app, name="config")
    app.add_typer(lock_app, name="lock")
    app.add_typer(cache_app, name="cache")


def _base(what: str) -> str:
    return f"/projects/{segment(connect().project)}/{what}"


# --- config ------------------------------------------------------------------------------------------------------


@config_app.command("list")
def config_list() -> None:
    """ConfigMaps of the project."""
    output.rows_out(
        connect().pages(_base("configs")),
        [
            ("NAME", lambda c: c["name"]),
            ("VERSION", lambda c: c["version"]),
            ("KEYS", lambda c: ", ".join(c["keys"])),
            ("CHANGED", lambda c: output.ago(c["changed_at_ms"])),
            ("BY", lambda c: c["changed_by"]),
        ],
        empty="no ConfigMaps yet: fubini config set NAME KEY=VALUE",
    )


@config_app.command("get")
def config_get(name: str, key: Annotated[str, typer.Argument(help="Only this key's value.")] = "") -> None:
    """The values of a ConfigMap, or one of them as it is."""
    found = connect().get(f"{_base('configs')}/{segment(name)}")
    if key:
        if key not in found["values"]:
            raise CliError(
                f"ConfigMap {name} has no key {key!r}", why=f"it has {', '.join(found['keys']) or 'none'}",
                exit_code=Exit.NOT_FOUND,
            )  # fmt: skip
        if OPTIONS.json:
            output.print_json(found["values"][key])
        else:
            sys.stdout.write(found["values"][key] + ("" if found["values"][key].endswith("\n") else "\n"))
        return
    if OPTIONS.json:
        output.print_json(found)
        return
    labels = ", ".join(f"{k}={v}" for k, v in sorted(found["labels"].items()))
    output.fields_out(found, [("name", name), ("version", found["version"]), ("labels", labels)])
    print()
    output.rows_out(
        [{"key": k, "value": v} for k, v in sorted(found["values"].items())],
        [("KEY", lambda r: r["key"]), ("VALUE", lambda r: r["value"])],
        empty="it has no keys",
    )


@config_app.command("set")
def config_set(
    name: str,
    values: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE...")] = None,
    from_file: Annotated[
        list[str] | None, typer.Option(metavar="KEY=FILE", help="A key's value from a file of text.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="All labels it is to have.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="KEY", help="A key to remove.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Keys that are not given go.")] = False,
) -> None:
    """Make a ConfigMap or change keys of it. Semaphores follow at once; runs keep the values they were submitted with."""
    data = pairs(values, "KEY=VALUE")
    for key, path in pairs(from_file, "--from-file KEY=FILE").items():
        try:
            data[key] = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CliError(f"cannot read {path}", why=str(error), try_=READABLE, exit_code=Exit.USAGE) from error
    body: dict[str, Any] = {"values": data, "remove": remove or [], "replace": replace}
    if label is not None:
        body["labels"] = pairs(label, "--label KEY=VALUE")
    made = connect().put(f"{_base('configs')}/{segment(name)}", body)
    output.show(made, f"{name} is now version {made['version']} with {', '.join(made['keys']) or 'no keys'}")


@config_app.command("delete")
def config_delete(name: str) -> None:
    """Delete a ConfigMap; runs keep the values they were submitted with."""
    connect().delete(f"{_base('configs')}/{segment(name)}")
    output.show({"name": name, "deleted": True}, f"deleted {name}")


def pairs(given: list[str] | None, form: str) -> dict[str, str]:
    """``key=value`` words."""
    found: dict[str, str] = {}
    for word in given or []:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise CliError(f"{word!r} is not {form}", exit_code=Exit.USAGE)
        found[key] = value
    return found


# --- locks -------------------------------------------------------------------------------------------------------


def _lock(client: Client, name: str) -> dict[str, Any]:
    """A lock by name or id."""
    rows = list(client.pages(_base("locks")))
    wanted = [r for r in rows if name in (r["id"], r["name"], r["name"].partition(" ")[2])]
    if not wanted:
        raise CliError(
            f"no lock {name!r} in project {client.project}", try_="fubini lock list", exit_code=Exit.NOT_FOUND
        )
    if len(wanted) > 1:
        raise CliError(
            f"{len(wanted)} locks are named {name!r}", try_=f"fubini lock show {wanted[0]['id']}", exit_code=Exit.USAGE
        )
    return wanted[0]


@lock_app.command("list")
def lock_list(
    all_: Annotated[bool, typer.Option("--all", help="Also locks nobody holds or waits for.")] = False,
) -> None:
    """Locks that somebody holds or waits for."""
    client, address = connect(), _base("locks")
    output.rows_out(
        client.pages(address) if all_ else client.pages(address, used="true"),
        [
            ("LOCK", lambda r: r["name"]),
            ("HELD", lambda r: f"{r['held']}/{r['size'] if r['size'] is not None else '?'}"),
            ("WAITING", lambda r: r["waiting"]),
            ("ID", lambda r: r["id"]),
        ],
        empty="nobody holds a lock or waits for one",
    )


@lock_app.command("show")
def lock_show(name: Annotated[str, typer.Argument(help="A lock's name (beam, limits/licences) or id.")]) -> None:
    """Who holds a lock, and who is next."""
    found = connect().get(f"{_base('locks')}/{segment(_lock(connect(), name)['id'])}")
    if OPTIONS.json:
        output.print_json(found)
        return
    size = found["size"] if found["size"] is not None else "unknown"
    output.fields_out(found, [("lock", found["name"]), ("size", size), ("held", found["held"])])
    print()
    output.rows_out(
        [{**p, "what": "holds"} for p in found["holders"]] + [{**p, "what": "waits"} for p in found["waiters"]],
        [
            ("", lambda p: p["what"]),
            ("RUN", lambda p: p["run_name"]),
            ("STEP", lambda p: p["node_name"] or "(the run)"),
            ("SINCE", lambda p: output.ago(p["held_at_ms"] or p["asked_at_ms"])),
        ],
        empty="nobody holds it or waits for it",
    )


@lock_app.command("break")
def lock_break(
    name: Annotated[str, typer.Argument(help="A lock's name (beam, limits/licences) or id.")],
    run: Annotated[str, typer.Option(help="The run that holds it: id, job number or name.")],
    step: Annotated[str, typer.Option(help="Its step that holds it, where several do.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a lock from its holder, which is not stopped; who is next gets it (maintainers)."""
    client = connect()
    holder = find_run(client, run)
    found = client.get(f"{_base('locks')}/{segment(_lock(client, name)['id'])}")
    held = [
        p
        for p in found["holders"]
        if p["run_id"] == holder["id"] and (not step or step in (p["node_name"], p["node_id"]))
    ]
    if len(held) != 1:
        raise CliError(
            f"run {holder['name']} holds {found['name']} {len(held)} times" if held else f"run {holder['name']} does not hold {found['name']}",
            try_=f"fubini lock show {name}" + ("   (then --step)" if held else ""), exit_code=Exit.USAGE if held else Exit.NOT_FOUND,
        )  # fmt: skip
    if not yes and sys.stdin.isatty():
        typer.confirm(f"{holder['name']} goes on as if it had {found['name']}. Take it away?", abort=True)
    after = client.post(
        f"{_base('locks')}/{segment(found['id'])}/break", {"run": holder["id"], "node": held[0]["node_id"]}
    )
    output.show(
        after, f"taken from {holder['name']}; held by {', '.join(p['run_name'] for p in after['holders']) or 'nobody'}"
    )


@lock_app.command("size")
def lock_size(key: str, size: Annotated[int, typer.Argument(min=0, help="0 forgets it.")]) -> None:
    """How many may hold a database semaphore. Those of a ConfigMap: fubini config set."""
    address = f"{_base('semaphores')}/{segment(key)}"
    if size == 0:
        connect().delete(address)
        output.show({"key": key, "size": None}, f"semaphore {key} has no size now")
        return
    made = connect().put(address, {"size": size})
    output.show(made, f"semaphore {key} lets {size} in")


# --- caches ------------------------------------------------------------------------------------------------------


@cache_app.command("list")
def cache_list(name: Annotated[str, typer.Argument(help="Entries of this cache.")] = "") -> None:
    """Caches of the project, or the entries of one."""
    if name:
        output.rows_out(
            connect().pages(f"{_base('caches')}/{segment(name)}"),
            [
                ("KEY", lambda e: e["key"]),
                ("HITS", lambda e: e["hits"]),
                ("MADE", lambda e: output.ago(e["created_at_ms"])),
                ("LAST FOUND", lambda e: output.ago(e["hit_at_ms"]) if e["hits"] else "never"),
                ("RUN", lambda e: e["run_id"]),
            ],
            empty=f"cache {name} has no entries",
        )
        return
    output.rows_out(
        connect().get(_base("caches")),
        [
            ("CACHE", lambda c: c["name"]),
            ("ENTRIES", lambda c: c["entries"]),
            ("HITS", lambda c: c["hits"]),
            ("OLDEST", lambda c: output.ago(c["oldest_at_ms"])),
        ],
        empty="no results are kept yet: a template needs `memoize`",
    )


@cache_app.command("drop")
def cache_drop(name: str, key: Annotated[str, typer.Option(help="Only this key.")] = "") -> None:
    """Forget a cache, so that its steps run again."""
    gone = connect().delete(f"{_base('caches')}/{segment(name)}", params={"key": key} if key else None)
    output.show(gone, f"dropped {gone['entries']} of {name}")
