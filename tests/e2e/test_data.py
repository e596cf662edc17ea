"""Data in the browser: files brought in over a line that breaks, seen with their versions, used, and deleted."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Eyes
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]

BIG = 40 * 1024 * 1024  # three parts or more, so that a break falls inside


def words_of(language: str, namespace: str) -> dict[str, Any]:
    path = ROOT / "frontend" / "src" / "i18n" / language[:2] / f"{namespace}.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def dataset(live: Stack, name: str) -> dict[str, Any]:
    found = live.client.get("/api/v1/datasets", params={"project": live.project, "name": name}).json()["results"]
    assert len(found) == 1, found
    row: dict[str, Any] = found[0]
    return row


def files_of(live: Stack, row: dict[str, Any], version: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = live.client.get(f"/api/v1/datasets/{row['id']}/versions/{version}/files").json()[
        "entries"
    ]
    return found


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_a_large_file_arrives_over_a_line_that_breaks(
    live: Stack, eyes: Callable[..., Eyes], tmp_path: Path, language: str
) -> None:
    words = words_of(language, "data")
    name = f"frames-{language[:2]}"
    file = tmp_path / f"{name}.bin"
    file.write_bytes(random.Random(language).randbytes(BIG))
    seen = eyes(language)
    page = seen.page
    broken = {"parts": 0}

    def line(route: Any) -> None:
        """The second part is cut off, and for the next two tries nobody answers."""
        if route.request.method in ("PATCH", "HEAD"):
            broken["parts"] += 1
            if 2 <= broken["parts"] <= 4:
                route.abort("connectionreset")
                return
        route.continue_()

    page.route("**/objects/uploads/**", line)
    seen.go("/data")
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.locator("[data-dataset-name]")).to_have_value(name)
    page.locator("[data-start-upload]").click()
    page.get_by_text(words["upload"]["waiting"]).wait_for()
    seen.look("waiting")
    page.locator("[data-upload=done]").wait_for(timeout=240_000)
    assert broken["parts"] >= 7
    seen.errors[:] = [e for e in seen.errors if "ERR_CONNECTION_RESET" not in e]
    row = dataset(live, name)
    assert [(e["size"], e["sha256"]) for e in files_of(live, row, 1)] == [
        (BIG, hashlib.sha256(file.read_bytes()).hexdigest())
    ]

    page.get_by_role(
        "link", name=words["upload"]["madeVersion"].replace("{{name}}", name).replace("{{n}}", "1")
    ).click()
    page.get_by_text(f"claimName: {name}-v1").wait_for()
    page.get_by_role("button", name=words["pin"], exact=True).click()
    page.get_by_role("button", name=words["unpin"], exact=True).wait_for()
    page.locator("tbody [aria-expanded=false]").first.click()
    page.locator("[data-shown]").get_by_text(words_of(language, "preview")["unknown"]).wait_for()
    seen.look("dataset")
    page.get_by_role("button", name=words["delete"], exact=True).click()
    page.get_by_text(words["deleteBlocked"]).wait_for()
    seen.look("delete")
    page.get_by_role("button", name=words["cancel"], exact=True).click()
    page.get_by_role("button", name=words["unpin"], exact=True).click()
    page.get_by_role("button", name=words["pin"], exact=True).wait_for()
    page.get_by_role("button", name=words["delete"], exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=words["delete"], exact=True).click()
    page.wait_for_url("**/data")
    assert live.client.get(f"/api/v1/datasets/{row['id']}").status_code == 404
    seen.errors[:] = [e for e in seen.errors if "404" not in e]  # its page, told of the change before it was left


def test_a_folder_is_paused_reloaded_and_goes_on_without_sending_twice(
    live: Stack, eyes: Callable[..., Eyes], tmp_path: Path
) -> None:
    words = words_of("en", "data")
    folder = tmp_path / "Set A"
    (folder / "deep").mkdir(parents=True)
    for i in range(300):
        (folder / "deep" / f"{i:03d}.txt").write_text(f"frame {i}")
    (folder / "big.bin").write_bytes(random.Random(1).randbytes(BIG))
    seen = eyes("en-US", width=420, scheme="dark")
    page = seen.page
    page.route(
        "**/objects/uploads/**",
        lambda route: route.continue_() if route.request.method != "PATCH" else later(page, route),
    )
    held: list[Any] = []

    def later(page: Any, route: Any) -> None:
        held.append(route)
        if len(held) == 1:
            route.continue_()  # the others hang until the page goes

    seen.go("/data")
    page.locator("input[type=file]").last.set_input_files(folder)
    page.locator("[data-start-upload]").click()
    page.locator("[data-upload=sending]").wait_for()
    while len(held) < 2:
        page.wait_for_timeout(50)
    page.get_by_role("button", name=words["upload"]["pause"]).click()
    page.locator("[data-upload=paused]").wait_for()
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    page.get_by_text(words["unfinished"]).wait_for()
    seen.look("unfinished")
    sent: list[str] = []
    page.on(
        "request",
        lambda r: sent.append(r.method) if "/objects/upload" in r.url and r.method in ("PUT", "PATCH") else None,
    )
    page.locator("input[type=file]").last.set_input_files(folder)
    page.locator("[data-start-upload]").click()
    page.locator("[data-upload=done]").wait_for(timeout=240_000)
    assert "PATCH" in sent
    assert sent.count("PATCH") < BIG // (8 * 1024 * 1024)
    row = dataset(live, "set-a")
    assert (row["latest"]["files"], row["latest"]["number"]) == (301, 1)
    page.get_by_role("link", name="set-a", exact=True).click()
    page.get_by_label(words["searchFiles"]).fill("29")
    page.get_by_text("13 of 301 file(s)").wait_for()
    seen.look("files")


READS_A_FILE = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: count-
  annotations:
    fubini.dev/input.table: '{type: file, title: {en: Table, zh: 表格}, help: {en: Lines to count, zh: 要计数的行}, group: {en: Data, zh: 数据}}'
spec:
  entrypoint: main
  arguments: {parameters: [{name: table}]}
  templates:
  - name: main
    volumes: [{name: table, persistentVolumeClaim: {claimName: "{{workflow.parameters.table}}", readOnly: true}}]
    script:
      image: busybox
      command: [sh]
      source: wc -l < /data/table.csv > /tmp/lines
      volumeMounts: [{name: table, mountPath: /data/table.csv}]
    outputs: {parameters: [{name: lines, valueFrom: {path: /tmp/lines}}]}
"""
DROP = """(zone, [name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type: "text/csv" }));
  zone.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_a_file_dropped_on_the_launch_form_is_the_runs_input(live: Stack, eyes: Callable[..., Eyes], language: str) -> None:
    base, words = words_of(language, "base"), words_of(language, "launch")
    pushed = {"project": live.project, "name": "count", "manifest": READS_A_FILE}
    assert live.client.post("/api/v1/pipelines", json=pushed).status_code in (200, 201)
    seen = eyes(language)
    page = seen.page
    seen.go("/launch?pipeline=count")
    zone = page.locator("[data-drop]")
    zone.wait_for()
    page.get_by_text({"en": "Lines to count", "zh": "要计数的行"}[language[:2]]).wait_for()
    name = f"table-{language[:2]}"
    zone.evaluate(DROP, [f"{name}.csv", "a,b\n1,2\n3,4\n"])
    page.get_by_text(words["dropped"]).wait_for()
    page.locator("[data-parameter=table]").wait_for()
    expect(page.locator("[data-parameter=table]")).to_have_value(f"{name}-v1")
    go = page.get_by_role("button", name=base["launch"]["submit"], exact=True)
    go.wait_for()
    seen.look("form")
    go.click()
    page.wait_for_url("**/runs/*")
    run_id = page.url.split("/runs/")[1].split("?")[0]
    for _ in range(2400):
        run = live.client.get(f"/api/v1/runs/{run_id}").json()
        if run["state"] not in ("pending", "running"):
            break
        page.wait_for_timeout(100)
    nodes = live.client.get(f"/api/v1/runs/{run_id}/nodes").json()["results"]
    assert (run["state"], run["parameters"]) == ("succeeded", {"table": f"{name}-v1"}), [n["message"] for n in nodes]
    assert list(run["datasets"].values()) == [f"{name}-v1"]
    assert [n["outputs"]["parameters"][0]["value"].strip() for n in nodes if n["type"] == "Pod"] == ["3"]
    seen.go(f"/runs/{run_id}/manifest")
    page.get_by_text(f"{name}-v1").first.wait_for()
    row = dataset(live, name)
    seen.go(f"/data/{row['id']}")
    page.get_by_role("link", name=run["name"], exact=True).wait_for()
