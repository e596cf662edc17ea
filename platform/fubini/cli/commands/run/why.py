"""`fubini why`: why a run or a step is where it is, when it starts, and making or asking for what starts it now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.commands.run.given import Ref, find
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit


def why(
    ref: Ref,
    node: Annotated[str, typer.Argument(help="One step, by name or id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many waiting steps to explain.")] = 10,
    apply: Annotated[
        int, typer.Option("--apply", min=0, max=9, help="Make the changes of that option (1 is the first).")
    ] = 0,
    ask: Annotated[
        int, typer.Option("--ask", min=0, max=9, help="Ask those who may to make the changes of that option.")
    ] = 0,
    only: Annotated[bool, typer.Option("--only", help="With --apply: for this step alone, not those like it.")] = False,
) -> None:
    """Why a run, or one of its steps, is where it is, when it starts, and the smallest changes that start it now."""
    from fubini.cli.watch import tasks_named

    client = connect()
    run = find(client, ref)
    if node:
        waiting = _waits_for_lock(client, run["id"], node)
        if waiting is not None:
            output.show(waiting, f"{waiting['display_name']}: {waiting['message']} See: fubini lock list")
            return
        task = tasks_named(client, run["id"], node)[-1]
        path = f"/tasks/{segment(task['id'])}"
        start = client.get(f"{path}/start")
        if apply:
            _change_made(client, path, start, apply, like=not only)
            return
        if ask:
            told = client.post(f"{path}/start/ask", {"changes": _changes_of(start, ask)})
            output.show(told, f"{told['people']} told; ask again in an hour at the earliest")
            return
        found = client.get(f"{path}/why")
        text = "\n".join(filter(None, [why_text(task["display_name"], found), start_text(start)]))
        output.show({**found, "start": start}, text)
        return
    if apply or ask:
        raise CliError("--apply and --ask are of one step", try_="fubini why RUN STEP --apply 1", exit_code=Exit.USAGE)
    found = client.get(f"/runs/{segment(run['id'])}/why", limit=limit)
    if OPTIONS.json:
        output.print_json(found)
        return
    print(output.plain(f"{run['name']}: {found['sentence']}"))
    for group in found["groups"]:
        since = f" for {output.ago(group['since_ms']).removesuffix(' ago')}" if group["since_ms"] else ""
        print(output.plain(f"  {group['tasks']} step(s){since}: {group['sentence'] or group['code']}"))
        if group["next_step"]:
            print(f"    try: {output.plain(group['next_step'])}")


def _waits_for_lock(client: Client, run_id: str, node: str) -> dict[str, Any] | None:
    """A step that waits for a lock: it has no task yet."""
    rows = client.pages(f"/runs/{segment(run_id)}/nodes", search=node, phase="Pending")
    found = [row for row in rows if row["waiting_for"] and node in (row["display_name"], row["node_id"])]
    return found[-1] if found else None


def _change_made(client: Client, path: str, start: dict[str, Any], number: int, *, like: bool) -> None:
    """Make the changes of one option, as it was just shown."""
    made = client.post(f"{path}/start", {"changes": _changes_of(start, number), "like": like})
    also = f" ({made['tasks']} waiting steps ask so now)" if made["tasks"] > 1 else ""
    output.show(made, output.plain(f"done: {' '.join(made['done'])}{also}"))


def _changes_of(start: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The changes of one option as they are sent back."""
    options = start["options"]
    if number > len(options):
        raise CliError(
            f"there is no option {number}",
            why=f"there are {len(options)}",
            try_="fubini why RUN STEP",
            exit_code=Exit.USAGE,
        )
    named = ("kind", "amount", "word", "pool_id", "member")
    return [{k: change[k] for k in named if change[k]} for change in options[number - 1]["changes"]]


def start_text(found: dict[str, Any]) -> str:
    """When a waiting step starts and what would start it now; what made a failed one fail and what to change."""
    lines: list[str] = []
    if failure := found["failure"]:
        lines.append(f"  {failure['sentence']}")
        lines += [f"    | {line}" for line in failure["log"]]
    if expected := found["expected"]:
        when = "not in sight" if expected["at_ms"] is None else output.ago(expected["at_ms"])
        if expected["low_ms"] is not None:
            when += f" (between {output.ago(expected['low_ms'])} and {output.ago(expected['high_ms'])})"
        lines += [f"  expected start: {when}", f"    {expected['basis']}"]
    if found["starts_now"]:
        lines.append("  it has all it needs: the next cycle places it")
    for number, option in enumerate(found["options"], start=1):
        whose = (
            "" if option["allowed"] else f" [{', '.join(sorted({c['who'] for c in option['changes'] if c['who']}))}]"
        )
        lines.append(f"  option {number}: {option['sentence']}{whose}")
    if any(option["allowed"] for option in found["options"]):
        lines.append("  make one: fubini why RUN STEP --apply NUMBER")
    elif found["options"]:
        lines.append("  ask those who may: fubini why RUN STEP --ask NUMBER")
    if not found["complete"]:
        lines.append("  the queue is too long to look at everything: there may be smaller changes")
    return "\n".join(output.plain(line) for line in lines)


def place_text(place: dict[str, Any], best_finish_ms: int) -> str:
    """One place that was considered: its price, what had to move there, and how much later the step would have ended."""
    parts = [output.money(place["price_micros"]) if place["price_micros"] else "free"]
    if place["bytes_to_move"]:
        parts.append(f"{output.size(place['bytes_to_move'])} to move in {place.get('transfer_ms', 0) / 1000:.1f} s")
    later_s = (place["finish_ms"] - best_finish_ms) / 1000
    if later_s:
        parts.append(f"ends {abs(later_s):.1f} s {'later' if later_s > 0 else 'sooner'}")
    chosen = "chosen" if place["not_chosen"] is None else f"not chosen: {place['not_chosen']}"
    return f"{place['pool']}: {', '.join(parts)} ({chosen})"


def why_text(name: str, found: dict[str, Any]) -> str:
    lines = [f"{name}: {found['sentence']}"]
    for reason in found["reasons"]:
        lines.append(f"  {reason.get('pool') or 'everywhere'}: {reason.get('sentence') or reason.get('code')}")
    for change in found.get("mapped", ()):
        lines.append(
            f"  {change['what'].replace('_', ' ')} {change['theirs']} is read as {change['ours'] or 'nothing'}"
        )
    placement = found["placement"] or {}
    if placement.get("sentence"):
        lines.append(f"  placed there: {placement['sentence']}")
    for place in placement.get("considered", []):
        lines.append(f"    {place_text(place, placement['considered'][0]['finish_ms'])}")
    if found["next_step"]:
        lines.append(f"  try: {found['next_step']}")
    return "\n".join(output.plain(line) for line in lines)
