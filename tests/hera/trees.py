"""Runs' trees with names normalised, so that two runs of one manifest can be compared.

A node is named by its path with the run's name replaced; kept are type, phase, message, template, parents, and the
values of outputs. Times, ids and what depends on them are not.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.stack import Stack


def tree_of(stack: Stack, run_id: str) -> dict[str, Any]:
    """A run's normalised nodes by name, and under "" what became of the run."""
    run = stack.get(f"runs/{run_id}")
    rows, page = [], stack.get(f"runs/{run_id}/nodes", page_size=200)
    while True:
        rows += page["results"]
        if not page["next"]:
            break
        page = stack.client.get(page["next"]).json()
    names = {row["node_id"]: _plain(row["name"], run["name"]) for row in rows}
    found: dict[str, Any] = {"": [run["phase"], _plain(run["message"], run["name"])]}
    for row in rows:
        outputs = row.get("outputs") or {}
        values = {
            "result": outputs.get("result"),
            "exitCode": outputs.get("exitCode"),
            "parameters": {p["name"]: p.get("value") for p in outputs.get("parameters") or []},
            "artifacts": sorted(a["name"] for a in outputs.get("artifacts") or []),
        }
        found[names[row["node_id"]]] = {
            "type": row["type"],
            "phase": row["phase"],
            "message": _plain(row["message"], run["name"]),
            "template": row["template_name"],
            "parents": sorted(names.get(p, p) for p in row["parents"]),
            "outputs": json.loads(_plain(json.dumps(values), run["name"])),
        }
    return found


def _plain(text: str, run_name: str) -> str:
    """A text without the run's name and the numbers made from it."""
    return re.sub(r"RUN(-[a-z-]+)?-\d{4,10}", "RUN-N", (text or "").replace(run_name, "RUN"))
