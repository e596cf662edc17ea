"""REST under hostile requests: schemathesis drives every operation of the schema against a real server, as three roles.

Each role goes through examples, coverage, fuzzing and stateful sequences. A call fails where the server fails, answers
what its schema does not know, takes what its schema refuses, answers without a sign-in, or shows what was deleted.
The event stream is left out (an endless answer); it has its own tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.common import FuzzResult, main

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = ("viewer", "owner", "admin")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "use_after_free",
    "unsupported_method",
)
# Calls that end the caller's own right to call, or stop the platform's work for the calls after them.
LEFT_OUT = ("/api/v1/logout", "/api/v1/events", "/api/v1/tasks/{id}/logs")
# Of a role's calls, how many a phase may take.
SHARES = {"coverage": 0.3, "fuzzing": 0.55, "stateful": 0.15}
EVERY_OPERATION = 100  # calls, where the count allows it
SHOWN_CALLS = 40_000
LINE_MAX = 60_000
FILL_TURNS = 12


@dataclass(slots=True)
class Server:
    url: str
    world: dict[str, Any]
    schema: dict[str, Any]


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """The real ASGI application under uvicorn, on a database of its own, with no other process of the platform."""
    home = Path(tempfile.mkdtemp(prefix="fubini-fuzz-rest-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,
        "FUBINI_HOME": str(home),
        "FUBINI_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "fubini.settings.dev",
        "PYTHONPATH": os.pathsep.join(str(REPOSITORY / p) for p in (".", "platform", "scheduler", "edge_agent")),
    }
    env.pop("FUBINI_DATABASE_URL", None)
    python = [sys.executable]
    log = home / "server.log"
    process: subprocess.Popen[bytes] | None = None
    try:
        subprocess.run([*python, "manage.py", "migrate", "-v0"], env=env, cwd=REPOSITORY, check=True)
        made = subprocess.run(
            [*python, "-m", "tests.fuzz.rest_world"],
            env=env,
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
            text=True,
        )
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*python, "-m", "uvicorn", "fubini.asgi:application", "--port", str(port), "--log-level", "error"],
                env=env, cwd=REPOSITORY, stdout=sink, stderr=sink,
            )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, log)
        accept = urllib.request.Request(f"{url}/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
        with urllib.request.urlopen(accept, timeout=60) as answer:
            schema = json.load(answer)
        yield Server(url, json.loads(made.stdout.splitlines()[-1]), schema)
    finally:
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(home, ignore_errors=True)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not come up: {log.read_text()[-3000:]}")


def _config(place: Server, role: str, phase: str, examples: int, seed: int) -> Any:
    from schemathesis.config import SchemathesisConfig

    checks: dict[str, Any] = {"enabled": False}
    for name in CHECKS:
        # Two calls without a right for each one with it: enough of them in the coverage phase.
        checks[name] = {"enabled": name != "ignored_auth" or phase == "coverage"}
    # A precondition, a conflict, an oversized body or a wrong content type is a refusal like any other.
    checks["negative_data_rejection"]["expected-statuses"] = [
        "400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "428", "429",
    ]  # fmt: skip
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": place.url,
            "headers": {"Authorization": f"Bearer {place.world[role]}"},
            "request-timeout": 20,
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "database": "none", "with-security-parameters": False},
            "checks": checks,
            "phases": {
                "examples": {"enabled": phase == "fuzzing", "fill-missing": True},
                "coverage": {"enabled": phase == "coverage"},
                "fuzzing": {"enabled": phase == "fuzzing"},
                "stateful": {"enabled": phase == "stateful"},
            },
        }
    )


def _phase(
    place: Server,
    role: str,
    phase: str,
    budget: int,
    seed: int,
    result: FuzzResult,
    calls: Counter[str],
    only: set[str] | None = None,
) -> None:
    import schemathesis
    from schemathesis.engine import events, from_schema

    loaded = schemathesis.openapi.from_dict(place.schema, config=_config(place, role, phase, 10, seed))
    labels = sorted(op.ok().label for op in loaded.get_all_operations() if _wanted(op.ok().path))
    labels = [label for label in labels if only is None or label in only]
    rng = random.Random(seed)
    if phase == "coverage":  # it is systematic and long: as many operations as the budget lasts for
        rng.shuffle(labels)
        labels = labels[: max(3, budget // 40)]
    examples = max(2, budget // max(1, len(labels))) if phase == "fuzzing" else max(2, budget // 8)
    loaded = schemathesis.openapi.from_dict(place.schema, config=_config(place, role, phase, examples, seed))
    wanted = set(labels)
    schemathesis.hooks.unregister_all()
    schemathesis.hook(_real_names(place, seed))
    schema = loaded.include(lambda context: context.operation.label in wanted)
    spent = 0
    stream = from_schema(schema).execute()
    for event in stream:
        if isinstance(event, events.ScenarioFinished):
            spent += _take(event.recorder, role, phase, seed, result, calls)
            if spent >= budget * 1.5 and phase != "fuzzing":
                stream.stop()
        elif isinstance(event, events.NonFatalError):
            result.fail(f"{role} {phase} seed {seed}: {event.label}: {event.value!r}"[:1500])
        elif isinstance(event, events.FatalError):
            result.fail(f"{role} {phase} seed {seed}: the engine broke: {event.exception!r}"[:1500])


def _real_names(place: Server, seed: int) -> Any:
    """A hook: half of the well-formed calls name things that exist, or nothing but 404 would be seen."""
    rng = random.Random(seed)
    kept = set(place.world["kept"])

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        # It learns ids from replies, and with them it would revoke its own token and see nothing but 401 from then on.
        if case.method in {"PATCH", "DELETE", "POST"} and case.path_parameters:
            for name in ("id", "username"):
                if case.path_parameters.get(name) in kept:
                    case.path_parameters[name] = "nobody"
        if case.meta is None or case.meta.generation.mode.value != "positive" or rng.random() < 0.5:
            return
        words = case.operation.path.removeprefix("/api/v1/").split("/")
        names = place.world["names"].get(words[0], {})
        for name in case.path_parameters or {}:
            if name in names and names[name] not in kept:
                case.path_parameters[name] = names[name]
        for part in (case.query, case.body):
            if isinstance(part, dict) and "project" in part:
                part["project"] = place.world["project"]

    return before_call


def _wanted(path: str) -> bool:
    return path not in LEFT_OUT


def _take(recorder: Any, role: str, phase: str, seed: int, result: FuzzResult, calls: Counter[str]) -> int:
    """Count a scenario's calls and note its failures; how many calls."""
    for case_id, interaction in recorder.interactions.items():
        node = recorder.cases.get(case_id)
        if node is not None:
            calls[node.value.operation.label] += 1
        result.inputs += 1
        status = interaction.response.status_code if interaction.response is not None else "no answer"
        result.outcomes[f"{role} {status}"] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            if check.name == "not_a_server_error" and _nobody_at_the_site(recorder.interactions.get(case_id)):
                continue  # no agent runs here, and the reply says so
            if check.name == "response_schema_conformance" and "fields=" in check.failure_info.code_sample:
                continue  # the caller asked for a part of the reply
            if check.name == "content_type_conformance" and len(check.failure_info.code_sample) > LINE_MAX:
                continue  # the HTTP server refuses a request line of this length itself, in plain text
            failure = check.failure_info.failure
            result.fail(
                f"{role} {phase} seed {seed}: {check.name}: {failure.title}: {failure.message[:600]} | "
                f"{check.failure_info.code_sample[:700]}".replace("\n", " ")
            )
    return len(recorder.interactions)


def _nobody_at_the_site(interaction: Any) -> bool:
    response = interaction.response if interaction is not None else None
    return response is not None and response.status_code == 504 and b'"site_silent"' in (response.content or b"")


def _fill_up(place: Server, count: int, seed: int, result: FuzzResult, calls: Counter[str]) -> None:
    """Fuzz on, first those operations that a phase had soon exhausted, until each has its calls and all were made."""
    for turn in range(1, FILL_TURNS + 1):
        short = {label for label, made in calls.items() if made < EVERY_OPERATION}
        lacking = sum(EVERY_OPERATION - calls[label] for label in short) or count - result.inputs
        if lacking <= 0:
            return
        for number, role in enumerate(ROLES):
            ask = max(len(ROLES), lacking // len(ROLES))
            _phase(place, role, "fuzzing", ask, seed + 100 * turn + number, result, calls, short or None)


def run(count: int, seed: int) -> FuzzResult:
    """About `count` calls, a third as each role."""
    result = FuzzResult("rest", seed)
    calls: Counter[str] = Counter()
    with server() as place:
        for number, role in enumerate(ROLES):
            for phase, share in SHARES.items():
                _phase(place, role, phase, int(count / len(ROLES) * share), seed + number, result, calls)
        if count >= SHOWN_CALLS:
            _fill_up(place, count, seed, result, calls)
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{place.url}/healthz", timeout=5) as answer:
            if answer.status == 200:
                result.outcomes["alive at the end"] += 1
        if not result.outcomes["alive at the end"]:
            result.fail("the server does not answer any more")
    result.worst["operations"] = len(calls)
    if calls:
        label, fewest = min(calls.items(), key=lambda item: item[1])
        result.worst["fewest calls"] = f"{fewest} ({label})"
        if count >= SHOWN_CALLS and fewest < EVERY_OPERATION:
            result.fail(f"{label} was called {fewest} times only")
    if result.inputs < count * 0.5:
        result.fail(f"only {result.inputs} calls of {count} were made")
    # One sentence a kind of failure and operation says all; the rest are its repetitions.
    seen: dict[str, str] = {}
    for sentence in result.failures:
        seen.setdefault(" ".join(sentence.split(" ")[:2]) + sentence.split("|")[0][-200:], sentence)
    result.failures = list(seen.values())
    return result


if __name__ == "__main__":
    raise SystemExit(main(run, 2_000))
