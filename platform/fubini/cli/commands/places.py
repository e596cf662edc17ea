"""What a project can see: projects, sites, pools, pauses, events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit

project_app = typer.Typer(no_args_is_help=True, help="Projects you are a member of.")
pool_app = typer.Typer(no_args_is_help=True, help="Pools: where steps can run, and at what price.")
site_app = typer.Typer(no_args_is_help=True, help="Sites.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(project_app, name="project")
    app.command("projects")(project_list)
    app.add_typer(pool_app, name="pool")
    app.command("pools")(pool_list)
    app.add_typer(site_app, name="site")
    app.command("sites")(site_list)
    app.command()(pause)
    app.command()(unpause)
    app.command()(cordon)
    app.command()(uncordon)
    app.command()(events)


@project_app.command("list")
def project_list() -> None:
    """Projects you can see."""
    output.rows_out(
        connect().pages("/projects"),
        [
            ("PROJECT", lambda p: p["slug"]),
            ("TITLE", lambda p: p["title"]),
            ("ROLE", lambda p: p["my_role"]),
            ("SHARE", lambda p: p["share"]),
            ("PAUSED", lambda p: p["paused_reason"]),
        ],
        empty="no projects: ask an administrator, or fubini project create NAME",
    )


@project_app.command("create")
def project_create(slug: str, title: Annotated[str, typer.Option()] = "") -> None:
    """Make a project of yours; an administrator gives it a budget."""
    made = connect().post("/projects", {"slug": slug, "title": title})
    output.show(made, f"made the project {made['slug']}")


@project_app.command("show")
def project_show(slug: Annotated[str, typer.Argument()] = "") -> None:
    """A project with its members and budget."""
    client = connect()
    ref = segment(slug or client.project)
    found = client.get(f"/projects/{ref}")
    found["budget"] = client.get(f"/projects/{ref}/budget")
    found["members"] = list(client.pages(f"/projects/{ref}/members"))
    limit = found["default_max_cost_micros"]
    output.fields_out(
        found,
        [
            ("project", found["slug"]),
            ("title", found["title"]),
            ("role", found["my_role"]),
            ("share", found["share"]),
            ("cost limit of a run", output.money(limit) if limit is not None else ""),
            ("paused", found["paused_reason"]),
            ("budget left", output.money(found["budget"]["budget_micros"])),
            ("held", output.money(found["budget"]["held_micros"])),
            ("spent", output.money(found["budget"]["spent_micros"])),
            ("members", ", ".join(f"{m['username']} ({m['role']})" for m in found["members"])),
        ],
    )


@project_app.command("member")
def project_member(
    username: str,
    role: Annotated[str, typer.Argument(help="owner, maintainer, member, viewer, or none to end it.")],
) -> None:
    """Give somebody a role in the project, or end the membership."""
    client = connect()
    members = f"/projects/{segment(client.project)}/members"
    if role == "none":
        client.delete(f"{members}/{segment(username)}")
        output.show({"username": username, "role": None}, f"{username} is no member of {client.project} any more")
        return
    known = {m["username"].lower() for m in client.pages(members)}
    if username.lower() in known:
        made = client.patch(f"{members}/{segment(username)}", {"role": role})
    else:
        made = client.post(members, {"username": username, "role": role})
    output.show(made, f"{made['username']} is {made['role']} of {client.project}")


@project_app.command("token")
def project_token(
    name: str,
    role: Annotated[str, typer.Option(help="viewer, member or maintainer.")] = "member",
    days: Annotated[int | None, typer.Option(help="Days until it expires; default: never.", min=1)] = None,
) -> None:
    """Make a machine token of the project; its text is printed once, alone, on standard output."""
    from fubini.cli.commands.access import expiry

    client = connect()
    body = {"name": name, "role": role, "expires_at": expiry(days)}
    made = client.send("POST", f"/projects/{segment(client.project)}/tokens", body=body)
    output.show(made, str(made["token"]))


@project_app.command("tokens")
def project_tokens(revoke: Annotated[str, typer.Option(help="Revoke the token with this id.")] = "") -> None:
    """The project's machine tokens."""
    from fubini.cli.commands.access import TOKEN_COLUMNS

    client = connect()
    path = f"/projects/{segment(client.project)}/tokens"
    if revoke:
        client.delete(f"{path}/{segment(revoke)}")
        output.show({"id": revoke, "revoked": True}, f"revoked {revoke}")
        return
    output.rows_out(client.pages(path), TOKEN_COLUMNS, empty="no machine tokens")


# --- places ------------------------------------------------------------------------------------------------------


def price_text(price: Mapping[str, Any] | None) -> str:
    """A pool's rates in one line, in currency units an hour."""
    if not price:
        return "free"
    parts = [f"{output.money(price['core_hour_micros'])}/core h"] if price["core_hour_micros"] else []
    if price["memory_gib_hour_micros"]:
        parts.append(f"{output.money(price['memory_gib_hour_micros'])}/GiB h")
    parts += [f"{output.money(m)}/{name.split('/')[-1]} h" for name, m in sorted(price["device_hour_micros"].items())]
    if price["start_micros"]:
        parts.append(f"{output.money(price['start_micros'])}/start")
    if price["egress_gib_micros"]:
        parts.append(f"{output.money(price['egress_gib_micros'])}/GiB out")
    return ", ".join(parts) or "free"


def hardware_text(pool: Mapping[str, Any]) -> str:
    """What a pool's node groups offer; a declared accelerator says "simulated"."""
    parts = []
    for group in pool["node_groups"]:
        cores = group["nodes"] * group["cpu_millis"] / 1000
        text = f"{cores:g} core{'' if cores == 1 else 's'}, {output.size(group['nodes'] * group['memory_bytes'])}"
        if group["accelerator"]:
            count = sum(group["devices"].values()) * group["nodes"]
            kind = group["accelerator"] + (" (simulated)" if group["simulated"] else "")
            text += f", {count} x {kind}" if count else f", {kind}"
        parts.append(text)
    return "; ".join(parts)


def link_text(pool: Mapping[str, Any]) -> str:
    """How fast bytes come into the pool's site, and where that figure is from."""
    rate = pool["bandwidth_bytes_per_s"]
    if rate is None:
        return "-"
    return f"{output.size(rate)}/s{'' if pool['bandwidth_measured_bytes'] else ' (declared)'}"


POOL_COLUMNS: list[tuple[str, Any]] = [
    ("SITE", lambda p: p["site"]),
    ("POOL", lambda p: p["name"]),
    ("KIND", lambda p: p["kind"]),
    ("HARDWARE", hardware_text),
    ("SLOTS", lambda p: p["max_running"]),
    ("WALLTIME", lambda p: output.duration(p["max_walltime_s"]) if p["max_walltime_s"] else "-"),
    ("PRICE", lambda p: price_text(p["price"])),
    ("LINK", link_text),
    ("STATE", lambda p: f"paused: {p['paused_reason']}" if p["paused_reason"] else pool_state(p)),
]


def pool_state(pool: Mapping[str, Any]) -> str:
    agents = pool["agents"]
    if not agents:
        return "no agent"
    newest = max((a["last_sync_at"] or "" for a in agents), default="")
    return f"heard {output.ago(newest)}" if newest else "silent"


@pool_app.command("list")
def pool_list() -> None:
    """Pools that serve your projects, in local-first order."""
    output.rows_out(connect().pages("/pools"), POOL_COLUMNS, empty="no pools serve your projects")


def find_pool(client: Client, name: str) -> dict[str, Any]:
    """A pool by `site/pool`, by its name if only one has it, or by id."""
    site, slash, pool = name.rpartition("/")
    rows = list(client.pages("/pools", name=pool or name, site=site if slash else None))
    if len(rows) == 1:
        return rows[0]
    if len(rows) > 1:
        raise CliError(
            f"more than one pool is named {name!r}",
            why="at " + ", ".join(row["site"] for row in rows),
            try_=f"say which: {rows[0]['site']}/{name}",
            exit_code=Exit.USAGE,
        )
    for row in client.pages("/pools"):
        if row["id"] == name:
            return row
    raise CliError(f"no pool {name!r}", try_="fubini pools", exit_code=Exit.NOT_FOUND)


@pool_app.command("show")
def pool_show(name: str) -> None:
    """One pool with its price book."""
    client = connect()
    found = find_pool(client, name)
    found["prices"] = list(client.pages(f"/pools/{segment(found['id'])}/prices", limit=20))
    output.fields_out(
        found,
        [
            ("pool", f"{found['site']}/{found['name']}"),
            ("id", found["id"]),
            ("kind", found["kind"]),
            ("hardware", hardware_text(found)),
            ("slots", found["max_running"]),
            ("walltime limit", output.duration(found["max_walltime_s"]) if found["max_walltime_s"] else ""),
            ("price", price_text(found["price"])),
            ("price versions", len(found["prices"])),
            ("labels", json.dumps(found["labels"]) if found["labels"] else ""),
            ("kept for", ", ".join(found["projects"])),
            ("agents", ", ".join(f"{a['name']} (heard {output.ago(a['last_sync_at'])})" for a in found["agents"])),
            ("paused", found["paused_reason"]),
            ("drains", output.ago(found["drain_at_ms"]) if found["drain_at_ms"] else ""),
            (
                "cordoned",
                ", ".join(
                    f"{g['name']} node {c['node']} ({c['reason']})" for g in found["node_groups"] for c in g["cordons"]
                ),
            ),
        ],
    )


@site_app.command("list")
def site_list() -> None:
    """Sites that serve your projects."""
    output.rows_out(
        connect().pages("/sites"),
        [
            ("SITE", lambda s: s["name"]),
            ("TITLE", lambda s: s["title"]),
            ("REGION", lambda s: s["region"]),
            ("PREFERENCE", lambda s: s["preference"]),
        ],
    )


# --- pause and the stream ----------------------------------------------------------------------------------------


def pause(
    reason: Annotated[str, typer.Argument(help="Why; every waiting step repeats it.")],
    pool: Annotated[str, typer.Option(help="Only this pool (SITE/POOL).")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every pool and project.")] = False,
) -> None:
    """Start no new steps (of the project, of a pool, or at all); running steps finish."""
    client = connect()
    path, what = _pause_target(client, pool, everything)
    answer = client.post(path, {"reason": reason})
    output.show(answer, f"paused {what}: {reason}")


def unpause(
    pool: Annotated[str, typer.Option(help="Only this pool (SITE/POOL).")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every pool and project.")] = False,
) -> None:
    """Go on after `pause`."""
    client = connect()
    path, what = _pause_target(client, pool, everything)
    answer = client.delete(path)
    output.show(answer, f"{what} goes on")


def cordon(
    where: Annotated[str, typer.Argument(help="A pool (SITE/POOL), or with --node a node group (SITE/GROUP).")],
    reason: Annotated[str, typer.Argument(help="Why; every waiting step repeats it.")],
    drain: Annotated[
        int | None, typer.Option(min=0, max=30 * 86_400, help="Give back what still runs after so many seconds.")
    ] = None,
    node: Annotated[list[int] | None, typer.Option(min=0, help="Only this node of the group; repeatable.")] = None,
) -> None:
    """No new steps in a pool or on a node; running ones finish, or with --drain come back later and run again elsewhere."""
    client = connect()
    body: dict[str, Any] = {"reason": reason} | ({} if drain is None else {"grace_s": drain})
    path, what = _cordon_target(client, where, node)
    made = client.post(path, body | ({"nodes": node} if node else {}))
    then = "running steps finish" if drain is None else f"what still runs in {output.duration(drain)} is given back"
    output.show(made, f"{what} takes no new steps ({reason}); {then}")


def uncordon(
    where: Annotated[str, typer.Argument(help="A pool (SITE/POOL), or with --node a node group (SITE/GROUP).")],
    node: Annotated[list[int] | None, typer.Option(min=0, help="Only this node of the group; repeatable.")] = None,
) -> None:
    """Let a pool and all its nodes, or some nodes of a group, take steps again."""
    client = connect()
    path, what = _cordon_target(client, where, node)
    made = client.post(path.removesuffix("cordon") + "uncordon", {"nodes": node}) if node else client.delete(path)
    output.show(made, f"{what} takes steps again")


def _cordon_target(client: Client, where: str, nodes: list[int] | None) -> tuple[str, str]:
    if not nodes:
        found = find_pool(client, where)
        return f"/pools/{segment(found['id'])}/cordon", f"pool {found['site']}/{found['name']}"
    site, slash, group = where.partition("/")
    if not slash:
        raise CliError(
            f"{where!r} names no node group", try_="fubini cordon SITE/GROUP REASON --node 0", exit_code=Exit.USAGE
        )
    named = ", ".join(str(index) for index in nodes)
    return f"/sites/{segment(site)}/node-groups/{segment(group)}/cordon", f"node {named} of {site}/{group}"


def _pause_target(client: Client, pool: str, everything: bool) -> tuple[str, str]:
    if everything:
        return "/pause", "everything"
    if pool:
        found = find_pool(client, pool)
        return f"/pools/{segment(found['id'])}/pause", f"pool {found['site']}/{found['name']}"
    return f"/projects/{segment(client.project)}/pause", f"project {client.project}"


def events(
    run: Annotated[str, typer.Option(help="Only of this run.")] = "",
    topic: Annotated[str, typer.Option(help="Only of this topic: run, node, task, attempt, lease, hold, ...")] = "",
    after: Annotated[str, typer.Option(help="Go on behind this number.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until interrupted.")] = False,
) -> None:
    """The ordered stream of what happened; with --json one object a line."""
    from fubini.cli.stream import event_pages

    client = connect()
    for event in event_pages(client, run=run, topic=topic, after=after, follow=follow):
        if OPTIONS.json:
            print(json.dumps(event, ensure_ascii=False), flush=True)
        else:
            move = f"{event['from_state']} -> {event['to_state']}" if event.get("to_state") else ""
            at = output.parse_time(event.get("at_ms") or event.get("at"))
            clock = at.astimezone().strftime("%H:%M:%S") if at else "-"
            words = [str(event.get("seq", "")), clock, event["kind"], output.short(event["entity_id"]), move]
            print(output.plain("  ".join(word for word in words if word)), flush=True)
