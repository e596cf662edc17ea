"""`fubini notices` and `fubini webhook`: what I am told of and where; what a project's programs are sent."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.errors import CliError, Exit

notices_app = typer.Typer(
    no_args_is_help=True, help="What you are told of: ended runs, what waits, money that runs low."
)
webhook_app = typer.Typer(no_args_is_help=True, help="Signed messages to addresses of the project.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(notices_app, name="notices")
    app.add_typer(webhook_app, name="webhook")


@notices_app.command("list")
def notices_list(
    unread: Annotated[bool, typer.Option("--unread", help="Only those not read yet.")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 30,
) -> None:
    """Your notices, the latest first."""
    output.rows_out(
        connect().pages("/notices", limit=limit, unread="true" if unread else None),
        [
            ("WHEN", lambda n: output.ago(n["updated_at_ms"])),
            ("", lambda n: "new" if n["read_at_ms"] is None else ""),
            ("PROJECT", lambda n: n["project"]),
            ("WHAT", lambda n: n["text"]),
            ("TIMES", lambda n: n["count"]),
        ],
        empty="no notices",
    )


@notices_app.command("read")
def notices_read() -> None:
    """Mark all as read."""
    done = connect().post("/notices/read", {})
    output.show(done, f"{done['read']} marked as read")


@notices_app.command("rules")
def notices_rules(
    on: Annotated[
        list[str] | None, typer.Option(help="KIND:CHANNEL to switch on, such as run_succeeded:email.")
    ] = None,
    off: Annotated[
        list[str] | None, typer.Option(help="KIND:CHANNEL to switch off; channels are page and email.")
    ] = None,
    quiet: Annotated[str, typer.Option(help="Hours without e-mail, such as 22:00-07:00; none ends them.")] = "",
    group_minutes: Annotated[
        int | None, typer.Option(help="Tell several of a kind within this time as one.", min=0)
    ] = None,
) -> None:
    """What you are told of and where; with options, change it."""
    body: dict[str, Any] = {}
    for words, value in ((on or [], True), (off or [], False)):
        for word in words:
            kind, _, channel = word.partition(":")
            body.setdefault("channels", {}).setdefault(kind, {})[channel or "page"] = value
    if quiet:
        body |= dict(zip(("quiet_from_minute", "quiet_until_minute"), _hours(quiet), strict=True))
    if group_minutes is not None:
        body["group_minutes"] = group_minutes
    client = connect()
    found = client.patch("/notices/rules", body) if body else client.get("/notices/rules")
    output.rows_out(
        found["kinds"],
        [
            ("KIND", lambda k: k["kind"]),
            ("PAGE", lambda k: "on" if k["page"] else "off"),
            ("EMAIL", lambda k: "on" if k["email"] else "off"),
        ],
    )
    output.note(
        f"e-mail goes to {found['email']}" if found["email"] else "no e-mail address: an administrator can add one"
    )


def _hours(text: str) -> tuple[int | None, int | None]:
    if text == "none":
        return None, None
    try:
        begins, ends = ([int(part) for part in half.split(":")] for half in text.split("-"))
        return begins[0] * 60 + begins[1], ends[0] * 60 + ends[1]
    except (ValueError, IndexError):
        raise CliError(
            f"{text!r} are no hours", try_="write them like 22:00-07:00, or none", exit_code=Exit.USAGE
        ) from None


@notices_app.command("test")
def notices_test() -> None:
    """Send yourself a test, by page and e-mail."""
    connect().post("/notices/test")
    output.show({"sent": True}, "a test is on its way")


# --- webhooks ----------------------------------------------------------------------------------------------------


def _base() -> str:
    return f"/projects/{segment(connect().project)}/webhooks"


def _find(name: str) -> dict[str, Any]:
    for row in connect().pages(_base()):
        if name in (row["name"], row["id"]):
            return row
    raise CliError(f"no webhook {name!r}", try_="fubini webhook list", exit_code=Exit.NOT_FOUND)


@webhook_app.command("list")
def webhook_list() -> None:
    """The project's webhooks."""
    output.rows_out(
        connect().pages(_base()),
        [
            ("NAME", lambda h: h["name"]),
            ("ADDRESS", lambda h: h["url"]),
            ("KINDS", lambda h: ",".join(h["kinds"])),
            ("STATE", lambda h: "on" if h["active"] else f"off: {h['why_inactive']}"),
        ],
        empty="no webhooks",
    )


@webhook_app.command("add")
def webhook_add(
    name: str,
    url: str,
    kind: Annotated[list[str], typer.Option(help="run_succeeded, run_failed, step_waiting, step_suspended, budget.")],
) -> None:
    """Make a webhook; its secret is printed once, alone, on standard output."""
    made = connect().post(_base(), {"name": name, "url": url, "kinds": kind})
    output.show(made, str(made["secret"]))


@webhook_app.command("rotate")
def webhook_rotate(name: str) -> None:
    """A new secret, printed once; the old one signs beside it for a day."""
    made = connect().post(f"{_base()}/{segment(_find(name)['id'])}/secret")
    output.show(made, str(made["secret"]))


@webhook_app.command("test")
def webhook_test(name: str) -> None:
    """Send a test message."""
    row = connect().post(f"{_base()}/{segment(_find(name)['id'])}/test")
    output.show(row, f"message {row['id']} is on its way: fubini webhook messages {name}")


@webhook_app.command("switch")
def webhook_switch(name: str, state: Annotated[str, typer.Argument(help="on or off.")]) -> None:
    """Switch a webhook on or off."""
    row = connect().patch(f"{_base()}/{segment(_find(name)['id'])}", {"active": state == "on"})
    output.show(row, f"{row['name']} is {'on' if row['active'] else 'off'}")


@webhook_app.command("remove")
def webhook_remove(name: str) -> None:
    """Remove a webhook."""
    found = _find(name)
    connect().delete(f"{_base()}/{segment(found['id'])}")
    output.show(found, f"removed {found['name']}")


@webhook_app.command("messages")
def webhook_messages(
    name: str,
    resend: Annotated[str, typer.Option(help="Send the message with this id again, under its own id.")] = "",
    limit: Annotated[int, typer.Option(min=1)] = 20,
) -> None:
    """What a webhook was sent, and what it answered."""
    path = f"{_base()}/{segment(_find(name)['id'])}/messages"
    if resend:
        row = connect().post(f"{path}/{segment(resend)}/resend")
        output.show(row, f"message {row['id']} is on its way again")
        return
    output.rows_out(
        connect().pages(path, limit=limit),
        [
            ("MESSAGE", lambda m: m["id"]),
            ("WHEN", lambda m: output.ago(m["created_at_ms"])),
            ("KIND", lambda m: m["kind"]),
            ("STATE", lambda m: m["state"]),
            ("TRIES", lambda m: m["tries"]),
            ("ANSWER", lambda m: " ".join(str(x) for x in (m["last_status"], m["last_answer"]) if x)),
        ],
    )
