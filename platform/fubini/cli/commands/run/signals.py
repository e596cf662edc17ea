"""What people do to a run that is there: stop, suspend, resume, retry, resubmit. Part of `fubini run`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.commands.pipelines import parameters_of
from fubini.cli.commands.run.given import Parameters, Ref, find
from fubini.cli.commands.run.quote import quote_line
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit
from fubini.language import durations, quantities
from fubini.language.errors import LanguageError


def add_to(run_app: typer.Typer) -> None:
    run_app.command("cancel")(run_cancel)
    run_app.command("stop")(run_stop)
    run_app.command("terminate")(run_terminate)
    run_app.command("suspend")(run_suspend)
    run_app.command("resume")(run_resume)
    run_app.command("set")(run_set)
    run_app.command("retry")(run_retry)
    run_app.command("resubmit")(run_resubmit)


WAIT_S = 3.0  # for the engine to take an action up, so that a refusal is told at once


def _signal(ref: str, kind: str, said: str, body: dict[str, Any] | None = None) -> None:
    client = connect()
    run = find(client, ref)
    answer = client.post(f"/runs/{segment(run['id'])}/{kind}", body or {})
    until = time.monotonic() + WAIT_S
    while (body or {}).get("selector") and time.monotonic() < until:
        newest = next(iter(client.pages(f"/runs/{segment(run['id'])}/signals", limit=1)), None)
        if newest is not None and newest["kind"] == kind and newest["handled_at_ms"] is not None:
            if newest["refused"]:
                raise CliError(f"{run['name']}: {newest['refused']}", exit_code=Exit.CONFLICT)
            break
        time.sleep(0.1)
    output.show(answer, f"{run['name']}: {said}")


def run_cancel(ref: Ref) -> None:
    """End a run now: running steps are killed, exit handlers do not run."""
    _signal(ref, "cancel", "is being cancelled")


def run_stop(
    ref: Ref,
    node: Annotated[str, typer.Option("--node", "--selector", help="End only these suspended nodes, as Failed.")] = "",
    message: Annotated[str, typer.Option(help="Shown on the node.")] = "",
) -> None:
    """End a run: running steps end, exit handlers still run. With --node, fail suspended nodes instead."""
    said = "the suspended nodes fail" if node else "is being stopped"
    _signal(ref, "stop", said, {"selector": node, "message": message})


def run_terminate(ref: Ref) -> None:
    """The same as cancel, in Argo's word."""
    _signal(ref, "terminate", "is being terminated")


def run_suspend(ref: Ref) -> None:
    """Start no new step of a run; running ones finish."""
    _signal(ref, "suspend", "starts no new step")


def run_resume(
    ref: Ref,
    selector: Annotated[
        str, typer.Option("--node", "--selector", help="Which suspended nodes, such as displayName=approve.")
    ] = "",
    set_output: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE for a supplied output.")] = None,
    message: Annotated[str, typer.Option(help="Shown on the node.")] = "",
) -> None:
    """Let a suspended run, or some of its suspended nodes, go on."""
    body = {"selector": selector, "outputs": parameters_of(set_output), "message": message}
    _signal(ref, "resume", "goes on", body)


def run_set(
    ref: Ref,
    node: Annotated[str, typer.Option("--node", "--selector", help="Which suspended nodes: displayName=approve.")],
    set_output: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE for a supplied output.")] = None,
    message: Annotated[str, typer.Option(help="Shown on the node.")] = "",
    phase: Annotated[str, typer.Option(help="Succeeded, Failed or Error ends the nodes.")] = "",
) -> None:
    """Fill in suspended nodes; without --phase they go on waiting."""
    body = {"selector": node, "outputs": parameters_of(set_output), "message": message, "phase": phase}
    _signal(ref, "set", "is set", body)


def run_retry(
    ref: Ref,
    node: Annotated[
        str,
        typer.Option(
            "--node", "--selector", help="Which steps the changes are for, such as templateName=train,phase=Failed."
        ),
    ] = "",
    restart_successful: Annotated[
        bool, typer.Option("--restart-successful", help="Run what --node selects again even if it succeeded.")
    ] = False,
    memory: Annotated[str, typer.Option(help="Another memory for this generation: 3Gi.")] = "",
    walltime: Annotated[str, typer.Option(help="Another walltime for this generation: 1h30m.")] = "",
    image: Annotated[str, typer.Option(help="Another image for this generation.")] = "",
    parameter: Parameters = None,
    suggested: Annotated[
        bool, typer.Option("--suggested", help="Take the memory and walltime the failed attempts' measurements advise.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask after showing the quote.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show quote and advice, start nothing.")] = False,
) -> None:
    """Run again what failed; what succeeded is kept. Changes hold for the new generation only, which is quoted first."""
    client = connect()
    run = find(client, ref)
    base = f"/runs/{segment(run['id'])}/retry"
    body: dict[str, Any] = {
        "selector": node,
        "restart_successful": restart_successful,
        "parameters": parameters_of(parameter),
        "image": image,
    }
    if memory:
        body["memory_bytes"] = _read(quantities.whole, memory, "--memory")
    if walltime:
        body["walltime_s"] = _read(durations.parse_walltime_s, walltime, "--walltime")
    found = client.send("POST", f"{base}/proposal", body=body)
    if suggested:
        advised: dict[str, int] = {}
        for advice in found["advice"]:
            if advice["proposed"] is not None:
                advised[advice["what"]] = max(advised.get(advice["what"], 0), advice["proposed"])
        body = {**advised, **body}
        found = client.send("POST", f"{base}/proposal", body=body)
    if dry_run:
        output.show(found, lambda: proposal_text(found, body))
        return
    if not OPTIONS.json:
        output.note(proposal_text(found, body))
    if found["refused"]:
        raise CliError(f"{run['name']} cannot be retried so: {found['refused']}", exit_code=Exit.CONFLICT)
    if not yes:
        if not output.is_terminal(sys.stdin):
            raise CliError(
                "a retry spends money, and there is nobody to ask", try_="the same with --yes", exit_code=Exit.USAGE
            )
        typer.confirm("Run it?", abort=True, err=True)
    answer = client.post(base, body)
    output.show(answer, f"{run['name']}: runs its failed steps again, in generation {found['generation']}")


def _read(reader: Callable[[str], int], text: str, name: str) -> int:
    try:
        return reader(text)
    except LanguageError as error:
        raise CliError(f"{name} {text!r}: {error.message}", exit_code=Exit.USAGE) from None


def proposal_text(found: dict[str, Any], body: dict[str, Any]) -> str:
    """A retry before it starts: what the failures advise, what would run, at what cost."""
    lines = []
    for advice in found["advice"]:
        lines.append(output.plain(f"{advice['template']} ({advice['nodes']} failed): {advice['evidence']}"))
        if advice["what"] and body.get(advice["what"]) is None:
            flag = "--memory" if advice["what"] == "memory_bytes" else "--walltime"
            value = f"{advice['proposed'] // 2**20}Mi" if flag == "--memory" else f"{advice['proposed']}s"
            lines.append(
                f"  try: {flag} {value} --node templateName={output.plain(advice['template'])}, or --suggested"
            )
    if found["quote"]:
        quote = found["quote"]
        lines.append(quote_line(quote))
        for row in quote["rows"]:
            if not any(pool["feasible"] for pool in row["pools"]):
                why = row["pools"][0]["reason"] if row["pools"] else "there is no pool"
                lines.append(output.plain(f"{row['template']} fits no pool: {why}"))
    return "\n".join(lines)


def run_resubmit(
    ref: Ref,
    parameter: Parameters = None,
    name: Annotated[str, typer.Option(help="Another name.")] = "",
    memoized: Annotated[bool, typer.Option("--memoized", help="Do not run again what succeeded.")] = False,
) -> None:
    """Submit the same manifest again, as a new run."""
    client = connect()
    run = find(client, ref)
    body = {"parameters": parameters_of(parameter), "name": name, "memoized": memoized}
    made = client.post(f"/runs/{segment(run['id'])}/resubmit", body)
    output.show(made, made["id"])
    output.note(f"submitted {made['name']} as job {made['job_number']}")
