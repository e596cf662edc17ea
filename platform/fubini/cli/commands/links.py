"""`fubini share`: short addresses of views of a project, as the page's Share button makes them."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from typer.core import TyperGroup

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.commands.run.given import find
from fubini.cli.errors import CliError, Exit

TABS = ("graph", "timeline", "steps", "placement", "artifacts", "cost", "events", "manifest")


class ShareGroup(TyperGroup):
    """`fubini share WHAT` means `fubini share make WHAT`: the word that is no command is what to share."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["make", *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


share_app = typer.Typer(
    cls=ShareGroup, no_args_is_help=True, help="Short addresses of views, for members: fubini share ADDRESS|RUN."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(share_app, name="share")


@share_app.command("make")
def share_make(
    what: Annotated[
        str,
        typer.Argument(metavar="ADDRESS|RUN", help="A page's address or path, or a run: id, job number, name, @last."),
    ],
    tab: Annotated[str, typer.Option(help=f"Of a run: {', '.join(TABS)}.")] = "",
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it lives.")] = 30,
    note: Annotated[str, typer.Option(help="What there is to see, for the list of links.")] = "",
) -> None:
    """Make a link (the word `make` may be left out). It gives no right: who opens it must be a member."""
    client = connect()
    body = {"address": _address(client, what, tab), "days": days, "note": note}
    made = client.post(_base(client), body)
    output.show({**made, "url": _url(client, made)}, _url(client, made))
    output.note(f"leads to {made['address']}, until {output.ago(made['expires_at_ms'])}")


@share_app.command("list")
def share_list() -> None:
    """The project's links that were not revoked."""
    client = connect()
    output.rows_out(
        [{**row, "url": _url(client, row)} for row in client.pages(_base(client))],
        [
            ("LINK", lambda r: r["url"]),
            ("LEADS TO", lambda r: r["address"]),
            ("NOTE", lambda r: r["note"]),
            ("BY", lambda r: r["created_by"].removeprefix("user:")),
            ("ENDS", lambda r: output.ago(r["expires_at_ms"])),
        ],
        empty="no links yet: fubini share RUN",
    )


@share_app.command("revoke")
def share_revoke(
    link: Annotated[str, typer.Argument(metavar="LINK", help="The link, its code (what is behind /s/) or its id.")],
) -> None:
    """End a link: its maker may, and maintainers."""
    client = connect()
    code = urlsplit(link).path.rstrip("/").rpartition("/")[2]
    for row in client.pages(_base(client)):
        if code in (row["code"], row["id"]):
            client.delete(f"{_base(client)}/{segment(row['id'])}")
            output.show({"id": row["id"], "revoked": True}, f"revoked {_url(client, row)}")
            return
    raise CliError(f"project {client.project} has no link {link!r}", try_="fubini share list", exit_code=Exit.NOT_FOUND)


def _base(client: Client) -> str:
    return f"/projects/{segment(client.project)}/links"


def _url(client: Client, link: dict[str, Any]) -> str:
    return f"{client.where.url.rstrip('/')}/s/{link['code']}"


def _address(client: Client, what: str, tab: str) -> str:
    """Path, query and fragment of the view: from a page's address as it is, or of a run's page."""
    parts = urlsplit(what)
    if what.startswith("/") or parts.scheme in ("http", "https"):
        if tab:
            raise CliError(
                "--tab is for runs", why="an address says itself what it shows", try_="fubini share RUN --tab steps",
                exit_code=Exit.USAGE,
            )  # fmt: skip
        return (
            parts.path + (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
        )
    if tab and tab not in TABS:
        raise CliError(f"a run's page has no tab {tab!r}", why=f"it has {', '.join(TABS)}", exit_code=Exit.USAGE)
    return f"/runs/{find(client, what)['id']}" + (f"/{tab}" if tab else "")
