"""Bytes decide over a real link: two sites, one with the data, one behind a shaped link, real agents and transfers.

`near` costs money for every start, `far` is free; neither is preferred otherwise. What `far` can take in is not
declared: its agent measures it. A step then goes to its large input, and away from its small one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Cli, cli_on
from tests.support.links import ShapedLink, shaped_link
from tests.support.stack import ROOT, Stack, stack

pytestmark = [pytest.mark.needs("shaped link"), pytest.mark.needs("namespaces")]

RATE = 8_000_000  # bytes a second into `far`
LARGE, MIDDLE, SMALL = 256 << 20, 24 << 20, 10_000
SITE_FILE = "wait_s = 2.0\nallow_on_slurm_host = true\n[offer]\ncpu_millis = 1000\nmemory_bytes = 1000000000\n[images]\nbusybox = { host = true }\n"
STEP = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: read-}}
spec:
  entrypoint: read
  volumes:
  - {{name: data, persistentVolumeClaim: {{claimName: {claim}}}}}
  templates:
  - name: read
    {selector}
    container:
      image: busybox
      command: [sh, -c]
      args: ["wc -c < /data/all.bin"]
      volumeMounts: [{{name: data, mountPath: /data, readOnly: true}}]
"""


def manifest(claim: str, site: str = "") -> str:
    return STEP.format(claim=claim, selector=f"nodeSelector: {{fubini.dev/site: {site}}}" if site else "")


@contextlib.contextmanager
def agent(platform: Stack, name: str, url: str, prefix: list[str]) -> Iterator[None]:
    """A site of its own with an agent that reaches the platform at `url`."""
    platform.post("sites", {"name": name, "preference": 10})
    token = platform.post(f"sites/{name}/join-tokens", {})["token"]
    folder = Path(tempfile.mkdtemp(prefix=f"fubini-{name}-"))
    (folder / "site.toml").write_text(SITE_FILE)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "edge_agent"), "HOME": str(folder)}
    command = [*prefix, sys.executable, "-m", "fubini_agent"]
    where = ["--dir", str(folder)]
    subprocess.run(
        [*command, "join", *where, "--url", url, "--token-file", "-", "--name", name],
        input=token + "\n", text=True, env=env, check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "run", *where, "--stop-steps"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        subprocess.run([*command, "stop", *where], env=env, capture_output=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def platform() -> Iterator[Stack]:
    with shaped_link(RATE) as link, stack("--host", "0.0.0.0", "--no-sites", **hosts(link)) as running:
        there = f"http://{link.host}:{running.url.rpartition(':')[2]}"
        with agent(running, "near", running.url, []), agent(running, "far", there, link.prefix):
            running.post(f"pools/{pool(running, 'near')['id']}/prices", {"start_micros": 2_000})
            yield running


def hosts(link: ShapedLink) -> dict[str, str]:
    return {"FUBINI_ALLOWED_HOSTS": f"127.0.0.1,{link.host}"}


def pool(platform: Stack, site: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in platform.get("pools")["results"] if p["site"] == site)
    return found


def imported(fubini: Cli, folder: Path, name: str, size: int) -> None:
    """A dataset of one file; its bytes are random, so nothing on the way makes them fewer."""
    source = folder / name
    source.mkdir()
    block = os.urandom(1 << 20)
    with (source / "all.bin").open("wb") as file:
        for at in range(0, size, len(block)):
            file.write(at.to_bytes(8, "big") + block[8 : size - at])
    fubini.ok("data", "import", str(source), "--name", name)


def read(platform: Stack, claim: str, site: str = "") -> dict[str, Any]:
    """Run the step; how it was placed."""
    run = platform.wait(platform.submit(manifest(claim, site)), 240)
    assert run["state"] == "succeeded", run
    task = platform.get(f"runs/{run['id']}/tasks")["results"][0]
    placement: dict[str, Any] = platform.get(f"tasks/{task['id']}/why")["placement"]
    return {**placement, "run": run["id"]}


def considered(placement: dict[str, Any], site: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in placement["considered"] if c["site"] == site)
    return found


def test_a_step_goes_to_its_large_data_and_away_from_its_small_data(platform: Stack, tmp_path: Path) -> None:
    fubini = cli_on(platform.home)
    for name, size in (("large", LARGE), ("middle", MIDDLE), ("small", SMALL)):
        imported(fubini, tmp_path, name, size)
    # `near` comes to hold the large and the small one, `far` learns from the middle one what its link carries.
    read(platform, "large-v1", "near")
    read(platform, "small-v1", "near")
    read(platform, "middle-v1", "far")
    rate = seen_rate(platform)

    large = read(platform, "large-v1")
    assert (large["site"], large["why"], large["bytes_to_move"]) == ("near", "data_local", 0)
    there = considered(large, "far")
    assert there["bytes_to_move"] == LARGE
    assert there["transfer_ms"] == -(-LARGE * 1000 // rate)
    assert there["price_micros"] < considered(large, "near")["price_micros"]
    told = fubini.ok("why", large["run"], "read").out
    assert "its data decided" in told
    assert f"256 MiB to move in {there['transfer_ms'] / 1000:.1f} s" in told

    small = read(platform, "small-v1")
    assert (small["site"], small["bytes_to_move"]) == ("far", SMALL)
    assert considered(small, "near")["bytes_to_move"] == 0


def seen_rate(platform: Stack) -> int:
    """Bytes a second into `far` as measured; what the bucket lets through is the most it can be."""
    for _ in range(600):
        found = pool(platform, "far")
        if found["bandwidth_measured_bytes"] >= MIDDLE:
            break
        time.sleep(0.2)
    assert found["bandwidth_measured_bytes"] == MIDDLE
    assert RATE // 4 < found["bandwidth_bytes_per_s"] < RATE * 1.1
    return int(found["bandwidth_bytes_per_s"])
