"""A project's money in the browser: a run's cost arrives in the forecast, the breakdown and the statement."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fubini.notices.kinds import sentence
from tests.e2e.conftest import Eyes
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]
WORDS = {
    language: json.loads(Path(ROOT, "frontend", "src", "i18n", language, "money.json").read_text())
    for language in ("en", "zh")
}
RUN = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: paid-, labels: {campaign: alloys}}
spec:
  entrypoint: main
  templates:
  - name: main
    nodeSelector: {fubini.dev/site: hpc}
    container: {image: busybox, command: [sh, -c, "sleep 1"]}
"""


def test_what_a_run_cost_is_on_the_money_page_and_in_the_statement(live: Stack, eyes: Callable[..., Eyes]) -> None:
    assert live.wait(live.submit(RUN), 240)["state"] == "succeeded"
    words = WORDS["zh"]
    seen = eyes("zh-CN", scheme="dark")
    page = seen.page
    seen.go("/money")
    page.get_by_role("heading", name=words["comes"], exact=True).wait_for()
    page.get_by_role("img", name=words["forecastPicture"]).wait_for()
    page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="main", exact=True)).wait_for()
    page.get_by_role("radiogroup", name=words["by"]["title"]).get_by_text(words["by"]["label"], exact=True).click()
    page.get_by_role("rowheader", name="alloys", exact=True).wait_for()
    page.get_by_text(words["asTable"], exact=True).click()
    page.get_by_role("columnheader", name=words["day"], exact=True).wait_for()
    page.get_by_role("columnheader", name=f"{words['spent']}（CNY）", exact=True).first.wait_for()
    seen.look("page")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=False).first.click()
    rows = list(csv.DictReader(io.StringIO(Path(str(download.value.path())).read_text())))
    assert [rows[0]["kind"], rows[-1]["kind"]] == ["opening", "closing"]
    settled = [row for row in rows if row["kind"] == "settle"]
    assert int(rows[-1]["spent_micros"]) == sum(int(row["spent_micros"]) for row in settled) > 0


def test_the_bell_tells_of_a_runs_end_by_itself_and_leads_to_it(live: Stack, eyes: Callable[..., Eyes]) -> None:
    words = json.loads(Path(ROOT, "frontend", "src", "i18n", "en", "notices.json").read_text())
    seen = eyes("en-US")
    page = seen.page
    page.get_by_role("button", name=re.compile("^Notices")).wait_for()
    # By a person: machine tokens and schedules have no bell.
    run = page.evaluate(
        """async (manifest) => {
          const csrf = /csrftoken=([^;]+)/.exec(document.cookie)[1];
          const answer = await fetch("/api/v1/runs", {method: "POST", credentials: "same-origin",
            headers: {"Content-Type": "application/json", "X-CSRFToken": csrf}, body: JSON.stringify({project: "demo", manifest})});
          return (await answer.json()).id;
        }""",
        RUN.replace("sleep 1", "exit 3"),
    )
    live.wait(run, 240)
    bell = page.get_by_role("button", name=re.compile(r"^Notices: \d+ unread"))
    bell.wait_for()  # nobody reloads
    bell.click()
    name = live.get(f"runs/{run}")["name"]
    line = page.get_by_role("dialog").get_by_text(sentence("run_failed", {"name": name, "state": "failed"}, "en"))
    seen.look("bell")
    line.click()
    page.wait_for_url(re.compile(rf"/runs/{run}"))
    seen.go("/notices")
    page.get_by_role("button", name=words["readAll"], exact=True).click()
    page.get_by_role("button", name=words["bell"]["none"], exact=True).wait_for()
    page.get_by_label(f"{words['name']['run_succeeded']}: {words['rules']['page']}").click()
    page.get_by_role("button", name=words["test"], exact=True).click()
    page.get_by_text(sentence("test", {}, "en"), exact=True).first.wait_for()
    seen.look("notices")
