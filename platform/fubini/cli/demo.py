"""`fubini demo`: the concurrent-learning kit on three local sites, from nothing to a result one can believe.

Decides where it runs. Where the checkout's Fubini is up already, the demo runs inside it and leaves it up: two sets of
agents on one machine would each believe to have all its cores. Otherwise it starts one on a state folder of its own
(`.fubini/demo`, or the one given) and a free port, and stops it at the end, whatever happens.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fubini.cli import output, progress, watch
from fubini.cli.client import Client, new_key, segment
from fubini.cli.commands.data import import_path
from fubini.cli.commands.operate import supervisor_call
from fubini.cli.commands.run.quote import quote_show
from fubini.cli.config import OPTIONS, Target, local_server
from fubini.cli.errors import CliError, Exit
from fubini.cli.outputs import artifacts_of, fetch
from fubini.common.home import Home, checkout, home_path

KIT = "concurrent-learning"
TOPUP_MICROS = 5_000_000
MAX_COST_MICROS = 5_000_000
LINES_EVERY_S = 5.0
DATASETS_SITE = "edge"
WHY = {
    "only_feasible": "no other site can run it",
    "data_local": "its input is there",
    "local_first": "local first: a slot was free",
    "burst": "overflow: a more local site would have started it too late",
    "cheapest": "cheapest",
    "fastest": "done soonest",
    "balanced": "best of price and time",
}


def run_demo(*, json_to: Path | None, seed: int | None, keep: bool) -> int:
    """The whole demo; the exit code."""
    root = checkout()
    kit = root / "kits" / KIT if root else None
    if root is None or kit is None or not (kit / "pipeline.yaml").exists():
        raise CliError(
            "the demo needs a checkout of Fubini",
            why="the kit's files are not part of an installed copy",
            try_="git clone the repository and run: make demo",
            exit_code=Exit.USAGE,
        )
    python = root / ".venv-science" / "bin" / "python"
    if not python.exists():
        raise CliError(
            "the kit's step environment is missing",
            why=f"there is no {python}",
            try_="make setup",
            exit_code=Exit.USAGE,
        )
    build = root / "build"
    build.mkdir(exist_ok=True)
    began = time.monotonic()
    say(f"Fubini demo: {KIT} on three local sites\n")
    with tempfile.TemporaryDirectory(prefix="fubini-demo-") as scratch:
        methanol = Path(scratch) / "methanol"
        dataset_make(python, kit, methanol)
        home, guest = choose_home()
        if local_server(home) is None:
            seed_cache(home, DATASETS_SITE, methanol)
        with fubini_up(home, leave=guest or keep) as client:
            if guest:
                say(f"Fubini is up already at {client.where.url}: the demo runs there and leaves it up")
            report = kit_run(client, kit, methanol, seed, build / "demo")
        report["seconds"] = round(time.monotonic() - began, 1)
    target = json_to or build / "demo.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if OPTIONS.json:
        output.print_json(report)
    say(f"\nfigures in {target}, everything took {report['seconds']:.0f} s")
    return 0


def say(text: str = "") -> None:
    """The demo's own words; standard output is free for --json."""
    print(text, file=sys.stderr if OPTIONS.json else sys.stdout, flush=True)


def dataset_make(python: Path, kit: Path, folder: Path) -> None:
    """Write the kit's input with its own script and environment."""
    argv = [str(python), str(kit / "make_dataset.py"), str(folder)]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise CliError(
            "the kit's input could not be made",
            why=done.stderr.strip().rpartition("\n")[2],
            try_="make setup, then the demo again",
        )


def choose_home() -> tuple[Home, bool]:
    """The state folder to run on, and whether somebody's Fubini is up there, whose guest the demo is."""
    usual = Home(OPTIONS.home.expanduser().resolve() if OPTIONS.home else home_path(os.environ))
    if local_server(usual):
        return usual, True
    given = OPTIONS.home is not None or bool(os.environ.get("FUBINI_HOME"))
    # One that runs on the demo's own folder was left by a demo that was killed; it is taken over and stopped at the end.
    return (usual if given else Home(usual.path / "demo")), False


def seed_cache(home: Home, site: str, folder: Path) -> None:
    """Let a site hold the input dataset before anything runs: its cache keeps bytes under their sha256."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        place = home.agents / site / "cache" / digest[:2] / digest
        if place.exists():
            continue
        for parent in (home.path, home.agents, home.agents / site, place.parent.parent, place.parent):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        place.chmod(0o444)


@contextmanager
def fubini_up(home: Home, *, leave: bool) -> Iterator[Client]:
    """A client of the Fubini on `home`, started if need be, and stopped at the end unless it is to be left."""
    running = local_server(home)
    signal.signal(signal.SIGTERM, _interrupt)
    if running is None:
        say(f"starting Fubini on {home.path}")
        code, text = supervisor_call(home, "up", "--detach", "--port", "0", "--json")
        if code:
            raise typer_exit(code)
        running = json.loads(text.strip().rpartition("\n")[2])
    try:
        token = home.token.read_text(encoding="utf-8").strip()
        yield Client(Target(running["url"], token, OPTIONS.project or "demo", "the demo"))
    finally:
        if leave:
            say(f"left running at {running['url']}; stop it with: fubini --home {home.path} down")
        else:
            say("stopping what the demo started")
            supervisor_call(home, "down", "--json")


def _interrupt(_number: int, _frame: object) -> None:
    """Being told to end is the same as Ctrl-C: what was started is stopped."""
    raise KeyboardInterrupt


def typer_exit(code: int) -> Exception:
    import typer

    return typer.Exit(code)


def kit_run(client: Client, kit: Path, methanol: Path, seed: int | None, results: Path) -> dict[str, Any]:
    """Import, budget, quote, submit, watch, fetch, report."""
    byte_code = frozenset({"__pycache__"})
    code = import_path(client, kit / "code", f"{KIT}-code", "The kit's own program", skip=byte_code)
    data = import_path(client, methanol, "methanol", "Methanol from ase.collections.g2")
    for made in (data, code):
        size = output.size(made["size_bytes"])
        say(f"dataset {made['name']} version {made['version']}: {made['files']} files, {size}")
    # The manifest names version 1 of both; where they were imported before with other bytes, the version just made counts.
    text = (kit / "pipeline.yaml").read_text(encoding="utf-8")
    for made in (data, code):
        text = re.sub(rf"\b{re.escape(made['name'])}-v\d+\b", f"{made['name']}-v{made['version']}", text)
    project = segment(client.project)
    client.post(f"/projects/{project}/budget", {"amount_micros": TOPUP_MICROS, "note": "fubini demo"})
    left = client.get(f"/projects/{project}/budget")["budget_micros"]
    say(
        f"budget of project {client.project}: {output.money(left)}, at most {output.money(MAX_COST_MICROS)} for this run\n"
    )
    pipeline_keep(client, kit, text)
    parameters = {"seed": str(seed)} if seed is not None else {}
    body = {"project": client.project, "pipeline": KIT, "parameters": parameters}
    if not OPTIONS.json:
        say("the quote, before anything is spent:\n")
        quote_show(client.send("POST", "/quotes", body=body))
    submit = {**body, "labels": {"kit": KIT, "demo": "true"}, "max_cost_micros": MAX_COST_MICROS}
    run = client.post("/runs", submit, key=new_key())
    say(f"\nsubmitted {run['name']} (job {run['job_number']}, {client.where.url})\n")
    try:
        ended = follow(client, run["id"])
    except KeyboardInterrupt:
        client.post(f"/runs/{run['id']}/cancel", {})
        raise
    if ended["state"] != "succeeded":
        from fubini.cli.commands.run.follow import failures

        raise CliError(
            f"the run ended as {ended['phase']}",
            why=ended["message"],
            details=failures(client, ended),
            try_="read the lines above; the state folder keeps the logs",
        )
    return report_of(client, ended, results)


def pipeline_keep(client: Client, kit: Path, text: str) -> None:
    """Save the kit as a pipeline with its picture: the pages show it, and its form launches it again."""
    saved = client.post("/pipelines", {"project": client.project, "manifest": text, "name": KIT})
    picture = (kit / "picture.png").read_bytes()
    client.send("PUT", f"/pipelines/{segment(saved['id'])}/picture", content=picture)


def follow(client: Client, run_id: str) -> dict[str, Any]:
    """Live stages on a terminal; elsewhere a line every few seconds with where steps run and why others wait."""
    if progress.wanted():
        return watch.watch(client, run_id)
    said_at, said = 0.0, ""
    while True:
        view = watch.look(client, run_id)
        busy = ", ".join(f"{s.name} {s.done}/{s.total}" for s in view.stages if s.running or s.waiting)
        line = f"{busy or '-'} | running: {view.places}" + (f" | {view.why}" if view.why else "")
        ended = view.run["state"] in watch.ENDED
        if (time.monotonic() - said_at > LINES_EVERY_S and line != said) or ended:
            run = view.run
            head = f"{time.strftime('%H:%M:%S')} {run['steps_done']}/{run['steps_total']} steps"
            say(output.plain(f"{head}, cost {output.money(run['settled_micros'])} | {run['phase'] if ended else line}"))
            said_at, said = time.monotonic(), line
        if ended:
            return view.run
        time.sleep(0.5)


def report_of(client: Client, run: Mapping[str, Any], results: Path) -> dict[str, Any]:
    """Fetch the results and say what came out, what it cost, where it ran and why there."""
    shutil.rmtree(results, ignore_errors=True)
    quiet, OPTIONS.json = OPTIONS.json, True
    try:
        fetched = silently(lambda: fetch(client, run, "", results))
    finally:
        OPTIONS.json = quiet
    _, parameters = artifacts_of(client, run, "")
    numbers = {p["name"]: p["value"] for p in parameters}
    paths = {row["name"]: Path(row["path"]) for row in fetched["artifacts"]}
    result = json.loads(paths["result"].read_text(encoding="utf-8"))
    say("\nforce error of the committee on held-out frames (reporting half), eV/Å:\n")
    rows = [
        [row["iteration"], row["labels"], f"{row['rmse_reporting']:.4f}", f"{row['rmse_stopping']:.4f}"]
        for row in result["rows"]
    ]
    say(output.table(rows, ["ROUND", "LABELS", "REPORTING", "STOPPING"]))
    base = f"/runs/{segment(run['id'])}"
    costs = client.get(f"{base}/costs")
    attempts = list(client.pages(f"{base}/attempts"))
    say("\nwhere each kind of step ran, and what it cost:\n")
    say(places_table(costs["rows"]))
    say("\nwhy there:\n")
    say(why_table(costs["rows"], attempts, client, run["id"]))
    books = client.get("/ledger/check")
    seconds = (run["finished_at_ms"] - run["started_at_ms"]) / 1000
    say(f"\nplot      {paths['plot']}")
    say(f"report    {paths['report']}")
    say(f"cost      {output.money(run['settled_micros'])} (ledger imbalance {books['imbalance_micros']})")
    say(f"run time  {output.duration(seconds)}, {run['steps_done']} steps")
    by_site = Counter(a["site"] for a in attempts if a["state"] == "succeeded")
    return {
        "rmse_first": float(numbers["rmse-first"]),
        "rmse_last": float(numbers["rmse-last"]),
        "labels": int(numbers["labels"]),
        "steps": run["steps_done"],
        "seconds": 0.0,
        "run_seconds": round(seconds, 1),
        "steps_by_site": dict(sorted(by_site.items())),
        "cost_micros": run["settled_micros"],
        "ledger_imbalance_micros": books["imbalance_micros"],
        "plot": str(paths["plot"]),
        "run": run["id"],
    }


def silently(work: Callable[[], Any]) -> Any:
    """Do something that prints, without the print."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        return work()


def places_table(rows: list[dict[str, Any]]) -> str:
    body = [
        [
            row["template"],
            row["site"] + (" (simulated accelerator)" if row["simulated"] else ""),
            row["attempts"],
            output.duration(row["wall_ms"] / 1000),
            output.duration(row["cpu_ms"] / 1000),
            output.amount(row["charged_micros"]),
        ]
        for row in rows
    ]
    return output.table(body, ["STEP", "SITE", "STEPS", "TIME", "CPU", "COST ¤"])


def why_table(rows: list[dict[str, Any]], attempts: list[dict[str, Any]], client: Client, run_id: str) -> str:
    """For each kind of step and site: what decided, how often, and how many bytes had to move there."""
    templates = {t["id"]: t["template"] for t in client.pages(f"/runs/{segment(run_id)}/tasks")}
    found: dict[tuple[str, str, str], list[int]] = {}
    for attempt in attempts:
        placement = attempt["placement"]
        key = (templates.get(attempt["task_id"], "?"), attempt["site"], str(placement.get("why", "")))
        found.setdefault(key, []).append(int(placement.get("bytes_to_move") or 0))
    order = {row["template"]: number for number, row in enumerate(rows)}
    body = [
        [template, site, len(moved), WHY.get(code, code), output.size(sum(moved))]
        for (template, site, code), moved in sorted(found.items(), key=lambda i: (order.get(i[0][0], 99), i[0]))
    ]
    return output.table(body, ["STEP", "SITE", "STEPS", "WHY", "BYTES MOVED THERE"])
