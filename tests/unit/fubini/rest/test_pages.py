"""The built pages: any address that is not the API's, under a policy that lets nothing foreign run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def pages(tmp_path: Path, settings: Any) -> Client:
    (tmp_path / "index.html").write_text("<!doctype html><title>pages</title>")
    settings.WHITENOISE_ROOT = tmp_path
    return Client()


@pytest.mark.parametrize("address", ["/", "/runs", "/runs/01a2/graph", "/anything/else", "/apiary"])
def test_every_address_of_the_pages_answers_with_the_one_page(pages: Client, address: str) -> None:
    answer = pages.get(address)
    assert answer.status_code == 200
    assert b"pages" in answer.content
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "'unsafe-inline'" not in policy.split("style-src")[0]
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert answer["Cache-Control"] == "no-cache"
    assert "csrftoken" in answer.cookies


@pytest.mark.parametrize(
    "address", ["/api/v1/nothing", "/api/nothing", "/agent/nothing", "/static/nothing", "/main.js", "/a/b.css"]
)
def test_what_is_not_a_page_is_still_said_not_to_be_there(pages: Client, address: str) -> None:
    answer = pages.get(address)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_pages_are_only_read(pages: Client) -> None:
    assert pages.post("/runs").status_code in (403, 404)


def test_without_built_pages_the_address_says_where_the_api_is(settings: Any) -> None:
    settings.WHITENOISE_ROOT = None
    answer = Client().get("/runs")
    assert answer.status_code == 404
    assert "/api/docs" in answer.json()["next_step"]
