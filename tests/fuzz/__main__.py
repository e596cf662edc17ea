"""All fuzzers at the counts of a level: ``python -m tests.fuzz --level ci|nightly [--only NAME] [--seed S] [--count N]``.

At level ``ci`` every fuzzer has the same seed each time, so that a change is judged by what it changed and a red build
can be repeated; new ground is broken at level ``nightly``, where each seed is new and printed.
A new fuzzer is a module with ``run(count, seed) -> FuzzResult`` and a line in `FUZZERS`. Results go to
``build/fuzz.json``: `inputs` and `failures` in all, `seeds` by fuzzer, and a record of each in `fuzzers`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
for _root in ("platform", "scheduler", "edge_agent", "."):
    if str(REPOSITORY / _root) not in sys.path:
        sys.path.insert(0, str(REPOSITORY / _root))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.test")

from tests.fuzz.common import FuzzResult, new_seed  # noqa: E402

CI_SEED = 20_261_127

# name, module, count in continuous integration, count at night
FUZZERS: list[tuple[str, str, int, int]] = [
    ("manifests", "tests.fuzz.manifests", 5_000, 100_000),
    ("expressions", "tests.fuzz.expressions", 5_000, 100_000),
    ("dags", "tests.fuzz.dags", 500, 5_000),
    ("workflows", "tests.fuzz.workflows", 150, 20_000),
    ("artifact_names", "tests.fuzz.artifact_names", 3_000, 30_000),
    ("archives", "tests.fuzz.archives", 200, 2_000),
    ("agent_replies", "tests.fuzz.agent_replies", 10_000, 200_000),
    ("agent_protocol", "tests.fuzz.agent_protocol", 10_000, 200_000),
    ("rest", "tests.fuzz.rest", 2_000, 50_000),
    ("twin", "tests.fuzz.twin", 600, 5_000),
    ("pages", "tests.fuzz.pages", 2_000, 20_000),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", choices=("ci", "nightly"), default="ci")
    parser.add_argument("--only", action="append", default=[], choices=[f[0] for f in FUZZERS])
    parser.add_argument("--seed", type=int, default=None, help="one seed for all, instead of the level's")
    parser.add_argument("--count", type=int, default=None, help="inputs for each, instead of the level's")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "fuzz.json")
    chosen = parser.parse_args()
    results: list[FuzzResult] = []
    for name, module, at_ci, at_night in FUZZERS:
        if chosen.only and name not in chosen.only:
            continue
        seed = chosen.seed if chosen.seed is not None else CI_SEED if chosen.level == "ci" else new_seed()
        count = chosen.count or (at_ci if chosen.level == "ci" else at_night)
        print(f"-- {name}: {count:,} inputs, seed {seed}", flush=True)
        started = time.monotonic()
        try:
            result: FuzzResult = importlib.import_module(module).run(count, seed)
        except Exception:  # a fuzzer that breaks is a failure like any other, and the others still run
            result = FuzzResult(name, seed)
            result.fail(f"the fuzzer itself broke: {traceback.format_exc()}")
        result.seconds = time.monotonic() - started
        print(result.table(), flush=True)
        results.append(result)
    record = {
        "level": chosen.level,
        "inputs": sum(r.inputs for r in results),
        "failures": sum(len(r.failures) for r in results),
        "seeds": {r.name: r.seed for r in results},
        "fuzzers": {
            r.name: {
                "inputs": r.inputs,
                "failures": r.failures[:50],
                "seed": r.seed,
                "seconds": round(r.seconds, 1),
                "outcomes": dict(r.outcomes.most_common(50)),
                "worst": r.worst,
            }
            for r in results
        },
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{record['inputs']:,} inputs, {record['failures']} failures; {chosen.out}")
    return 1 if record["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
