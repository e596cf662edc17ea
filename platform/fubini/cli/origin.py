"""`run origin` and `data origin`: where something comes from and what was made of it, as two indented lists.

A graph as a list: each thing is told where it is first met, from the start outwards; met again it is only named.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fubini.cli import output
from fubini.cli.client import Client
from fubini.cli.config import OPTIONS

CRATE: Final = "ro-crate-metadata.json"
VERB: Final = {
    "behind": {"read": "read {name}", "left": "left by", "taken_over": "taken over from", "kept": "kept from", "made": "made by"},
    "ahead": {"read": "read as {name} by", "left": "left {name}", "taken_over": "taken over by", "kept": "kept as", "made": "made"},
}  # fmt: skip


def show(client: Client, base: str, *, depth: int, limit: int, crate: Path | None) -> None:
    """Print the origin of what lies at `base`, or write its RO-Crate."""
    if crate is not None:
        found = client.get(f"{base}/{CRATE}", depth=depth, limit=limit)
        where = crate / CRATE if crate.is_dir() else crate
        where.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        output.show({"to": str(where), "entities": len(found["@graph"])}, f"{where}: {len(found['@graph'])} entities")
        return
    found = client.get(f"{base}/origin", depth=depth, limit=limit)
    if OPTIONS.json:
        output.print_json(found)
    else:
        print(text_of(found))


def text_of(found: Mapping[str, Any]) -> str:
    """The whole answer as people read it."""
    places = {p["id"]: p for p in found["places"]}
    runs = {r["id"]: r for r in found["runs"]}
    lines = [line_of(places[found["start"]], runs)]
    for side, title in (("behind", "came from"), ("ahead", "made of it")):
        below = tree_of(found, side)
        lines += ["", title]
        lines += [f"{'  ' * (depth + 1)}{told}" for depth, told in _lines(places, runs, below, found["start"], side)]
        if len(below) == 0:
            lines.append("  nothing that is recorded" if side == "behind" else "  nothing yet")
    if any(p["more"] for p in found["places"]):
        lines += ["", "... marks what has more behind it: ask for its own origin, or with --depth and --limit"]
    if found["incomplete"]:
        lines += ["", "there are more steps than one answer looks through: some that read it may be missing"]
    return "\n".join(lines)


def tree_of(found: Mapping[str, Any], side: str) -> dict[str, list[tuple[str, str, str]]]:
    """Place -> (how, name, next place) in one direction."""
    sides = {p["id"]: p["side"] for p in found["places"]}
    below: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for link in found["links"]:
        near, far = (link["after"], link["before"]) if side == "behind" else (link["before"], link["after"])
        if sides[near] in (side, "start") and sides[far] == side:
            below[near].append((link["how"], link["name"], far))
    return dict(below)


def _lines(
    places: Mapping[str, Any], runs: Mapping[str, Any], below: Mapping[str, list[tuple[str, str, str]]], start: str, side: str
) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    told: set[str] = {start}
    todo = [(0, *next_) for next_ in reversed(below.get(start, []))]
    while todo:
        depth, how, name, place = todo.pop()
        verb = VERB[side].get(how, how).format(name=name).strip()
        again = place in told
        lines.append((depth, f"{verb}: {_again(places[place], runs) if again else line_of(places[place], runs)}"))
        if not again:
            told.add(place)
            todo += [(depth + 1, *next_) for next_ in reversed(below.get(place, []))]
    return lines


def _again(place: Mapping[str, Any], runs: Mapping[str, Any]) -> str:
    job = f", job {runs[place['run']]['job_number']}" if place["run"] in runs and place["kind"] != "dataset" else ""
    return f"{place['name']}{job} (above)"


def line_of(place: Mapping[str, Any], runs: Mapping[str, Any]) -> str:
    """One thing with what tells it from others."""
    run, data, step = runs.get(place["run"]), place["content"], place["step"]
    parts = [f"{place['kind']} {place['name']}"]
    if run is not None:
        source = f"{run['pipeline']} version {run['pipeline_version']}" if run["pipeline"] else f"manifest {run['manifest_sha256'][:12]}"
        if place["kind"] == "run":
            parts += [f"job {run['job_number']}", run["state"], source, f"by {run['submitted_by']}"]
        else:
            parts.append(f"job {run['job_number']}")
    if data is not None and data["gone"]:
        parts.append("its record was cleared")
    elif data is not None:
        digest = f"sha256 {data['file']['sha256'][:12]}" if data["file"] else f"digest {data['digest'][:12]}, {data['files']} files"
        parts += [output.size(data["size_bytes"]), digest]
    if step is not None:
        attempt = step["attempt"]
        parts += [step["image"]] if step["image"] else []
        if attempt is not None:
            parts.append(f"{attempt['site']}/{attempt['pool']}")
            parts += [f"environment {attempt['fingerprint'].removeprefix('sha256:')[:12]}"] if attempt["fingerprint"] else []
        parts += [f"{name}={value}" for name, value in list(step["parameters"].items())[:5]]
        parts += [f"by {run['submitted_by']}"] if run is not None else []
    if data is not None and data["made_by"]:
        parts.append(f"by {data['made_by']}")
    return ", ".join(parts) + (" ..." if place["more"] else "")
