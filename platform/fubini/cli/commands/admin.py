"""`fubini admin`: users, sites, agents, pools, prices, budgets. For administrators."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.commands.access import token_app
from fubini.cli.commands.places import POOL_COLUMNS, find_pool, price_text, project_member
from fubini.cli.errors import CliError, Exit

admin_app = typer.Typer(no_args_is_help=True, help="For administrators: users, sites, agents, pools, prices, budgets.")
user_app = typer.Typer(no_args_is_help=True, help="People.")
site_app = typer.Typer(no_args_is_help=True, help="Sites and their join tokens.")
agent_app = typer.Typer(no_args_is_help=True, help="Agents.")
pool_app = typer.Typer(no_args_is_help=True, help="Pools.")
price_app = typer.Typer(no_args_is_help=True, help="Price books.")
budget_app = typer.Typer(no_args_is_help=True, help="Projects' budgets.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(admin_app, name="admin")
    for sub, name in (
        (user_app, "user"),
        (site_app, "site"),
        (agent_app, "agent"),
        (pool_app, "pool"),
        (price_app, "price"),
        (budget_app, "budget"),
    ):
        admin_app.add_typer(sub, name=name)
    admin_app.command("audit")(audit)
    admin_app.command("member")(project_member)
    admin_app.add_typer(token_app, name="token")
    app.add_typer(agent_app, name="agent")  # agents are looked at often enough to be at the top, too


def amount(text: str) -> int:
    """An amount of money as typed, in micros."""
    try:
        return output.micros_of(text)
    except ValueError as error:
        raise CliError(str(error), exit_code=Exit.USAGE) from None


# --- people ------------------------------------------------------------------------------------------------------


@user_app.command("list")
def user_list(search: Annotated[str, typer.Option()] = "") -> None:
    """Users."""
    output.rows_out(
        connect().pages("/users", search=search),
        [
            ("USER", lambda u: u["username"]),
            ("NAME", lambda u: f"{u['first_name']} {u['last_name']}".strip()),
            ("EMAIL", lambda u: u["email"]),
            ("ADMIN", lambda u: "yes" if u["is_admin"] else ""),
            ("STATE", lambda u: "active" if u["is_active"] else "off"),
            ("LAST LOGIN", lambda u: output.ago(u["last_login"])),
        ],
    )


def _password(password_file: Path | None) -> str | None:
    """A password from a file, from standard input (`-`), or asked for twice on a terminal."""
    if password_file is not None:
        text = sys.stdin.read() if str(password_file) == "-" else password_file.read_text(encoding="utf-8")
        return text.strip()
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return None


@user_app.command("create")
def user_create(
    username: str,
    email: Annotated[str, typer.Option()] = "",
    admin: Annotated[bool, typer.Option("--admin", help="An administrator of the installation.")] = False,
    password_file: Annotated[Path | None, typer.Option(help="- for standard input; without, it is asked for.")] = None,
) -> None:
    """Make a user; without a password the user can only be given tokens or sign in another way."""
    body: dict[str, Any] = {"username": username, "is_admin": admin, "password": _password(password_file)}
    if email:
        body["email"] = email
    made = connect().send("POST", "/users", body=body)
    output.show(made, f"made the user {made['username']}")


@user_app.command("password")
def user_password(
    username: str,
    password_file: Annotated[Path | None, typer.Option(help="- for standard input; without, it is asked for.")] = None,
) -> None:
    """Set somebody's password; their sessions end."""
    password = _password(password_file)
    if not password:
        raise CliError("no password given", try_="--password-file FILE, or - for standard input", exit_code=Exit.USAGE)
    connect().send("POST", f"/users/{segment(username)}/password", body={"password": password})
    output.show({"username": username}, f"{username} has a new password")


@user_app.command("set")
def user_set(
    username: str,
    active: Annotated[bool | None, typer.Option("--on/--off", help="Let in, or shut out.")] = None,
    admin: Annotated[bool | None, typer.Option("--admin/--no-admin")] = None,
) -> None:
    """Change what a user may."""
    body = {k: v for k, v in {"is_active": active, "is_admin": admin}.items() if v is not None}
    made = connect().patch(f"/users/{segment(username)}", body)
    state = "active" if made["is_active"] else "off"
    output.show(made, f"{made['username']}: {state}{', administrator' if made['is_admin'] else ''}")


# --- sites and agents --------------------------------------------------------------------------------------------


@site_app.command("create")
def site_create(
    name: str,
    title: Annotated[str, typer.Option()] = "",
    region: Annotated[str, typer.Option()] = "",
    preference: Annotated[int, typer.Option(help="Local-first order: smaller is used first.")] = 100,
) -> None:
    """Make a site."""
    body = {"name": name, "title": title, "region": region, "preference": preference}
    made = connect().post("/sites", body)
    output.show(made, f"made the site {made['name']}; let an agent join: fubini admin site join-token {made['name']}")


@site_app.command("owners")
def site_owners(
    name: str,
    users: Annotated[list[str] | None, typer.Argument(help="Usernames; they replace those there are.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Nobody but administrators.")] = False,
) -> None:
    """Who may pause, cordon and drain there besides administrators; without names, who that is."""
    client = connect()
    path = f"/sites/{segment(name)}"
    made = client.patch(path, {"owners": users or []}) if users or none else client.get(path)
    output.show(made, f"owners of {made['name']}: {', '.join(made['owners']) or 'none'}")


@site_app.command("remove")
def site_remove(name: str) -> None:
    """Remove a site that has nothing left: no agents, no steps of runs that are kept, no copies of data."""
    connect().delete(f"/admin/sites/{segment(name)}")
    output.show({"name": name, "removed": True}, f"removed the site {name} with its pools and their price books")


@site_app.command("join-token")
def site_join_token(
    name: str,
    hours: Annotated[float, typer.Option(help="How long it may be used.", min=0.02, max=168)] = 1.0,
) -> None:
    """Make a one-use token, and print the command that joins an agent with it."""
    made = connect().send("POST", f"/sites/{segment(name)}/join-tokens", body={"ttl_s": int(hours * 3600)})
    output.note("on the machine that joins, once:")
    output.show(made, made["command"])


@agent_app.command("list")
def agent_list(site: Annotated[str, typer.Option()] = "") -> None:
    """Agents, with when they were last heard."""
    output.rows_out(
        connect().pages("/agents", site=site),
        [
            ("SITE", lambda a: a["site"]),
            ("AGENT", lambda a: a["name"]),
            ("ID", lambda a: a["id"]),
            ("ACTS AS", lambda a: a["acts_as"]),
            ("VERSION", lambda a: a["version"]),
            ("HEARD", lambda a: output.ago(a["last_sync_at"])),
            ("PRIVATE ROOT", lambda a: "yes" if a["private_root"] else "no"),
            ("STATE", lambda a: "revoked" if a["revoked_at"] else "draining" if a["draining"] else "on"),
        ],
    )


@agent_app.command("drain")
def agent_drain(id: str, off: Annotated[bool, typer.Option("--off", help="Give it work again.")] = False) -> None:
    """Give an agent no new leases; what it runs goes on."""
    made = connect().patch(f"/agents/{segment(id)}", {"draining": not off})
    output.show(made, f"{made['site']}/{made['name']} {'drains' if made['draining'] else 'takes work again'}")


@agent_app.command("revoke")
def agent_revoke(id: str) -> None:
    """End an agent's credential at once."""
    connect().delete(f"/agents/{segment(id)}")
    output.show({"id": id, "revoked": True}, f"revoked agent {id}; its steps run again elsewhere")


# --- pools, prices, budgets --------------------------------------------------------------------------------------


@pool_app.command("list")
def pool_list() -> None:
    """Pools."""
    output.rows_out(connect().pages("/pools"), POOL_COLUMNS)


@pool_app.command("create")
def pool_create(
    name: Annotated[str, typer.Argument(metavar="SITE/POOL")],
    kind: Annotated[str, typer.Option(help="owned (we fill its slots) or queued (the site queues).")] = "owned",
    slots: Annotated[int | None, typer.Option(help="Most steps at once.", min=1)] = None,
    walltime_s: Annotated[int | None, typer.Option(help="Longest step, in seconds.", min=1)] = None,
    only_for: Annotated[list[str] | None, typer.Option(help="Keep it for this project; again for more.")] = None,
) -> None:
    """Make a pool; agents that name it when they join serve it."""
    site, slash, pool = name.partition("/")
    if not slash:
        raise CliError(f"{name!r} is not SITE/POOL", exit_code=Exit.USAGE)
    body = {
        "name": pool,
        "kind": kind,
        "max_running": slots,
        "max_walltime_s": walltime_s,
        "projects": only_for or [],
    }
    made = connect().post(f"/sites/{segment(site)}/pools", body)
    output.show(made, f"made the pool {made['site']}/{made['name']}")


@pool_app.command("set")
def pool_set(
    name: Annotated[str, typer.Argument(metavar="SITE/POOL")],
    slots: Annotated[int | None, typer.Option(help="Most steps at once; 0: no limit.", min=0)] = None,
    walltime_s: Annotated[int | None, typer.Option(help="Longest step; 0: no limit.", min=0)] = None,
) -> None:
    """Change a pool's limits."""
    client = connect()
    body: dict[str, Any] = {}
    if slots is not None:
        body["max_running"] = slots or None
    if walltime_s is not None:
        body["max_walltime_s"] = walltime_s or None
    made = client.patch(f"/pools/{segment(find_pool(client, name)['id'])}", body)
    output.show(made, f"changed {made['site']}/{made['name']}")


@price_app.command("list")
def price_list(name: Annotated[str, typer.Argument(metavar="SITE/POOL")]) -> None:
    """A pool's price book, newest first."""
    client = connect()
    output.rows_out(
        client.pages(f"/pools/{segment(find_pool(client, name)['id'])}/prices"),
        [
            ("VERSION", lambda p: p["version"]),
            ("FROM", lambda p: p["valid_from"][:19].replace("T", " ")),
            ("RATES", price_text),
            ("BY", lambda p: p["created_by"]),
        ],
        empty="no price: the pool is free",
    )


@price_app.command("set")
def price_set(
    name: Annotated[str, typer.Argument(metavar="SITE/POOL")],
    core_hour: Annotated[str, typer.Option(help="Currency units a core and hour.")] = "0",
    memory_hour: Annotated[str, typer.Option(help="A GiB of memory and hour.")] = "0",
    device_hour: Annotated[list[str] | None, typer.Option(help="NAME=AMOUNT, such as nvidia.com/gpu=2.5.")] = None,
    start: Annotated[str, typer.Option(help="Each step that starts.")] = "0",
    egress: Annotated[str, typer.Option(help="Each GiB that leaves the site.")] = "0",
    begins: Annotated[str, typer.Option("--from", help="A time such as 2026-12-01T00:00:00+08:00; default: now.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only say what it would change.")] = False,
) -> None:
    """Add a price version that applies from now, or from a later time; what was placed before keeps its rates."""
    client = connect()
    devices = dict(text.split("=", 1) for text in device_hour or [] if "=" in text)
    body = {
        "core_hour_micros": amount(core_hour),
        "memory_gib_hour_micros": amount(memory_hour),
        "device_hour_micros": {key: amount(value) for key, value in devices.items()},
        "start_micros": amount(start),
        "egress_gib_micros": amount(egress),
    }
    if begins:
        body["valid_from"] = begins
    path = f"/pools/{segment(find_pool(client, name)['id'])}/prices"
    if check:
        found = client.post(f"{path}/preview", body)
        output.show(found, preview_text(found))
        return
    made = client.post(path, body)
    output.show(made, f"{name}: version {made['version']}: {price_text(made)}")


@price_app.command("export")
def price_export() -> None:
    """All versions of all price books as CSV."""
    sys.stdout.write(connect().send("GET", "/admin/prices.csv", raw=True).text)


@price_app.command("load")
def price_load(
    file: Annotated[
        Path, typer.Argument(help="As `export` writes it, with lines added that have no version; - for standard input.")
    ],
    check: Annotated[bool, typer.Option("--check", help="Only say what it would change.")] = False,
) -> None:
    """Add the new versions of a CSV, all or none; errors come with line and column."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    found = connect().post("/admin/prices/csv", {"csv": text, "check": check})
    made = "would be made" if check else "made"
    output.show(found, "\n".join([*(preview_text(one) for one in found), f"{len(found)} {'version' if len(found) == 1 else 'versions'} {made}"]))


def preview_text(found: dict[str, Any]) -> str:
    """What a version changes, and what a month's use costs under both."""
    begins = found["valid_from"] or "now"
    lines = [f"{found['site']}/{found['pool']} from {begins}:"]
    for one in found["changes"]:
        if one["before_micros"] != one["after_micros"]:
            part = "new" if one["permille"] is None else f"{one['permille'] / 10:+g} %"
            before, after = output.money(one["before_micros"]), output.money(one["after_micros"])
            lines.append(f"  {one['rate'].removesuffix('_micros')}: {before} -> {after} ({part})")
    basis = found["basis"]
    now, then = output.money(found["cost_now_micros"]), output.money(found["cost_then_micros"])
    lines.append(f"  {basis['month']}: {now} -> {then}, from {basis['attempts']} steps")
    return "\n".join(output.plain(line) for line in lines)


@budget_app.command("add")
def budget_add(
    project: str,
    units: Annotated[str, typer.Argument(help="Currency units; negative takes unspent budget back.")],
    note: Annotated[str, typer.Option(help="Why; shown in the statement.")] = "",
    key: Annotated[str, typer.Option(help="An idempotency key; the same key never adds twice.")] = "",
) -> None:
    """Raise (or cut) a project's budget."""
    body = {"amount_micros": amount(units), "note": note}
    made = connect().post(f"/projects/{segment(project)}/budget", body, key=key)
    output.show(made, f"{project} may now spend {output.money(made['budget_micros'])}")


def audit(limit: Annotated[int, typer.Option(min=1)] = 50) -> None:
    """Who changed what, newest first."""
    output.rows_out(
        connect().pages("/audit", limit=limit),
        [
            ("WHEN", lambda a: str(a.get("at") or a.get("created_at") or "")[:19].replace("T", " ")),
            ("WHO", lambda a: a["actor"]),
            ("WHAT", lambda a: a["action"]),
            ("ON", lambda a: a["target"]),
        ],
    )
