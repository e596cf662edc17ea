"""Recorded cases that really run: REST submit, scheduler, local agents, real processes; the trees are then compared.

    python -m tests.conformance.sample [--cases DIR] [--only NAME ...] [--at-once N] [--limit N] [--within S]
        [--database URL]

A case is taken by rule, never by name (`left_out` says each rule): the controller accepted it, submit accepts it, its
leaves ran nothing but shells, Python and the few small programs every host has, nothing in it reads a clock, a random
number or the host's name, and no leaf slept long. Images the local sites do not map stand for a plain host here;
an existing claim of a case is a shared disk of the local sites, empty and the case's own.
Recorded actions are performed through REST when what they wait for is seen there; library templates become pipelines
of the case's own project. What came of each leaf is held against the recording as well. `compare.py`, which lies beside
the cases, judges the results; nothing here reads a recorded tree. Writes `build/argo-run-sample.json`: `cases`, `equal`.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from fubini.engines.embedded.scope import rfc3339
from fubini.runs.codec import spec_of
from fubini.supervisor.agents import HOST_IMAGES, PYTHON_IMAGES
from tests.conformance.driver import ADDRESS, CREATED, NAMESPACE, UID, compare_leaf, parse
from tests.conformance.run import refusal
from tests.needs import missing, shared
from tests.support.stack import ENDED, ROOT, Stack, stack

PROGRAMS = frozenset({"sh", "bash", "python", "python3", "echo", "true", "false", "cat", "sleep", "test", "printf"})
VARIES = re.compile(r"\b(date|uname|hostname)\b|random", re.IGNORECASE)
# What a queue for two cores would change: a deadline counts waiting too, and an action must meet the state it waits for.
TIMED = re.compile(r"\b(activeDeadlineSeconds|timeout|duration|maxDuration|pendingTimeout)\b")
LEAF_MAX_S, CASE_MAX_S = 20.0, 60.0
CLAIM = re.compile(r"(\bclaimName:\s*)([a-z0-9-]+)")
LIBRARY = ("WorkflowTemplate", "ClusterWorkflowTemplate", "ConfigMap")
PLAIN_IMAGE = "debian:12-slim"
IMAGE = re.compile(r"(\bimage:\s*)(\"[^\"{]*\"|'[^'{]*'|[^\s{'\"]+)(?=\s*(?:[,}]|$))", re.MULTILINE)
BUDGET_MICROS = 10**12
POLL_S = 0.25
ACTION_AFTER_S = 0.25
CASE_WITHIN_S = 100.0
BEGIN_WITHIN_S = 390.0
QUIET_AT_ONCE = 3


# --- which cases -------------------------------------------------------------------------------------------------


def left_out(case: Mapping[str, Any]) -> str:
    """The rule that leaves a case out, "" when it is taken."""
    if not case["accepted"]:
        return "the controller refused it"
    text = case["manifest"] + "".join(case.get("extras") or ())
    if VARIES.search(text):
        return "reads a clock, a random number or the host's name"
    leaves = recorded(case)
    if any(entry["argv"][0].rpartition("/")[2] not in PROGRAMS for entry in leaves if entry.get("argv")):
        return "needs a program that not every host has"
    if longest_s(case) > LEAF_MAX_S or total_s(case) > CASE_MAX_S:
        return "sleeps long"
    if refusal(case) is not None:
        return "submit refuses it, or a field is not supported"
    kinds = {parse(extra).get("kind") for extra in case.get("extras") or ()}
    if not kinds <= set(LIBRARY):
        return f"its library has what no route takes: {', '.join(sorted(str(k) for k in kinds - set(LIBRARY)))}"
    return ""


def recorded(case: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What was recorded of each leaf's pods."""
    return [entry for entries in (case.get("leaves") or {}).values() for entry in entries]


def longest_s(case: Mapping[str, Any]) -> float:
    return max((float(entry.get("seconds", 0)) for entry in recorded(case)), default=0.0)


def total_s(case: Mapping[str, Any]) -> float:
    return sum(float(entry.get("seconds", 0)) for entry in recorded(case))


def local_images(manifest: str) -> str:
    """The manifest with images that the local sites do not know replaced by a plain one."""

    def mapped(found: re.Match[str]) -> str:
        image = found[2].strip("\"'")
        known = any(fnmatch.fnmatchcase(image, pattern) for pattern in (*HOST_IMAGES, *PYTHON_IMAGES))
        return found[0] if known else found[1] + PLAIN_IMAGE

    return IMAGE.sub(mapped, manifest)


def own_claims(name: str, manifest: str) -> str:
    """The manifest with its claims named after the case, as they are declared to the sites."""
    return CLAIM.sub(lambda found: f"{found[1]}{name}-{found[2]}", manifest)


def disks_made(cases: Mapping[str, Mapping[str, Any]], folder: pathlib.Path) -> str:
    """An empty folder for each claim of the cases; -> how the local sites are told of them."""
    names = {f"{name}-{claim}" for name, case in cases.items() for _, claim in CLAIM.findall(case["manifest"])}
    for name in names:
        (folder / name).mkdir()
    return ",".join(f"{name}={folder / name}" for name in sorted(names))


def alone(case: Mapping[str, Any]) -> bool:
    """Does waiting for a core change what the case does?"""
    return bool(case.get("actions") or TIMED.search(case["manifest"]))


# --- one case ----------------------------------------------------------------------------------------------------


@dataclass
class Going:
    """A case under way."""

    name: str
    case: Mapping[str, Any]
    project: str
    run_id: str
    begun: float
    actions: list[Mapping[str, Any]]
    act_at: float | None = None
    supplied: dict[str, str] = field(default_factory=dict)
    supplied_selector: str = ""
    refused: list[str] = field(default_factory=list)


def begin(running: Stack, name: str, case: Mapping[str, Any], number: int) -> Going | dict[str, Any]:
    """Submit a case in its project; -> the case under way, or its result when it was refused."""
    slug = f"argo-sample-{number}" if case.get("extras") else "argo-sample"
    project_ensure(running, slug)
    for extra in case.get("extras") or ():
        known = parse(extra)
        if known.get("kind") == "ConfigMap":
            config_map_put(running, slug, known)
        else:
            running.post("pipelines", {"project": slug, "manifest": local_images(extra)})
    manifest = own_claims(name, local_images(case["manifest"]))
    reply = running.client.post("/api/v1/runs", json={"project": slug, "manifest": manifest})
    if reply.status_code >= 400:
        return {"accepted": False, "message": reply.text[:1000]}
    return Going(name, case, slug, reply.json()["id"], time.monotonic(), list(case.get("actions") or ()))


def config_map_put(running: Stack, slug: str, manifest: Mapping[str, Any]) -> None:
    """A ConfigMap of a case as the project's, with the labels it has there."""
    body = {"values": manifest.get("data") or {}, "labels": manifest["metadata"].get("labels") or {}, "replace": True}
    reply = running.client.put(f"/api/v1/projects/{slug}/configs/{manifest['metadata']['name']}", json=body)
    if reply.status_code >= 400:
        raise RuntimeError(f"ConfigMap of {slug}: {reply.status_code} {reply.text[:500]}")


def project_ensure(running: Stack, slug: str) -> None:
    reply = running.client.post("/api/v1/projects", json={"slug": slug})
    if reply.status_code == 201:
        running.post(f"projects/{slug}/budget", {"amount_micros": BUDGET_MICROS, "note": "conformance"})
    elif reply.status_code != 409:
        raise RuntimeError(f"project {slug}: {reply.status_code} {reply.text[:500]}")


def pages(running: Stack, path: str, **params: Any) -> Iterator[dict[str, Any]]:
    """All rows of a list, page by page."""
    found = running.get(path, page_size=200, **params)
    while True:
        yield from found["results"]
        if not found.get("next"):
            return
        found = running.client.get(found["next"]).raise_for_status().json()


def met(running: Stack, going: Going, run: Mapping[str, Any]) -> bool:
    """Has what the next action waits for happened?"""
    when = going.actions[0].get("when") or {}
    if "workflow" in when:
        # The run's own state says that it has ended; its phase may be there before an exit handler's end.
        return bool(run["phase"] == when["workflow"] and (run["state"] in ENDED or when["workflow"] == "Running"))
    if "node" not in when:
        return True
    wanted, phase = when["node"], when.get("phase", "Running")
    return any(
        node["phase"] == phase and (node["name"].endswith(wanted) or node["display_name"] == wanted)
        for node in pages(running, f"runs/{going.run_id}/nodes", phase=phase)
    )


def act(running: Stack, going: Going) -> None:
    """Perform the next recorded action as a person would here; a refusal that the controller did not give is kept."""
    action = going.actions.pop(0)
    words, options = command_of(action["argo"])
    selector = options.get("--node-field-selector", "")
    if words[:2] == ["node", "set"]:  # kept by Argo until the node is resumed; here both are one request
        name, _, value = options["--output-parameter"].partition("=")
        going.supplied[name], going.supplied_selector = value, selector
        return
    body: dict[str, Any] = {}
    if words[0] in ("resume", "retry") and selector:
        body["selector"] = selector
    if words[0] == "resume" and going.supplied:
        body |= {"outputs": going.supplied, "selector": going.supplied_selector}
        going.supplied = {}
    if words[0] == "retry":
        body["restart_successful"] = "--restart-successful" in words
        if "-p" in options:
            body["parameters"] = dict([options["-p"].split("=", 1)])
    reply = running.client.post(f"/api/v1/runs/{going.run_id}/{words[0]}", json=body)
    if (reply.status_code >= 400) != bool((action.get("ran") or {}).get("exit")):
        going.refused.append(f"action {' '.join(action['argo'])}: {reply.status_code} {reply.text[:300]}")


def command_of(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """An `argo` command's words and its options with values."""
    words: list[str] = []
    options: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in ("--node-field-selector", "--output-parameter", "--message", "-p"):
            options[word] = rest.pop(0)
        else:
            words.append(word)
    return words, options


# --- results in the recordings' shape ----------------------------------------------------------------------------


def result_of(running: Stack, going: Going, run: Mapping[str, Any]) -> dict[str, Any]:
    """What the API shows of an ended run, as the comparison reads it."""
    rows = list(pages(running, f"runs/{going.run_id}/nodes"))
    names = {row["node_id"]: row["name"] for row in rows}
    children: dict[str, list[str]] = collections.defaultdict(list)
    for row in rows:
        for parent in row["parents"]:
            children[parent].append(row["name"])
    nodes = {row["name"]: entry_of(row, names, children) for row in rows}
    tree: dict[str, Any] = {"phase": run["phase"], "nodes": dict(sorted(nodes.items()))}
    tree |= {key: run[key] for key in ("message", "outputs") if run[key]}
    varying = {run["id"]: UID, going.project: NAMESPACE, rfc3339(run["created_at_ms"]): CREATED}
    if "daemon: true" in going.case["manifest"]:
        varying["127.0.0.1"] = ADDRESS
    result = {"accepted": True, "tree": replaced(tree, varying)}
    mismatches = [*going.refused, *leaves_compare(running, going, names, varying)]
    if mismatches:
        result["leaf_mismatches"] = mismatches
    return result


def entry_of(row: Mapping[str, Any], names: Mapping[str, str], children: Mapping[str, list[str]]) -> dict[str, Any]:
    entry = {
        "displayName": row["display_name"],
        "type": row["type"],
        "phase": row["phase"],
        "message": row["message"],
        "templateName": row["template_name"],
        "templateRef": row["template_ref"],
        "nodeFlag": row["node_flag"],
        "boundary": names.get(row["boundary_id"]),
        "children": sorted(children.get(row["node_id"], ())),
        "inputs": row["inputs"],
        "outputs": row["outputs"],
        "daemoned": row["daemoned"] or None,
        "memoizationStatus": row["memoization"],
        "synchronizationStatus": row["waiting_for"] or None,
    }
    return {key: value for key, value in entry.items() if value not in (None, "", [], {})}


def replaced(value: Any, varying: Mapping[str, str]) -> Any:
    """Every text in `value` with what differs from run to run replaced by its placeholder."""
    text = json.dumps(value)
    for found, placeholder in varying.items():
        text = text.replace(json.dumps(found)[1:-1], placeholder)
    return json.loads(text)


def leaves_compare(running: Stack, going: Going, names: Mapping[str, str], varying: Mapping[str, str]) -> Iterator[str]:
    """What each leaf was given and what came of it, against the recording."""
    tasks: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for row in pages(running, f"runs/{going.run_id}/tasks"):
        tasks[names.get(row["node_id"], row["node_id"])].append(row)
    for name, entries in (going.case.get("leaves") or {}).items():
        ran = sorted(tasks.get(name, ()), key=lambda row: row["generation"])
        ran = [row for row in ran if row["state"] != "cancelled" or len(ran) == len(entries)]
        if len(ran) != len(entries):
            yield f"{name}: ran {len(ran)} times, {len(entries)} recorded"
        for entry, row in zip(entries, ran, strict=False):
            detail = replaced(running.get(f"tasks/{row['id']}"), varying)
            yield from (f"{name} {text}" for text in compare_leaf(entry, spec_of(detail["spec"])))
            if row["state"] != "cancelled":  # ended by an action: its code is the signal's
                yield from (f"{name} {text}" for text in compare_outcome(entry, detail["outcome"] or {}))


def compare_outcome(entry: Mapping[str, Any], outcome: Mapping[str, Any]) -> Iterator[str]:
    """How a leaf ended against how it was recorded to have ended."""
    kind = "exited"
    if entry.get("init_error"):
        kind = "input_error"
    elif entry.get("timed_out"):
        kind = "timed_out"
    elif entry.get("wait_error") and not entry.get("exitCode"):  # after a failed command nothing more is missed
        kind = "output_error"
    if outcome.get("kind") != kind:
        yield f"outcome: want {kind} got {outcome.get('kind')} {outcome.get('error', '')}"
        return
    if kind == "exited" and outcome.get("exit_code") != entry.get("exitCode", 0):
        yield f"exit code: want {entry.get('exitCode', 0)} got {outcome.get('exit_code')}"
    outputs = entry.get("outputs") or {}
    if outputs.get("result") is not None and outcome.get("result", outputs["result"]) != outputs["result"]:
        yield f"result: want {outputs['result']!r} got {outcome.get('result')!r}"
    if kind != "exited":
        return
    got = outcome.get("parameters") or {}
    for parameter in outputs.get("parameters") or ():
        if parameter["name"] in got and got[parameter["name"]] != parameter.get("value"):
            yield f"parameter {parameter['name']}: want {parameter.get('value')!r} got {got[parameter['name']]!r}"
    wanted = sorted(artifact["name"] for artifact in outputs.get("artifacts") or ())
    if wanted != sorted(outcome.get("artifacts") or ()):
        yield f"artifacts: want {wanted} got {sorted(outcome.get('artifacts') or ())}"


# --- all of them -------------------------------------------------------------------------------------------------


def run_all(
    running: Stack, cases: Mapping[str, Mapping[str, Any]], out: pathlib.Path, at_once: int, deadline: float
) -> dict[str, float]:
    """Run the cases; -> seconds of each that was begun.

    Those that waiting for a core would change go first and few at a time, the others many at a time, long ones first.
    What `deadline` leaves no time for is not begun.
    """
    seconds: dict[str, float] = {}
    quiet = [name for name in cases if alone(cases[name])]
    crowd = sorted((name for name in cases if not alone(cases[name])), key=lambda name: -total_s(cases[name]))
    numbers = {name: n for n, name in enumerate(cases)}
    for waiting, most in ((quiet, QUIET_AT_ONCE), (crowd, at_once)):
        going: list[Going] = []
        while waiting or going:
            while waiting and len(going) < most and time.monotonic() < deadline:
                name = waiting.pop(0)
                found = begin(running, name, cases[name], numbers[name])
                if isinstance(found, Going):
                    going.append(found)
                else:
                    seconds[name] = 0.0
                    (out / f"{name}.json").write_text(json.dumps(found))
            if time.monotonic() >= deadline:
                waiting.clear()
            time.sleep(POLL_S)
            for each in list(going):
                run = running.get(f"runs/{each.run_id}")
                if step(running, each, run):
                    continue
                going.remove(each)
                seconds[each.name] = round(time.monotonic() - each.begun, 2)
                if run["state"] in ENDED:
                    (out / f"{each.name}.json").write_text(json.dumps(result_of(running, each, run)))
                else:
                    print(f"{each.name}: no end within {CASE_WITHIN_S} s; {run['phase']}")
                    running.client.post(f"/api/v1/runs/{each.run_id}/terminate", json={})
    return seconds


def step(running: Stack, going: Going, run: Mapping[str, Any]) -> bool:
    """Act where it is time; False once there is nothing more to wait for."""
    if time.monotonic() - going.begun > CASE_WITHIN_S:
        return False
    if going.actions:
        if going.act_at is None and met(running, going, run):
            going.act_at = time.monotonic() + ACTION_AFTER_S
        if going.act_at is not None and time.monotonic() >= going.act_at:
            going.act_at = None
            act(running, going)
            # A signal is taken up by the engine a moment later: what it brings about is looked at next time.
            return True
        return run["state"] not in ENDED or going.act_at is not None or waits_for_end(going)
    return run["state"] not in ENDED


def waits_for_end(going: Going) -> bool:
    """Is the next action one on an ended run?"""
    return "workflow" in (going.actions[0].get("when") or {})


def judge(cases: pathlib.Path, taken: Mapping[str, Any], out: pathlib.Path) -> dict[str, dict[str, Any]]:
    """The verdict on each taken case, by the recordings' own judge in a process of its own."""
    chosen = out / "cases"
    chosen.mkdir(exist_ok=True)
    for name in taken:
        (chosen / f"{name}.json").write_bytes((cases / f"{name}.json").read_bytes())
    report = out / "verdicts.json"
    argv = [sys.executable, str(cases.parent / "compare.py"), str(chosen), str(out), "--json", str(report)]
    subprocess.run(argv, capture_output=True, check=False, timeout=120)
    rows: dict[str, dict[str, Any]] = json.loads(report.read_text())["cases"]
    return rows


def equal(row: Mapping[str, Any]) -> bool:
    """Is the tree the recorded one? Which nodes count as a composite's outbound ones is no part of the API's tree."""
    return row["verdict"] == "exact" or (
        row["verdict"] == "core" and all(re.search(r" outbound: want ", why) for why in row["why"])
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=pathlib.Path, default=shared() / "conformance" / "argo" / "cases")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "argo-run-sample")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--at-once", type=int, default=24)
    parser.add_argument("--limit", type=int, default=0, help="at most so many cases, spread over the folder")
    parser.add_argument("--within", type=float, default=BEGIN_WITHIN_S, help="seconds in which cases are begun")
    parser.add_argument("--database", default="", help="run on this (empty) database, not on a SQLite file")
    options = parser.parse_args(argv)
    begun = time.monotonic()
    if missing("shared") and not options.cases.is_dir():
        print(f"the recordings are not here ({options.cases}): {missing('shared')}")
        return 2
    cases = options.cases.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    for old in options.out.glob("*.json"):
        old.unlink()
    taken: dict[str, Mapping[str, Any]] = {}
    out_of: collections.Counter[str] = collections.Counter()
    for file in sorted(cases.glob("*.json")):
        case = json.loads(file.read_text())
        reason = left_out(case)
        if reason:
            out_of[reason] += 1
        if (not options.only and not reason) or file.stem in options.only:
            taken[file.stem] = case
    if options.limit and len(taken) > options.limit:
        step_ = len(taken) / options.limit
        taken = {name: taken[name] for name in [list(taken)[int(n * step_)] for n in range(options.limit)]}
    env = {"FUBINI_BURST_WAIT_S": "0"} | ({"FUBINI_DATABASE_URL": options.database} if options.database else {})
    with tempfile.TemporaryDirectory(prefix="fubini-disks-") as disks, contextlib.ExitStack() as stacks:
        env["FUBINI_SHARED_DISKS"] = disks_made(taken, pathlib.Path(disks))
        running = stacks.enter_context(stack(**env))
        running.client.timeout = httpx.Timeout(60)
        seconds = run_all(running, taken, options.out, options.at_once, begun + options.within)
    not_begun = sorted(set(taken) - set(seconds))
    taken = {name: case for name, case in taken.items() if name in seconds}
    rows = judge(cases, taken, options.out)
    good = sorted(name for name, row in rows.items() if equal(row))
    bad = sorted(set(taken) - set(good))
    figures = {
        "cases": len(taken),
        "equal": len(good),
        "exact": sum(row["verdict"] == "exact" for row in rows.values()),
        "not_equal": bad,
        "not_begun": len(not_begun),
        "leaves": sum(len(recorded(case)) for case in taken.values()),
        "actions": sum(len(case.get("actions") or ()) for case in taken.values()),
        "seconds": round(time.monotonic() - begun, 1),
        "left_out": dict(out_of),
        "at_once": options.at_once,
        "cores": os.cpu_count(),
    }
    (ROOT / "build" / "argo-run-sample.json").write_text(json.dumps(figures, indent=1) + "\n")
    for name in bad:
        row = rows.get(name) or {"verdict": "missing", "why": []}
        print(f"{row['verdict']:12s} {name}", *(f"\n    {why}" for why in row["why"][:8]), sep="")
    print(f"{'left out because':70s} {'cases':>6s}")
    for reason, count in out_of.most_common():
        print(f"{reason:70s} {count:6d}")
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:5]
    print(f"slowest: {', '.join(f'{name} {s} s' for name, s in slowest)}")
    print(
        f"{figures['cases']} cases with {figures['leaves']} recorded leaves and {figures['actions']} actions really ran in"
        f" {figures['seconds']} s: {figures['equal']} trees are equal, {len(bad)} are not, {len(not_begun)} had no time"
    )
    return 0 if not bad and (len(taken) >= 150 or options.only or options.limit) else 1


if __name__ == "__main__":
    sys.exit(main())
