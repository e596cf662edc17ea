"""`run outputs`: a run's results under names people can read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fubini.cli import output, progress, transfer
from fubini.cli.client import Client, segment
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit
from fubini.cli.watch import tasks_named

FINAL_MAX = 1_000  # the most final artifacts the platform lists at once
SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,10}){1,2}$")


def artifacts_of(
    client: Client, run: Mapping[str, Any], node: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Artifacts and parameters: of one step, or the run's final ones."""
    base = f"/runs/{segment(run['id'])}"
    if not node:
        found = client.get(f"{base}/outputs", limit=FINAL_MAX)
        if found["truncated"]:
            output.note(
                f"the run left more than {FINAL_MAX} files; name a step to see all of its: fubini run outputs RUN STEP"
            )
        return found["artifacts"], found["parameters"]
    artifacts: list[dict[str, Any]] = []
    parameters: list[dict[str, Any]] = []
    for task in tasks_named(client, run["id"], node):
        rows = client.pages(f"{base}/artifacts", node=task["node_id"])
        mine = [row for row in rows if row["generation"] == task["generation"]]
        artifacts += [{**row, "display_name": task["display_name"]} for row in mine]
        found_node = client.get(f"{base}/nodes/{segment(task['node_id'])}")
        parameters += (found_node["outputs"] or {}).get("parameters") or []
    return artifacts, parameters


def show(client: Client, run: Mapping[str, Any], node: str) -> None:
    """List what there is to fetch."""
    artifacts, parameters = artifacts_of(client, run, node)
    if OPTIONS.json:
        output.print_json({"artifacts": artifacts, "parameters": parameters})
        return
    if parameters:
        print(output.table([[p["name"], p.get("value")] for p in parameters], ["PARAMETER", "VALUE"]))
    if artifacts:
        rows = [[a["name"], a["display_name"], output.size(a["size_bytes"]), a["key"]] for a in artifacts]
        print(output.table(rows, ["ARTIFACT", "STEP", "SIZE", "KEY"]))
        output.note(f"fetch them: fubini run outputs {run['job_number']} {node + ' ' if node else ''}--to DIR")
    if not parameters and not artifacts:
        output.note("no outputs" if run["finished_at_ms"] else "no outputs yet")


def api_path(key: str) -> str:
    """An artifact's address from its key (run/node/generation/name)."""
    return "/artifacts/" + "/".join(segment(part) for part in key.split("/", 3))


def suffix_of(client: Client, artifact: Mapping[str, Any], run_id: str) -> str:
    """The ending the step itself gave the file (`.png`), which its artifact's name does not have."""
    if SUFFIX.search(artifact["name"]):
        return ""
    for task in client.pages(f"/runs/{segment(run_id)}/tasks", node=artifact["node_id"], limit=1):
        spec = client.get(f"/tasks/{segment(task['id'])}")["spec"]
        for declared in spec.get("artifacts_out") or []:
            if declared.get("name") == artifact["name"] or len(spec["artifacts_out"]) == 1:
                found = SUFFIX.search(PurePosixPath(str(declared.get("path", ""))).name)
                return found.group(0) if found else ""
    return ""


def plan(
    client: Client, run: Mapping[str, Any], artifacts: list[dict[str, Any]], to: Path
) -> list[tuple[dict[str, Any], Path]]:
    """Where each artifact goes: `DIR/NAME`, with the step's name as a folder where names meet."""
    names = Counter(a["name"] for a in artifacts)
    taken: set[Path] = set()
    planned = []
    for artifact in artifacts:
        parts = [artifact["name"]] if names[artifact["name"]] == 1 else [artifact["display_name"], artifact["name"]]
        safe = [re.sub(r"[^\w.+@=-]+", "_", part).strip(".") or "_" for part in parts]
        place = to.joinpath(*safe)
        if place in taken:
            place = place.with_name(f"{place.name}-{artifact['node_id'][-6:]}")
        if len(artifacts) <= 100:
            ending = suffix_of(client, artifact, run["id"])
            place = place.with_name(place.name + ending) if ending else place
        taken.add(place)
        planned.append((artifact, place))
    return planned


def fetch(client: Client, run: Mapping[str, Any], node: str, to: Path) -> dict[str, Any]:
    """Fetch the artifacts; what is there already is verified and kept."""
    artifacts, parameters = artifacts_of(client, run, node)
    if not artifacts:
        raise CliError(
            "there are no files to fetch",
            why="the run has ended without any" if run["finished_at_ms"] else "the run has not left any yet",
            try_=f"fubini run get {run['job_number']}",
            exit_code=Exit.NOT_FOUND,
        )
    to.mkdir(parents=True, exist_ok=True)
    report = []
    files: list[transfer.Wanted] = []
    for artifact, place in plan(client, run, artifacts, to):
        mine = transfer.wanted_of(client, api_path(artifact["key"]), place, into_folder=False)
        files += mine
        report.append(
            {"name": artifact["name"], "step": artifact["display_name"], "path": str(place), "files": len(mine)}
        )
    with progress.bytes_bar("fetching results", sum(f.size for f in files)) as advance:
        fetched, there = transfer.download(client, files, to, advance)
    value = {"artifacts": report, "parameters": parameters, "fetched": fetched, "there": there, "to": str(to)}
    text = "\n".join(f"{row['path']}  ({row['files']} file(s), from {row['step']})" for row in report)
    output.show(value, f"{text}\n{fetched} file(s) fetched, {there} there already, all verified")
    return value
