"""`fubini run ...`, `fubini quote` and `fubini why`: a run from its submit to its results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, new_key, segment
from fubini.cli.commands.admin import amount
from fubini.cli.commands.pipelines import finding_line, manifest_text, parameters_of
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit

run_app = typer.Typer(no_args_is_help=True, help="Runs: submit, watch, logs, results.")

Parameters = Annotated[list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE; again for more.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", help="NAME=PATH: upload it and give the parameter the dataset version it becomes; again for more."
    ),
]
Ref = Annotated[str, typer.Argument(metavar="RUN", help="Id, job number or name; @last is your newest.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(run_app, name="run")
    app.command("runs")(run_list)
    app.command()(quote)
    app.command()(why)


def find(client: Client, ref: str) -> dict[str, Any]:
    """A run by id, job number, name (the newest of that name), or `@last`."""
    if ref == "@last":
        mine = client.get("/me")["actor"]
        for row in client.pages("/runs", project=client.project, submitted_by=mine, limit=1):
            return row
        raise CliError("you have no runs here yet", try_="fubini run submit FILE", exit_code=Exit.NOT_FOUND)
    if re.fullmatch(r"[0-9a-f]{32}|[0-9]{1,17}", ref):
        found: dict[str, Any] = client.get(f"/runs/{segment(ref)}")
        return found
    for row in client.pages("/runs", project=client.project, search=ref, limit=200):
        if row["name"] == ref:
            return row
    raise CliError(f"no run {ref!r} in project {client.project}", try_="fubini runs", exit_code=Exit.NOT_FOUND)


def source_of(file: Path | None, pipeline: str) -> dict[str, Any]:
    """What to submit: a manifest's text, or a pipeline by name and version."""
    if (file is None) == (not pipeline):
        raise CliError(
            "give either a manifest file or --pipeline NAME", try_="fubini run submit FILE", exit_code=Exit.USAGE
        )
    if file is not None:
        return {"manifest": manifest_text(file)}
    name, _, number = pipeline.partition("@")
    return {"pipeline": name, **({"version": int(number)} if number.isdecimal() else {})}


def uploaded(client: Client, given: list[str] | None) -> dict[str, str]:
    """``--input NAME=PATH``: parameter -> the claim of the dataset version its file or folder became."""
    from fubini.cli.commands.data import dataset_name, import_path

    found = {}
    for text in given or []:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise CliError(f"--input {text!r} is not NAME=PATH", try_="--input frames=./frames", exit_code=Exit.USAGE)
        dataset = dataset_name(Path(path))
        made = import_path(client, Path(path), dataset)
        found[name] = f"{dataset}-v{made['version']}"
        output.note(f"{name}: {path} is {found[name]}")
    return found


def labels_of(given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise CliError(f"--label {text!r} is not KEY=VALUE", exit_code=Exit.USAGE)
        found[key] = value
    return found


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


@run_app.command("submit")
def run_submit(
    file: Annotated[Path | None, typer.Argument(help="A manifest; - for standard input.")] = None,
    pipeline: Annotated[str, typer.Option(help="A kept pipeline instead: NAME or NAME@VERSION.")] = "",
    parameter: Parameters = None,
    input: Inputs = None,
    name: Annotated[str, typer.Option(help="The run's name.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; again for more.")] = None,
    max_cost: Annotated[str, typer.Option(help="Start no step that could pass this; in currency units.")] = "",
    objective: Annotated[str, typer.Option(help="fastest, cheapest or balanced.")] = "",
    priority: Annotated[str, typer.Option(help="interactive, normal or opportunistic.")] = "normal",
    key: Annotated[str, typer.Option(help="An idempotency key: the same key never makes a second run.")] = "",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Until it has ended; the exit code tells how.")] = False,
    timeout: Annotated[float | None, typer.Option(help="With --wait: give up after so many seconds (exit 7).")] = None,
    reuse: Annotated[
        str, typer.Option(metavar="RUN|any", help="Take over finished steps with the same inputs, of a run or any.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and quote, submit nothing.")] = False,
) -> None:
    """Submit a run. Once this has printed its id, nothing that happens later loses it."""
    source = source_of(file, pipeline)
    client = connect()
    values = parameters_of(parameter) | uploaded(client, input)
    body = {"project": client.project, **source, "parameters": values}
    body |= {"objective": objective, "priority": priority, "name": name}
    if reuse:
        body["reuse"] = reuse if reuse == "any" else find(client, reuse)["id"]
    if dry_run:
        quote_show(client.send("POST", "/quotes", body=body))
        return
    if reuse and not OPTIONS.json:
        found = client.send("POST", "/quotes", body=body)
        output.note(reuse_text(found["reuse"]))
        output.note(quote_line(found))
    body |= {"labels": labels_of(label)}
    if max_cost:
        body["max_cost_micros"] = amount(max_cost)
    chosen = key or new_key()  # made before the first send: whatever is lost on the way, there is one run
    try:
        run = client.post("/runs", body, key=chosen)
    except KeyboardInterrupt:
        output.note(f"interrupted before an answer; to see or finish it, submit again with --key {chosen}")
        raise
    for warning in run.get("warnings", ()):
        output.note(output.plain(finding_line(str(file or pipeline), warning)))
    if not wait:
        output.show(run, f"{run['id']}")
        output.note(
            f"submitted {run['name']} as job {run['job_number']}; follow it: fubini run watch {run['job_number']}"
        )
        return
    output.note(f"submitted {run['name']} as job {run['job_number']} ({run['id']})")
    _follow(client, run, timeout)


def reuse_text(plan: dict[str, Any]) -> str:
    """What is reused, what runs and why, and the money saved."""
    rows = [
        [
            row["template"] if n == 0 else " ",
            row["verdict"] if n == 0 else " ",
            row["count"] if n == 0 else " ",
            output.money(row["saved_micros"]) if n == 0 and row["verdict"] == "reused" else " ",
            f"{e['name']}: {e['why']}" + (f" (job {e['job_number']})" if e["job_number"] else ""),
        ]
        for row in plan["rows"]
        for n, e in enumerate(row["examples"])
    ]
    counts = f"{plan['reused']} reused, {plan['runs']} run, {plan['later']} decided when their inputs are known"
    more = "; how many more there are depends on results" if plan["open_ended"] else ""
    saved = f"saved: {output.money(plan['saved_micros'])} and {output.duration(plan['saved_ms'] / 1000)} of run time"
    return f"{output.table(rows, ['STEP', 'REUSE', 'COUNT', 'SAVED', 'WHY'])}\n{counts}{more}\n{saved}"


def _follow(client: Client, run: dict[str, Any], timeout: float | None) -> None:
    """Watch to the end; the exit code is the run's."""
    from fubini.cli.watch import watch

    ended = watch(client, run["id"], timeout_s=timeout)
    output.show(ended, lambda: summary_text(ended))
    if ended["state"] != "succeeded":
        if not OPTIONS.json:
            for line in failures(client, ended):
                output.note(line)
        raise typer.Exit(Exit.FAILED)


def summary_text(run: dict[str, Any]) -> str:
    took = output.duration(seconds_of(run))
    text = f"{run['name']} {run['phase']} after {took}: {run['steps_done']} of {run['steps_total']} steps"
    return output.plain(f"{text}, cost {costs_text(run)}" + (f": {run['message']}" if run["message"] else ""))


def failures(client: Client, run: dict[str, Any], most: int = 3) -> list[str]:
    """The first failed steps, each with its cause and the end of what it printed."""
    lines: list[str] = []
    for task in client.pages(f"/runs/{segment(run['id'])}/tasks", state="failed", limit=most):
        detail = client.get(f"/tasks/{segment(task['id'])}")
        last = detail["attempt_list"][-1] if detail["attempt_list"] else {}
        code = f", exit code {last['exit_code']}" if last.get("exit_code") is not None else ""
        where = f" at {last['site']}" if last.get("site") else ""
        lines.append(f"failed: {task['display_name']}{where} ({last.get('cause') or 'unknown'}{code})")
        argv = " ".join(detail["spec"].get("argv") or [])
        if argv:
            lines.append(output.plain(f"  command: {argv[:300]}"))
        if last.get("message"):
            lines.append(output.plain(f"  {last['message']}"))
        lines += [output.plain(f"  | {line}") for line in detail["log_tail"]]
        lines.append(f"  all of it: fubini run logs {run['job_number']} {task['display_name']}")
    return lines


@run_app.command("watch")
def run_watch(
    ref: Ref,
    timeout: Annotated[float | None, typer.Option(help="Give up after so many seconds (exit 7).")] = None,
) -> None:
    """Follow a run to its end; Ctrl-C detaches, the run goes on."""
    client = connect()
    _follow(client, find(client, ref), timeout)


@run_app.command("inputs")
def run_inputs(
    file: Annotated[Path | None, typer.Argument(help="A manifest; - for standard input.")] = None,
    pipeline: Annotated[str, typer.Option(help="A kept pipeline instead: NAME.")] = "",
) -> None:
    """What a submit can be given: each parameter with its type, unit, range and help, as the manifest describes it."""
    source = source_of(file, pipeline)
    client = connect()
    if file is not None:
        found = client.send("POST", "/lint", body={"project": client.project, "manifest": source["manifest"]})[
            "parameters"
        ]
    else:
        rows = [
            p
            for p in client.pages("/pipelines", project=client.project, search=source["pipeline"])
            if p["name"] == source["pipeline"]
        ]
        if not rows:
            raise CliError(f"no pipeline {source['pipeline']!r}", try_="fubini pipeline list", exit_code=Exit.NOT_FOUND)
        found = rows[0]["parameters"]
    output.show(found, lambda: inputs_text(found))


def inputs_text(parameters: list[dict[str, Any]]) -> str:
    """Parameters by group, each in the words of its form; texts in the reader's language where there are two."""
    if not parameters:
        return "It takes no parameters."
    lines: list[str] = []
    group = None
    for found in sorted(parameters, key=lambda p: in_language(p["form"].get("group", ""))):
        if (now := in_language(found["form"].get("group", ""))) != group:
            group = now
            lines += ["", f"{group}:"] if group else []
        lines += [f"  {input_line(found)}"]
        for text in (
            in_language(found["form"].get("title", "")),
            in_language(found["form"].get("help", "")) or found["description"],
        ):
            lines += [f"      {text}"] if text else []
    return "\n".join(output.plain(line) for line in lines).lstrip("\n")


def input_line(found: dict[str, Any]) -> str:
    form = found["form"]
    kind = str(form.get("type", "text"))
    flag = "--input" if kind in ("dataset", "file") else "-p"
    parts = [f"{flag} {found['name']}={'PATH' if flag == '--input' else kind.upper()}"]
    if form.get("unit"):
        parts.append(f"in {form['unit']}")
    if form.get("range"):
        low, high = form["range"]
        parts.append(
            f"from {low} to {high}"
            if None not in (low, high)
            else f"at least {low}"
            if high is None
            else f"at most {high}"
        )
    if choices := form.get("choices") or found["enum"]:
        parts.append("one of " + ", ".join(map(str, choices)))
    default = found["value"] if found["value"] is not None else found["default"]
    parts.append("required" if found["required"] else f"now {default}")
    return ", ".join(parts)


def in_language(text: Any) -> str:
    """A form's text, in the language the terminal's locale asks for where it has it."""
    import os

    if not isinstance(text, dict):
        return str(text)
    wanted = (os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or "en")[:2]
    return str(text.get(wanted) or text.get("en") or next(iter(text.values()), ""))


RUN_COLUMNS: list[tuple[str, Any]] = [
    ("JOB", lambda r: r["job_number"]),
    ("NAME", lambda r: r["name"]),
    ("PHASE", lambda r: r["phase"]),
    ("STEPS", lambda r: f"{r['steps_done']}/{r['steps_total']}" + (f" ({r['steps_failed']} failed)" if r["steps_failed"] else "")),
    ("TIME", lambda r: output.duration(seconds_of(r))),
    ("COST", lambda r: output.money(r["settled_micros"])),
    ("BY", lambda r: r["submitted_by"]),
    ("SUBMITTED", lambda r: output.ago(r["created_at_ms"])),
    ("ID", lambda r: r["id"]),
]  # fmt: skip


@run_app.command("list")
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


@run_app.command("get")
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
            ("COST", lambda c: output.money(c["charged_micros"])),
        ]
        output.rows_out(extra["costs"], cost_columns)


@run_app.command("logs")
def run_logs(
    ref: Ref,
    node: Annotated[str, typer.Argument(help="A step's name or id; default: every step.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the steps have ended.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last so many lines.", min=1)] = None,
    attempt: Annotated[int | None, typer.Option(help="An earlier attempt; default: the newest.", min=1)] = None,
    stream: Annotated[str, typer.Option(help="stdout, stderr or main.")] = "",
    container: Annotated[str, typer.Option(help="Of a step with several; default: the main one.")] = "",
) -> None:
    """What the steps print, from the first byte on."""
    from fubini.cli.watch import logs

    client = connect()
    if container and not node:
        raise CliError("--container is of one step", why="name the step before it", exit_code=Exit.USAGE)
    run_id = find(client, ref)["id"]
    logs(client, run_id, node, follow=follow, tail=tail, attempt=attempt, stream=stream, container=container)


@run_app.command("files")
def run_files(
    ref: Ref,
    step: Annotated[str, typer.Argument(help="A step's name or id.")],
    path: Annotated[str, typer.Argument(help="A directory or file as the step sees it; default: where it works.")] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Of a file: print what is added, until it ends.")
    ] = False,
    tail: Annotated[int | None, typer.Option(help="Of a file: only the last so many lines.", min=1)] = None,
    attempt: Annotated[int | None, typer.Option(help="An earlier attempt; default: the newest.", min=1)] = None,
) -> None:
    """List the files of a running or failed step, or print a text file of it."""
    from fubini.cli.files import show_files

    client = connect()
    show_files(client, find(client, ref)["id"], step, path, follow=follow, tail=tail, attempt=attempt)


@run_app.command("update")
def run_update(
    ref: Ref,
    max_cost: Annotated[str, typer.Option(help="Another cost limit; `none` takes it away.")] = "",
    name: Annotated[str, typer.Option(help="Another name.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; replaces all labels.")] = None,
) -> None:
    """Change a run's cost limit, name or labels; a run that waits for its limit goes on once it is raised."""
    client = connect()
    body: dict[str, Any] = {}
    if max_cost:
        body["max_cost_micros"] = None if max_cost == "none" else amount(max_cost)
    if name:
        body["name"] = name
    if label is not None:
        body["labels"] = labels_of(label)
    made = client.patch(f"/runs/{segment(find(client, ref)['id'])}", body)
    output.show(made, f"{made['name']}: cost {costs_text(made)}")


@run_app.command("delete")
def run_delete(ref: Ref) -> None:
    """Delete an ended run; its bookings stay."""
    client = connect()
    run = find(client, ref)
    client.delete(f"/runs/{segment(run['id'])}")
    output.show({"id": run["id"], "deleted": True}, f"deleted {run['name']}")


@run_app.command("manifest")
def run_manifest(ref: Ref) -> None:
    """The manifest a run was submitted with."""
    client = connect()
    found = client.get(f"/runs/{segment(find(client, ref)['id'])}/manifest")
    output.show(found, found["text"])


@run_app.command("outputs")
def run_outputs(
    ref: Ref,
    node: Annotated[str, typer.Argument(help="A step's name or id; default: the run's final outputs.")] = "",
    to: Annotated[Path | None, typer.Option(help="Fetch the files into this folder.")] = None,
) -> None:
    """A run's results; with --to, fetched under readable paths, resumable and verified."""
    from fubini.cli.outputs import fetch, show

    client = connect()
    run = find(client, ref)
    if to is None:
        show(client, run, node)
    else:
        fetch(client, run, node, to)


@run_app.command("origin")
def run_origin(
    ref: Ref,
    node: Annotated[str, typer.Argument(help="A step's name or id: the origin of what it left; default: the run's.")] = "",
    name: Annotated[str, typer.Argument(help="Which of the step's artifacts, where it left several.")] = "",
    depth: Annotated[int, typer.Option(help="How many links to follow.", min=1, max=40)] = 10,
    limit: Annotated[int, typer.Option(help="The most things to tell in each direction.", min=1, max=500)] = 100,
    crate: Annotated[Path | None, typer.Option(help="Write it as RO-Crate metadata to this file or folder.")] = None,
) -> None:
    """Where a run, or what a step left, comes from and what was made of it."""
    from fubini.cli.origin import show
    from fubini.cli.outputs import api_path, artifacts_of

    client = connect()
    run = find(client, ref)
    if not node:
        if crate is not None:
            raise CliError("an RO-Crate is of one artifact", try_=f"fubini run outputs {ref}", exit_code=Exit.USAGE)
        show(client, f"/runs/{segment(run['id'])}", depth=depth, limit=limit, crate=None)
        return
    left = [a for a in artifacts_of(client, run, node)[0] if not name or a["name"] == name]
    if len(left) != 1:
        names = ", ".join(sorted(f"{a['display_name']} {a['name']}" for a in left)[:10])
        raise CliError(
            f"step {node} left {'several artifacts: ' + names if left else 'no artifact' + (f' {name!r}' if name else '')}",
            try_=f"fubini run origin {ref} STEP NAME" if left else f"fubini run outputs {ref} {node}",
            exit_code=Exit.USAGE if left else Exit.NOT_FOUND,
        )
    show(client, api_path(left[0]["key"]), depth=depth, limit=limit, crate=crate)


# --- before and instead of a run ---------------------------------------------------------------------------------


def quote(
    file: Annotated[Path | None, typer.Argument(help="A manifest; - for standard input.")] = None,
    pipeline: Annotated[str, typer.Option(help="A kept pipeline instead: NAME or NAME@VERSION.")] = "",
    parameter: Parameters = None,
    objective: Annotated[str, typer.Option(help="fastest, cheapest or balanced.")] = "",
) -> None:
    """What a submit would cost and take, for each kind of step and each pool."""
    client = connect()
    body = {"project": client.project, **source_of(file, pipeline), "parameters": parameters_of(parameter)}
    quote_show(client.send("POST", "/quotes", body={**body, "objective": objective}))


def span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def quote_line(found: dict[str, Any]) -> str:
    """A quote in one line."""
    open_end = "" if found["bounded"] else " or more"
    money = span(output.money(found["money_low_micros"]), output.money(found["money_high_micros"]))
    return f"in all: {found['steps']} steps{open_end}, money {money}{open_end}"


def quote_show(found: dict[str, Any]) -> None:
    """A quote as a table: one line a step and pool."""
    if OPTIONS.json:
        output.print_json(found)
        return
    rows = []
    for row in found["rows"]:
        for number, pool in enumerate(row["pools"]):
            first = number == 0
            money = span(output.money(pool["money_low_micros"]), output.money(pool["money_high_micros"]))
            time = span(output.duration(pool["time_low_s"]), output.duration(pool["time_high_s"]))
            count = f"{row['count']}{'' if row['count_known'] else '+'}"
            rows.append(
                [
                    row["template"] if first else " ",
                    count if first else " ",
                    f"{pool['site']}/{pool['pool']}",
                    money if pool["feasible"] else "no",
                    time if pool["feasible"] else "-",
                    output.size(pool["bytes_to_move"]) if pool["feasible"] else pool["reason"],
                ]
            )
    print(output.table(rows, ["STEP", "COUNT", "POOL", "MONEY", "TIME", "BYTES TO MOVE"]))
    print(f"\n{quote_line(found)}")
    if found["available_micros"] is not None:
        print(f"the project can set aside {output.money(found['available_micros'])}")
    print(f"basis: {found['basis']}")
    if found["reuse"]:
        print(reuse_text(found["reuse"]))
    if not found["feasible"]:
        print(output.paint("some step fits no pool", "red"))
    for warning in found["warnings"]:
        output.note(finding_line("manifest", warning))


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
        raise CliError(
            "--apply and --ask are of one step", try_="fubini why RUN STEP --apply 1", exit_code=Exit.USAGE
        )
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
