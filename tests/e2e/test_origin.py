"""Launched again with a change in the browser: what is there is taken over, and its origin leads back to where it ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Eyes
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]

TWO = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: two-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: rate, value: "1"}]}
  templates:
  - name: main
    dag:
      tasks:
      - {name: prepare, template: prepare}
      - name: train
        template: train
        dependencies: [prepare]
        arguments: {artifacts: [{name: data, from: "{{tasks.prepare.outputs.artifacts.data}}"}]}
  - name: prepare
    script: {image: busybox, command: [sh], source: "echo raw > /tmp/data"}
    outputs: {artifacts: [{name: data, path: /tmp/data}]}
  - name: train
    inputs: {artifacts: [{name: data, path: /tmp/in}]}
    script: {image: busybox, command: [sh], source: "(cat /tmp/in; echo {{workflow.parameters.rate}}) > /tmp/model"}
    outputs: {artifacts: [{name: model, path: /tmp/model}]}
"""


def words(namespace: str) -> Any:
    return json.loads(Path(ROOT, "frontend", "src", "i18n", "en", f"{namespace}.json").read_text())


def test_a_changed_run_takes_over_what_is_there_and_shows_where_it_comes_from(
    live: Stack, eyes: Callable[..., Eyes]
) -> None:
    base, reuse, origin = words("base"), words("reuse"), words("origin")
    old = live.submit(TWO)
    assert live.wait(old, 240)["state"] == "succeeded"
    seen = eyes()
    page = seen.page
    seen.go(f"/launch?from={old}&reuse=run")
    page.get_by_text(reuse["nothingRuns"]).wait_for()
    page.get_by_label("rate").fill("2")
    preview = page.get_by_role("region", name=reuse["title"])
    preview.get_by_text("line 1 of its script").wait_for()
    expect(preview.get_by_text(reuse["verdict"]["reused"], exact=True)).to_have_count(1)
    seen.look("preview")
    page.get_by_label(base["launch"]["name"]).fill("two-again")
    page.get_by_role("button", name=base["launch"]["submit"], exact=True).click()
    page.wait_for_url("**/runs/*")
    new = page.url.rsplit("/", 1)[-1]
    assert live.wait(new, 240)["steps_reused"] == 1
    seen.go(f"/runs/{new}/artifacts")
    page.get_by_role("link", name=base["run"]["origin"], exact=True).first.click()
    behind = page.get_by_role("region", name=origin["behind"])
    behind.get_by_text(origin["how"]["behind"]["taken_over"]).wait_for()
    expect(behind.get_by_role("link", name="prepare")).to_have_count(2)
    seen.look("origin")
    behind.get_by_role("link", name="prepare").last.click()
    page.wait_for_url(f"**/runs/{old}/graph?step=*")
