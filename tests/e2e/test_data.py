"""Data in the browser: files brought in over a line that breaks, seen with their versions, used, and deleted."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Eyes
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages"), pytest.mark.timeout(240)]

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
    assert page.locator("[data-dataset-name]").input_value() == name
    page.locator("[data-start-upload]").click()
    page.get_by_text(words["upload"]["waiting"]).wait_for()
    seen.look("waiting")
    page.locator("[data-upload=done]").wait_for(timeout=60_000)
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
    page.locator("[data-upload=done]").wait_for(timeout=60_000)
    assert "PATCH" in sent
    assert sent.count("PATCH") < BIG // (8 * 1024 * 1024)
    row = dataset(live, "set-a")
    assert (row["latest"]["files"], row["latest"]["number"]) == (301, 1)
    page.get_by_role("link", name="set-a", exact=True).click()
    page.get_by_label(words["searchFiles"]).fill("29")
    page.get_by_text("13 of 301 file(s)").wait_for()
    seen.look("files")
