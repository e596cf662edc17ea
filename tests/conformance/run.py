"""Runs recorded cases through an engine and writes one result a case, for the recordings' own comparison.

    python -m tests.conformance.run --cases DIR --engine embedded --out DIR [--only NAME ...] [--no-check]

Where `compare.py` lies beside the cases it judges the results: `build/argo-conformance.json` gets the keys `cases`,
`accepted`, `exact`, `core`, `differs`, `wrong`, `unsupported`. Exits 0 when every case has a result.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from tests.conformance.driver import Driver, parse

ROOT = pathlib.Path(__file__).resolve().parents[2]


def refusal(case: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the check of manifests says against a case, as a result; None where it may run."""
    from fubini.engines.embedded.supported import SUPPORTED
    from fubini.manifests.check import check_manifest

    library = [parse(extra) for extra in case.get("extras") or ()]
    report = check_manifest(case["manifest"], supported=SUPPORTED, library=library, parameters={})
    if report.invalid:
        first = report.invalid[0]
        return {"accepted": False, "message": f"{first.path}: {first.message} {first.found}".strip()}
    if report.unsupported:
        first = report.unsupported[0]
        return {"unsupported": f"{_path_of(first.path)}: {first.message}"}
    return None


def _path_of(path: str) -> str:
    return path.replace("library[", "extras[", 1) if path.startswith("library[") else path


def result_of(case: Mapping[str, Any], *, check: bool = True) -> dict[str, Any]:
    """One case's result."""
    if check:
        found = refusal(case)
        if found is not None:
            return found
    outcome = Driver(case).run()
    result: dict[str, Any] = {"accepted": True, "tree": outcome.tree}
    if outcome.leaf_mismatches:
        result["leaf_mismatches"] = outcome.leaf_mismatches
    return result


def judge(cases: pathlib.Path, out: pathlib.Path, build: pathlib.Path) -> dict[str, int] | None:
    """Compare with the recordings, where the comparison is at hand; -> the counts that the build file gets."""
    script = cases.parent / "compare.py"
    if not script.exists():
        return None
    report = build / "argo-compare.json"
    done = subprocess.run(
        [sys.executable, str(script), str(cases), str(out), "--json", str(report)],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, end="")
    if not report.exists():
        print(done.stderr, file=sys.stderr)
        return None
    verdicts = collections.Counter(row["verdict"] for row in json.loads(report.read_text())["cases"].values())
    total = sum(verdicts.values())
    return {
        "cases": total,
        "accepted": total - verdicts["unsupported"],
        "exact": verdicts["exact"],
        "core": verdicts["core"],
        "differs": verdicts["differs"],
        "wrong": verdicts["wrong-accept"] + verdicts["wrong-refuse"],
        "unsupported": verdicts["unsupported"],
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--engine", default="embedded", choices=["embedded"])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--no-check", action="store_true", help="run what the check of manifests would refuse, too")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    missing = 0
    files = sorted(options.cases.glob("*.json"))
    for file in files:
        if options.only and file.stem not in options.only:
            continue
        try:
            result = result_of(json.loads(file.read_text()), check=not options.no_check)
            text = json.dumps(result)
        except Exception:
            missing += 1
            print(f"{file.stem}: no result", file=sys.stderr)
            traceback.print_exc()
            (options.out / file.name).unlink(missing_ok=True)
            continue
        (options.out / file.name).write_text(text)
    counts = judge(options.cases.resolve(), options.out.resolve(), build)
    if counts is not None:
        (build / "argo-conformance.json").write_text(json.dumps(counts, indent=1) + "\n")
    print(f"{len(files)} cases, {missing} without a result" + (f", pid {os.getpid()}" if options.only else ""))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
