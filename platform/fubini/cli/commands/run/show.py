"""`fubini run list`, `get` and `manifest`: how runs stand, as tables."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.commands.run.given import Ref, find
from fubini.cli.commands.run.quote import reuse_text
from fubini.cli.config import OPTIONS


def costs_text(run: dict[str, Any]) -> str:
    """What a run cost so far: settled, what is held, and its limit."""
    text = output.money(run["settled_micros"])
    if run["held_micros"]:
        text += f" + {output.money(run['held_micros'])} held"
    if run["max_cost_micros"] is not None:
        text += f" of at most {output.money(run['max_cost_micros'])}"
    return text


def seconds_of(run: dict[str, Any]) -> float | None:
    """How long a run has gone on, or went on."""
    import time

    if not run["started_at_ms"]:
        return None
    return float((run["finished_at_ms"] or int(time.time() * 1000)) - run["started_at_ms"]) / 1000


RUN_COLUMNS: list[tuple[str, Any]] = [
    ("JOB", lambda r: r["job_number"]),
    ("NAME", lambda r: r["name"]),
    ("PHASE", lambda r: r["phase"]),
    ("STEPS", lambda r: f"{r['steps_done']}/{r['steps_total']}" + (f" ({r['steps_failed']} failed)" if r["steps_failed"] else "")),
    ("TIME", lambda r: output.duration(seconds_of(r))),
    ("COST ¤", lambda r: output.amount(r["settled_micros"])),
    ("BY", lambda r: r["submitted_by"]),
    ("SUBMITTED", lambda r: output.ago(r["created_at_ms"])),
    ("ID", lambda r: r["id"]),
]  # fmt: skip


def run_list(
    phase: Annotated[str, typer.Option(help="Only in these phases, by commas (Running,Failed).")] = "",
    label: Annotated[list[str] | None, typer.Option(help="Only with KEY=VALUE or KEY; again for more.")] = None,
    search: Annotated[str, typer.Option(help="Part of a name, or a job number.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only mine.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 25,
) -> None:
    """Runs of the project, newest first."""
    client = connect()
    by = client.get("/me")["actor"] if mine else ""
    rows = client.pages(
        "/runs", project=client.project, phase=phase, label=label or None, search=search, submitted_by=by, limit=limit
    )
    output.rows_out(rows, RUN_COLUMNS, empty="no runs: fubini run submit FILE")


def reused_text(run: dict[str, Any]) -> str:
    if not run["steps_reused"]:
        return ""
    return f"{run['steps_reused']} steps of earlier runs, which had cost {output.money(run['saved_micros'])}"


def from_text(came: dict[str, Any] | None) -> str:
    return f"reused from {came['node_name']} of job {came['job_number']}" if came else ""


def child_text(run_id: str) -> str:
    return f"made run {run_id}" if run_id else ""


def generation_text(found: dict[str, Any]) -> str:
    """A retry: who, and what it changed."""
    changes = ", ".join(f"{k} {v}" for k, v in found["changes"].items())
    return f"{found['generation']} by {found['actor']} {output.ago(found['at_ms'])}: {changes or 'as it was'}"


def run_get(
    ref: Ref,
    nodes: Annotated[bool, typer.Option("--nodes", help="Every node.")] = False,
    costs: Annotated[bool, typer.Option("--costs", help="What each kind of step cost, and where.")] = False,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="What it took over from earlier runs, and why not more.")
    ] = False,
) -> None:
    """A run: how it stands, stage by stage."""
    client = connect()
    run = client.get(f"/runs/{segment(find(client, ref)['id'])}")
    base = f"/runs/{segment(run['id'])}"
    summary = client.get(f"{base}/summary")
    extra: dict[str, Any] = {"summary": summary}
    if nodes:
        extra["nodes"] = list(client.pages(f"{base}/nodes"))
    if costs:
        extra["costs"] = client.get(f"{base}/costs")["rows"]
    if reuse:
        extra["reuse"] = client.get(f"{base}/reuse")["now"]
    if OPTIONS.json:
        output.print_json({**run, **extra})
        return
    output.fields_out(
        run,
        [
            ("run", run["name"]),
            ("id", run["id"]),
            ("job", run["job_number"]),
            ("phase", run["phase"]),
            ("message", run["message"]),
            ("asked to end", run["shutdown"]),
            ("suspended", "yes" if run["suspended"] else ""),
            ("pipeline", f"{run['pipeline']['name']}@{run['pipeline']['version']}" if run["pipeline"] else ""),
            ("submitted by", f"{run['submitted_by']} {output.ago(run['created_at_ms'])}"),
            ("time", output.duration(seconds_of(run))),
            ("steps", f"{run['steps_done']} of {run['steps_total']}, {run['steps_failed']} failed"),
            ("cost", costs_text(run)),
            ("reused", reused_text(run)),
            ("labels", ", ".join(f"{k}={v}" for k, v in run["labels"].items())),
            ("parameters", ", ".join(f"{k}={v}" for k, v in run["parameters"].items())),
            ("datasets", ", ".join(sorted(run["datasets"].values()))),
            ("made by", f"run {run['parent_run']}, step {run['parent_node']}" if run["parent_run"] else ""),
            ("generation", run["generation"] or ""),
            ("will be deleted", output.ago(run["delete_at_ms"]) if run["delete_at_ms"] else ""),
            ("logs will be deleted", output.ago(run["logs_delete_at_ms"]) if run["logs_delete_at_ms"] else ""),
            *(("retry", generation_text(g)) for g in run["generations"]),
        ],
    )
    from fubini.cli.watch import stages

    print()
    print(output.table([s.row() for s in stages(summary)], ["STAGE", "DONE", "RUNNING", "WAITING", "FAILED", "TIME"]))
    if nodes:
        print()
        node_columns: list[tuple[str, Any]] = [
            ("NODE", lambda n: n["display_name"]),
            ("TYPE", lambda n: n["type"]),
            ("PHASE", lambda n: n["phase"]),
            ("TEMPLATE", lambda n: n["template_name"]),
            ("MESSAGE", lambda n: n["message"] or from_text(n["reused_from"]) or child_text(n["child_run"])),
        ]
        output.rows_out(extra["nodes"], node_columns)
    if reuse:
        print()
        print(reuse_text(extra["reuse"]))
    if costs:
        print()
        cost_columns: list[tuple[str, Any]] = [
            ("STEP", lambda c: c["template"]),
            ("SITE", lambda c: c["site"] + (" (simulated accelerator)" if c["simulated"] else "")),
            ("ATTEMPTS", lambda c: c["attempts"]),
            ("FAILED", lambda c: c["failed"]),
            ("TIME", lambda c: output.duration(c["wall_ms"] / 1000)),
            ("CPU", lambda c: output.duration(c["cpu_ms"] / 1000)),
            ("COST ¤", lambda c: output.amount(c["charged_micros"])),
        ]
        output.rows_out(extra["costs"], cost_columns)


def run_manifest(ref: Ref) -> None:
    """The manifest a run was submitted with."""
    client = connect()
    found = client.get(f"/runs/{segment(find(client, ref)['id'])}/manifest")
    output.show(found, found["text"])
